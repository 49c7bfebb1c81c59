"""Scores against scikit-learn, and one and the same number however the clips are spread."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score

from panns.training.metrics import TaggingMetrics, average_precision, d_prime, roc_auc

N, K = 400, 12


def scores_of(kind, rng, targets):
    logits = rng.normal(size=targets.shape) + targets
    if kind == "random":
        return logits.astype(np.float32)
    if kind == "float16":
        return logits.astype(np.float16)
    if kind == "few values":
        return np.round(logits).astype(np.float32)
    return np.zeros_like(logits, dtype=np.float32)  # all equal


@pytest.fixture
def targets():
    """Class 0 has no positives, class 1 nothing else, class 2 a single one."""
    targets = np.random.default_rng(0).random((N, K)) < 0.1
    targets[:, 0], targets[:, 1], targets[:, 2] = False, True, False
    targets[17, 2] = True
    return targets


@pytest.mark.parametrize("kind", ["random", "float16", "few values", "all equal"])
def test_as_scikit_learn(kind, targets):
    scores = scores_of(kind, np.random.default_rng(1), targets)
    ap = average_precision(torch.from_numpy(scores), torch.from_numpy(targets)).numpy()
    auc = roc_auc(torch.from_numpy(scores), torch.from_numpy(targets)).numpy()
    assert np.isnan(ap).tolist() == [True] + [False] * (K - 1)
    assert np.isnan(auc).tolist() == [True, True] + [False] * (K - 2)
    for k in range(1, K):
        assert ap[k] == pytest.approx(average_precision_score(targets[:, k], scores[:, k]), abs=1e-12)
    for k in range(2, K):
        assert auc[k] == pytest.approx(roc_auc_score(targets[:, k], scores[:, k]), abs=1e-12)


def test_by_hand():
    """Ranks 1 and 3 of 4 hit: AP = (1/1 + 2/3) / 2; of 4 pairs of a hit and a miss 3 stand right: AUC = 3/4."""
    scores, targets = torch.tensor([[0.9], [0.8], [0.7], [0.1]]), torch.tensor([[1], [0], [1], [0]])
    assert average_precision(scores, targets).item() == pytest.approx(5 / 6)
    assert roc_auc(scores, targets).item() == pytest.approx(3 / 4)


def test_d_prime_of_the_paper():
    """CNN14 of the paper's table: AUC 0.973, d-prime 2.732 (AUC is rounded there)."""
    assert d_prime(0.973) == pytest.approx(2.732, abs=0.02)
    assert d_prime(float(stats.norm.cdf(2 / math.sqrt(2)))) == pytest.approx(2)
    assert d_prime(0.5) == 0
    assert math.isnan(d_prime(math.nan))


def filled(targets, order=None, **options):
    scores = scores_of("random", np.random.default_rng(2), targets)
    metrics = TaggingMetrics(targets.shape[1], **options)
    for part in torch.tensor(np.arange(len(targets)) if order is None else order).split(48):
        metrics.update(part, torch.from_numpy(scores)[part], torch.from_numpy(targets)[part].float())
    return metrics, scores


def test_metric(targets):
    metrics, scores = filled(targets)
    result = metrics.compute()
    ap = [average_precision_score(targets[:, k], scores[:, k]) for k in range(1, K)]
    auc = [roc_auc_score(targets[:, k], scores[:, k]) for k in range(2, K)]
    assert result["mAP"] == pytest.approx(np.mean(ap), abs=1e-12)
    assert result["mAUC"] == pytest.approx(np.mean(auc), abs=1e-12)
    assert result["d_prime"] == pytest.approx(math.sqrt(2) * stats.norm.ppf(np.mean(auc)))
    assert (result["num_classes_scored"], result["num_clips"]) == (K - 1, N)
    assert result["per_class_ap"][1:].tolist() == pytest.approx(ap, abs=1e-12)
    assert result["per_class_auc"][2:].tolist() == pytest.approx(auc, abs=1e-12)
    assert "accuracy" not in result
    assert "mAP_rare" not in result


def test_repeated_clips_count_once_and_order_does_not_matter(targets):
    once = filled(targets)[0].compute()
    rng = np.random.default_rng(0)
    again = filled(targets, order=np.concatenate([rng.permutation(N), rng.integers(0, N, 77)]))[0].compute()
    assert again["num_clips"] == N
    assert {k: v for k, v in again.items() if isinstance(v, float)} == {
        k: v for k, v in once.items() if isinstance(v, float)
    }


def test_reset_forgets(targets):
    metrics, _ = filled(targets)
    metrics.compute()
    metrics.reset()
    metrics.update(torch.tensor([3]), torch.rand(1, K), torch.ones(1, K))
    assert metrics.compute()["num_clips"] == 1


def test_thirds_by_training_clips(targets):
    """Class k has k clips to train on: 12 classes in thirds of 4, class 0 (unscored) among the rare ones."""
    result = filled(targets, class_counts=torch.arange(12))[0].compute()
    ap = result["per_class_ap"]
    assert result["mAP_rare"] == pytest.approx(ap[[1, 2, 3]].mean())
    assert result["mAP_medium"] == pytest.approx(ap[[4, 5, 6, 7]].mean())
    assert result["mAP_frequent"] == pytest.approx(ap[[8, 9, 10, 11]].mean())


def test_thirds_leave_nobody_out_and_break_ties_in_class_order():
    targets = np.random.default_rng(0).random((N, 5)) < 0.3
    result = filled(targets, class_counts=torch.tensor([4, 4, 4, 9, 4]))[0].compute()
    ap = result["per_class_ap"]
    assert result["mAP_frequent"] == pytest.approx(ap[[3, 0]].mean())
    assert result["mAP_medium"] == pytest.approx(ap[[1, 2]].mean())
    assert result["mAP_rare"] == pytest.approx(ap[4])


def test_two_classes_have_no_thirds():
    assert "mAP_rare" not in filled(np.eye(2, dtype=bool), class_counts=torch.tensor([1, 1]))[0].compute()


@pytest.mark.parametrize(("num_clips", "num_classes"), [(1, 3), (5, 1), (1, 1)])
def test_one_clip_or_one_class_is_scored_as_several_are(num_clips, num_classes):
    metrics = TaggingMetrics(num_classes, single_label=True)
    metrics.update(torch.arange(num_clips), torch.rand(num_clips, num_classes), torch.ones(num_clips, num_classes))
    result = metrics.compute()
    assert result["per_class_ap"].tolist() == [1.0] * num_classes
    assert result["index"].tolist() == list(range(num_clips))
    assert result["scores"].shape == (num_clips, num_classes)
    assert result["confusion"].shape == (num_classes, num_classes)


@pytest.mark.parametrize("single_label", [False, True])
@pytest.mark.parametrize("num_classes", [2, 4])
def test_goals_are_the_scores_that_are_computed(num_classes, single_label):
    truth = np.random.default_rng(0).integers(0, num_classes, 40)
    counts = torch.arange(1, num_classes + 1)
    targets = np.eye(num_classes, dtype=bool)[truth]
    metrics, _ = filled(targets, single_label=single_label, class_counts=counts)
    numbers = {name for name, value in metrics.compute().items() if isinstance(value, float)}
    assert set(metrics.goals) == numbers


def test_single_labels():
    truth = np.random.default_rng(0).integers(0, 4, N)
    metrics, scores = filled(np.eye(4, dtype=bool)[truth], single_label=True)
    result = metrics.compute()
    assert result["accuracy"] == pytest.approx((scores.argmax(1) == truth).mean())
    np.testing.assert_array_equal(result["confusion"], confusion_matrix(truth, scores.argmax(1)))


@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_errors(targets):
    metrics = TaggingMetrics(K)
    with pytest.raises(ValueError, match="no clips to score"):
        metrics.compute()
    scores = torch.zeros(5, K)
    scores[1, :3] = scores[4, 0] = math.nan
    with pytest.raises(ValueError, match=r"4 of 60 scores are NaN, in 2 of 5 clips"):
        metrics.update(torch.arange(5), scores, torch.zeros(5, K))
    with pytest.raises(ValueError, match="must be"):
        metrics.update(torch.arange(5), torch.zeros(5, K + 1), torch.zeros(5, K + 1))
    with pytest.raises(ValueError, match="class_counts"):
        TaggingMetrics(K, class_counts=torch.ones(K - 1))


def test_states_stay_on_the_cpu_where_the_model_moves(targets):
    """As in a Trainer: the task goes to the device before the first clip, and back after the last."""
    scores = scores_of("random", np.random.default_rng(2), targets)
    task = torch.nn.Module()
    task.metrics, task.layer = TaggingMetrics(K), torch.nn.Linear(1, 1)
    for dtype in (torch.float32, torch.bfloat16):
        task.to("meta", dtype)  # stands for a GPU
        task.metrics.update(torch.arange(N), torch.from_numpy(scores), torch.from_numpy(targets))
        task.to("meta")
        assert {tensor.device.type for tensor in task.metrics.scores} == {"cpu"}
        assert task.metrics.compute()["mAP"] == filled(targets)[0].compute()["mAP"]
        task.metrics.reset()
    assert task.layer.weight.device.type == "meta"


def test_states_are_small_and_out_of_checkpoints(targets):
    metrics, _ = filled(targets)
    assert {tensor.dtype for tensor in metrics.scores} == {torch.float32}
    assert {tensor.dtype for tensor in metrics.targets} == {torch.uint8}
    assert metrics.state_dict() == {}


def score_shards(rank, folder, backend, world_size, shards, scores, targets):
    """One process: scores its part of each of the shards, one after the other on one metric."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        backend, init_method=f"file://{folder}/store", rank=rank, world_size=world_size
    )
    results = []
    metrics = TaggingMetrics(targets.shape[1])
    for shard in shards:
        for part in torch.tensor(shard[rank], dtype=torch.int64).split(48):
            if len(part):
                metrics.update(part, scores[part], targets[part])
        computed = metrics.compute().items()
        results.append({k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in computed})
        metrics.reset()
    torch.save(results, f"{folder}/{rank}.pt")
    torch.distributed.destroy_process_group()


def assert_all_score(folder, backend, world_size, shards, targets):
    whole, scores = filled(targets)
    args = (str(folder), backend, world_size, shards, torch.from_numpy(scores), torch.from_numpy(targets))
    torch.multiprocessing.spawn(score_shards, args, nprocs=world_size)
    expected = whole.compute()
    for rank in range(world_size):
        for result in torch.load(folder / f"{rank}.pt", weights_only=True):
            assert result.keys() == expected.keys()
            for name, value in expected.items():
                np.testing.assert_array_equal(result[name], value, err_msg=name)


def test_two_processes(tmp_path, targets):
    """Uneven shards, shards that overlap, and a process without a clip."""
    clips = np.arange(N)
    shards = [(clips[:130], clips[130:]), (clips[:300], clips[200:]), (clips, clips[:0])]
    assert_all_score(tmp_path, "gloo", 2, shards, targets)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="NCCL needs a GPU")
def test_nccl(tmp_path, targets):
    """NCCL cannot move CPU memory: the states go over the device."""
    assert_all_score(tmp_path, "nccl", 1, [(np.arange(N),)], targets)
