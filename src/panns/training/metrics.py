"""Scores of a tagger: mAP, mAUC and d-prime, exact to the last clip, and each clip counted once.

Shapes: N clips, B clips of a batch, K classes.
"""

import math
from typing import Any

import numpy as np
import torch
import torch.distributed
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.distributed import gather_all_tensors

TERCILES = ("frequent", "medium", "rare")


class TaggingMetrics(Metric):
    """Collects scores on the CPU and computes every score of the paper's tables from all of them.

    Under DDP each process updates with its own clips, any number of them; `compute` gathers. A clip that comes twice
    (by its index) is counted once.

    Args:
        num_classes: K.
        class_counts: (K,) training clips per class. With three classes or more, adds the mAP of the frequent, the
            medium and the rare third: classes in the order of their training clips, most first and ties in class order,
            those without training clips left out, cut into three equal parts (the first ones take what is left over).
            The parts depend on the training clips alone; each scores those of its classes that have positives.
        single_label: every clip has exactly one label; adds accuracy and the confusion matrix.

    Raises:
        ValueError: `class_counts` is not one number per class.
    """

    full_state_update = False
    index: list[Tensor]
    scores: list[Tensor]
    targets: list[Tensor]

    def __init__(self, num_classes: int, class_counts: Tensor | None = None, single_label: bool = False) -> None:
        super().__init__(dist_sync_fn=gather_on_cpu)
        if class_counts is not None and tuple(class_counts.shape) != (num_classes,):
            raise ValueError(f"class_counts has the shape {tuple(class_counts.shape)} for {num_classes} classes.")
        self.num_classes, self.single_label = num_classes, single_label
        self.class_counts = None if class_counts is None else class_counts.cpu().numpy()
        for state in ("index", "scores", "targets"):
            self.add_state(state, default=[], dist_reduce_fx="cat")
        self.reset()

    @property
    def goals(self) -> list[str]:
        """The scores of `compute` that one can choose a model by: higher is better."""
        by_frequency = self.class_counts is not None and self.num_classes >= len(TERCILES)
        terciles = [f"mAP_{name}" for name in TERCILES] if by_frequency else []
        return ["mAP", "mAUC", "d_prime", *terciles, *(["accuracy"] if self.single_label else [])]

    def _apply(self, fn: Any, *_: Any) -> "TaggingMetrics":
        """What `.to(device)` of the task calls: the scores stay on the CPU wherever the model goes."""
        return self

    def reset(self) -> None:
        """Forget all clips. The empty tensors let a process that gets no clip take part in the gathering."""
        super().reset()
        self.index = [torch.empty(0, dtype=torch.int64)]
        self.scores = [torch.empty(0, self.num_classes, dtype=torch.float32)]
        self.targets = [torch.empty(0, self.num_classes, dtype=torch.uint8)]

    def update(self, index: Tensor, scores: Tensor, targets: Tensor) -> None:
        """Add clips: index (B,) whole numbers that name them, scores (B, K) of any scale, targets (B, K) of 0 and 1.

        Raises:
            ValueError: shapes that do not fit, or scores that are NaN.
        """
        if scores.shape != targets.shape or scores.shape != (len(index), self.num_classes):
            raise ValueError(
                f"index {tuple(index.shape)}, scores {tuple(scores.shape)} and targets {tuple(targets.shape)} "
                f"must be (B,), (B, {self.num_classes}) and (B, {self.num_classes})."
            )
        scores = scores.detach().float().cpu()
        bad = scores.isnan()
        if bad.any():
            raise ValueError(
                f"{int(bad.sum())} of {bad.numel()} scores are NaN, in {int(bad.any(1).sum())} of {len(bad)} clips: "
                "the model has diverged; lower optimizer.lr or use a higher trainer.precision."
            )
        self.index.append(index.cpu().long())
        self.scores.append(scores)
        self.targets.append((targets > 0.5).to("cpu", torch.uint8))

    def compute(self) -> dict[str, Any]:
        """Score all clips.

        Returns:
            Floats "mAP", "mAUC" (means over the classes that have one), "d_prime" (of mAUC) and, as configured,
            "mAP_frequent", "mAP_medium", "mAP_rare", "accuracy"; whole numbers "num_classes_scored" (with positives)
            and "num_clips"; float64 arrays "per_class_ap" and "per_class_auc" (K,); of single labels the int64 array
            "confusion" (K, K), true class by row; and what all this was computed from, of each clip once: the arrays
            "index" (N,), ascending, and "scores" (N, K) float32. What cannot be scored is NaN: the AP of a class
            without positives, the AUC of a class without positives or without negatives, and a mean over no class.
            Arrays, not tensors: torchmetrics takes the dimensions off a tensor of one element, as of one clip.

        Raises:
            ValueError: no clip has been added.
        """
        index, scores, targets = self._clips()
        if not len(scores):
            raise ValueError("There are no clips to score: check the validation splits of the data set.")
        ap, auc = _class_scores(scores, targets)
        result: dict[str, Any] = {"mAP": _mean(ap), "mAUC": _mean(auc), "d_prime": d_prime(_mean(auc))}
        if self.class_counts is not None and self.num_classes >= len(TERCILES):
            by_frequency = np.argsort(-self.class_counts, kind="stable")[: int((self.class_counts > 0).sum())]
            for name, classes in zip(TERCILES, np.array_split(by_frequency, len(TERCILES)), strict=True):
                result[f"mAP_{name}"] = _mean(ap[classes])
        if self.single_label:
            confusion = confusion_counts(scores, targets)
            result["accuracy"] = float(np.trace(confusion) / len(scores))
            result["confusion"] = confusion
        counts = {"num_classes_scored": int((~np.isnan(ap)).sum()), "num_clips": len(scores)}
        return result | counts | {"per_class_ap": ap, "per_class_auc": auc, "index": index, "scores": scores}

    def _clips(self) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.uint8]]:
        """Return index (N,), scores and targets, (N, K) each, of every clip once and in the order of their index."""
        index, scores, targets = (
            (torch.cat(state) if isinstance(state, list) else state).numpy()  # gathered states are joined already
            for state in (self.index, self.scores, self.targets)
        )
        index, first = np.unique(index, return_index=True)
        return index, scores[first], targets[first]


def average_precision(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the AP of each class, scores and targets (N, K) -> (K,) float64; NaN where a class has no positives.

    As scikit-learn's `average_precision_score`: clips of equal score are one threshold.
    """
    return torch.from_numpy(_class_scores(_as_numpy(scores), _as_numpy(targets) > 0.5)[0])


def roc_auc(scores: Tensor, targets: Tensor) -> Tensor:
    """Return the area under each class's ROC curve, scores and targets (N, K) -> (K,) float64.

    As scikit-learn's `roc_auc_score`: a tie counts half. NaN where a class has no positives or no negatives.
    """
    return torch.from_numpy(_class_scores(_as_numpy(scores), _as_numpy(targets) > 0.5)[1])


def d_prime(auc: float) -> float:
    """Return the distance of two unit normal distributions whose ROC curve has this area: sqrt(2) * ndtri(auc)."""
    return math.sqrt(2) * float(ndtri(auc))


def confusion_counts(scores: NDArray[Any], targets: NDArray[Any]) -> NDArray[np.int64]:
    """Count true against highest-scored class, scores and targets (N, K) -> (K, K): true by row."""
    num_classes = scores.shape[1]
    pairs = targets.argmax(1) * num_classes + scores.argmax(1)
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


def gather_on_cpu(tensor: Tensor, group: Any = None) -> list[Tensor]:
    """Gather a CPU tensor whose first dimension differs between processes: one CPU tensor per process.

    NCCL moves device memory only, so under it the tensor takes the way over the device.
    """
    nccl = "nccl" in str(torch.distributed.get_backend(group))
    device = torch.device("cuda", torch.cuda.current_device()) if nccl else torch.device("cpu")
    return [part.cpu() for part in gather_all_tensors(tensor.to(device), group)]


def _class_scores(scores: NDArray[Any], targets: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return AP and AUC of each class, scores and targets (N, K) -> (K,) and (K,)."""
    both = [_ap_and_auc(scores[:, k], targets[:, k].astype(bool)) for k in range(scores.shape[1])]
    ap, auc = np.array(both, dtype=np.float64).reshape(-1, 2).T
    return ap, auc


def _ap_and_auc(scores: NDArray[Any], positive: NDArray[np.bool_]) -> tuple[float, float]:
    """Return AP and AUC of one class, scores and positive (N,).

    Both are means over the positives, which are few, of counts that two sorted lists give by bisection. A positive of
    score s has the precision (positives >= s) / (clips >= s), and beats the negatives below s and half of those at s.
    """
    clips, hits = np.sort(scores), np.sort(scores[positive])
    num_negatives = len(clips) - len(hits)
    if not len(hits):
        return math.nan, math.nan
    clips_below, hits_below = np.searchsorted(clips, hits), np.searchsorted(hits, hits)
    ap = float(((len(hits) - hits_below) / (len(clips) - clips_below)).mean())
    if not num_negatives:
        return ap, math.nan
    clips_up_to, hits_up_to = np.searchsorted(clips, hits, "right"), np.searchsorted(hits, hits, "right")
    beaten = ((clips_below - hits_below) + (clips_up_to - hits_up_to)).mean() / 2
    return ap, float(beaten / num_negatives)


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean of the values that are not NaN; NaN if there are none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _as_numpy(x: Tensor) -> NDArray[Any]:
    """Return a tensor as an array; half precision widened, which is exact."""
    return (x.detach().float() if x.dtype in (torch.float16, torch.bfloat16) else x.detach()).cpu().numpy()
