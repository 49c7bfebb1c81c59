"""Which clips are trained on, validated with and tested, through the datamodule as a run uses it."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

from panns.data import AudioSetDataModule, ClipStore, StoreError
from panns.data.labels import LabelError
from panns.data.manifest import ManifestSource
from panns.data.packing import index
from panns.data.quarantine import read_quarantine, told, write_quarantine
from panns.training.announce import left_out

RATE = 4000
LABELS = ("Bark", "Speech", "Conversation;Speech", "Police car (siren)", "Music;Speech")


@pytest.fixture(scope="module")
def zoo(tmp_path_factory) -> Path:
    """20 balanced, 80 unbalanced and 20 evaluation clips of AudioSet classes; clip numbers go on over the splits."""
    root, rng = tmp_path_factory.mktemp("zoo"), np.random.default_rng(0)
    rows = ["path,labels,split"]
    for number in range(120):
        soundfile.write(root / f"c{number:03}.wav", rng.integers(-9000, 9000, 400).astype(np.int16), RATE)
        split = "balanced_train" if number < 20 else "unbalanced_train" if number < 100 else "eval"
        labels = LABELS[number % len(LABELS)]
        rows.append(f'c{number:03}.wav,"{labels}",{split}')
    (root / "clips.csv").write_text("\n".join(rows) + "\n")
    source = ManifestSource(root / "clips.csv", class_list="audioset")
    index(source, root / "store", sample_rate=RATE, clip_seconds=0.1, jobs=1, show_progress=False)
    return root / "store"


@pytest.fixture
def own(zoo, tmp_path) -> Path:
    """The same store, with a quarantine of its own."""
    root = tmp_path / "store"
    root.mkdir()
    for path in zoo.iterdir():
        (root / path.name).symlink_to(path)
    for path in zoo.parent.glob("*.wav"):
        (tmp_path / path.name).symlink_to(path)
    return root


def module(store, **options):
    options = {"validation_splits": ["eval"], "clips_per_epoch": 8, "batch_size": 8, "num_threads": 1} | options
    return AudioSetDataModule(store, **options)


def ids(data, rows) -> set[str]:
    return {data.store.id[row].decode() for row in rows}


# Quarantine


def test_clips_in_quarantine_are_neither_trained_on_nor_scored(own):
    plain = module(own)
    write_quarantine(own, {"c001": "damaged: by a test", "c110": "silent", "gone": "not in this store"})
    data = module(own)
    assert ids(plain, plain.train_rows) - ids(data, data.train_rows) == {"c001"}
    assert ids(plain, plain.validation_rows) - ids(data, data.validation_rows) == {"c110"}
    trained = {int(row) for batch in data.train_dataloader() for row in batch.row}
    scored = {int(row) for batch in data.val_dataloader() for row in batch.row}
    assert scored == set(data.validation_rows.tolist())
    assert trained <= set(data.train_rows.tolist())
    before, after = plain.fingerprint, data.fingerprint
    assert before["quarantine"] == {"clips": 0, "id_hash": ""}
    assert after["quarantine"]["clips"] == 2
    write_quarantine(own, {"c002": "damaged", "c110": "silent"})
    assert module(own).fingerprint["quarantine"]["id_hash"] != after["quarantine"]["id_hash"]
    assert (before["train"]["clips"], after["train"]["clips"], after["validation"]["clips"]) == (100, 99, 19)


def test_quarantine_is_read_as_it_was_written(tmp_path):
    entries = {"a,b": 'a "quoted" reason, with commas', "-x": "line\nbreak", "ü": "silent"}
    write_quarantine(tmp_path, entries)
    assert read_quarantine(tmp_path) == entries
    write_quarantine(tmp_path, {})
    assert read_quarantine(tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


def test_a_quarantine_saved_by_a_spreadsheet(tmp_path):
    (tmp_path / "quarantine.csv").write_text("id,why\nc001,mine\n", encoding="utf-8-sig")
    assert read_quarantine(tmp_path) == {"c001": "mine"}


def test_lines_of_no_clip_are_named(own):
    write_quarantine(own, {"c001": "mine", "TYPO": "mine", "c002 ": "mine"})
    says = "; 2 of its lines name no clip of the store: 'TYPO', 'c002 '"
    assert (
        told(own, ClipStore.open(own).id) == f"1 clips in quarantine, left out by every run: {own}/quarantine.csv{says}"
    )
    assert f"1 clips in quarantine{says}, id hash" in left_out(module(own))
    write_quarantine(own, {"c001": "mine"})
    assert "name no clip" not in told(own, ClipStore.open(own).id) + left_out(module(own))


def test_all_in_quarantine(own):
    write_quarantine(own, {f"c{number:03}": "damaged" for number in range(100, 120)})
    with pytest.raises(StoreError, match=r"no clips to use as validation data.*; 20 clips are in quarantine"):
        module(own)


@pytest.mark.parametrize("text", ["", "clip,why\na,b\n", "id,why\na\n", "id,why\na,b,c\n"])
def test_a_quarantine_that_cannot_be_understood_stops_the_run(text, own):
    (own / "quarantine.csv").write_text(text)
    with pytest.raises(StoreError, match=r"quarantine\.csv, line \d: expected `id,why`"):
        module(own)


# Black list


def test_black_list_by_ids_by_file_and_by_name(zoo, tmp_path):
    plain = module(zoo)
    wanted = {"c003", "c050"}
    (tmp_path / "list.txt").write_text("# mine\nc003\n\nc050\nc100\nelsewhere\n")
    for blacklist in (["c003", "c050", "c100"], str(tmp_path / "list.txt")):
        data = module(zoo, blacklist=blacklist)
        assert ids(plain, plain.train_rows) - ids(data, data.train_rows) == wanted
        assert len(data.validation_rows) == 20  # c100 is scored all the same
        assert data.fingerprint["blacklist"]["clips"] == 2
    assert module(zoo, blacklist="dcase2017_task4").fingerprint["blacklist"]["clips"] == 0
    (tmp_path / "other.csv").write_text("id,why\nc003,mine\n")
    with pytest.raises(
        ValueError, match=r"other\.csv: none of its 2 lines is a clip of the store, the first is 'id,why'"
    ):
        module(zoo, blacklist=str(tmp_path / "other.csv"))
    with pytest.raises(ValueError, match=r"data\.blacklist=nowhere: neither a file nor a list.*dcase2017_task4"):
        module(zoo, blacklist="nowhere")


def test_named_black_list_meets_real_ids(shared):
    """106 of the 22,160 balanced clips: counted from the two files."""
    from panns.data.labels import read_segments
    from panns.data.roles import blacklisted_ids
    from panns.data.selection import is_listed

    segments = read_segments(shared / "audioset" / "balanced_train_segments.csv")
    found = is_listed(np.array([segment.id.encode() for segment in segments]), blacklisted_ids("dcase2017_task4"))
    assert found.sum() == 106


# Fraction


def test_fractions_are_nested_and_follow_their_own_seed(zoo):
    rows = [set(module(zoo, fraction=f).train_rows.tolist()) for f in (0.05, 0.2, 0.6, 1.0)]
    assert rows[0] < rows[1] < rows[2] < rows[3]
    assert len(rows[3]) == 100
    for fraction, chosen in zip((0.05, 0.2, 0.6), rows, strict=False):
        assert abs(len(chosen) - 100 * fraction) <= 3
    data = module(zoo, fraction=0.2)
    present = np.flatnonzero(module(zoo).train_class_counts)
    assert (data.train_class_counts[present] >= 1).all()
    assert set(module(zoo, fraction=0.2, seed=7).train_rows.tolist()) == rows[1]
    assert set(module(zoo, fraction=0.2, fraction_seed=7).train_rows.tolist()) != rows[1]
    assert data.fingerprint["selection"]["drawn_from"] == 100
    assert data.fingerprint["train"]["clips"] == len(rows[1])


def test_propagated_labels_do_not_change_the_subset(zoo):
    plain = module(zoo, fraction=0.2).train_rows
    np.testing.assert_array_equal(module(zoo, fraction=0.2, propagate_labels="all").train_rows, plain)


# Holdout


def test_held_out_clips_validate_and_the_validation_splits_are_tested(zoo):
    data = module(zoo, holdout=0.1, holdout_splits=["unbalanced_train"])
    validation, train = ids(data, data.validation_rows), ids(data, data.train_rows)
    assert not validation & train
    assert len(validation | train) == 100
    assert len(validation) == 10  # 1.6 of each of the five kinds of 16, rounded
    assert all("c020" <= clip_id < "c100" for clip_id in validation)
    assert ids(data, data.test_rows) == {f"c{number:03}" for number in range(100, 120)}
    assert data.roles.tested_apart
    assert data.roles.splits["validation"] == "held out of unbalanced_train"
    assert set(data.fingerprint) >= {"train", "validation", "test"}
    assert sum(len(batch) for batch in data.test_dataloader()) == 20


def test_the_holdout_is_the_same_for_every_fraction(zoo):
    one, other = module(zoo, holdout=0.1), module(zoo, holdout=0.1, fraction=0.1)
    np.testing.assert_array_equal(one.validation_rows, other.validation_rows)
    assert not set(other.train_rows.tolist()) & set(other.validation_rows.tolist())
    assert set(other.train_rows.tolist()) < set(one.train_rows.tolist())


def test_a_holdout_by_number_alone_needs_no_other_split(zoo):
    data = module(zoo, validation_splits=[], holdout=30)
    assert (len(data.validation_rows), len(data.train_rows)) == (30, 90)
    assert not data.roles.tested_apart
    assert "test" not in data.fingerprint
    at_least = module(zoo, validation_splits=[], holdout=0, holdout_min_per_class=4)
    assert at_least.evaluation_store.class_counts(at_least.validation_rows).max() >= 4
    assert len(at_least.validation_rows) <= 4 * 6


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"validation_splits": ["balanced_train"], "test_splits": ["eval"], "holdout": 0.1}, r"validation_splits=\[\]"),
        ({"holdout": 0.1, "holdout_splits": ["eval"]}, "eval is not trained on"),
        ({"holdout": 1000}, r"data\.holdout=1000"),
        ({"validation_splits": []}, "no clips to use as validation data"),
        ({"train_splits": []}, "no clips to use as train data"),
        ({"holdout_min_per_class": 3}, "holdout_min_per_class=3 holds out clips beyond data.holdout, which is null"),
        ({"blacklist": ["c003", "c0003"]}, "blacklist names 1 of no clip in the store, such as 'c0003'"),
        ({"validation_splits": [], "holdout": 0.001}, r"data\.holdout=0\.001 holds out none of 120 clips .* a greater"),
        ({"fraction": 0}, r"data\.fraction=0"),
        ({"propagate_labels": "eval"}, r"data\.propagate_labels=eval: choose null, train or all"),
    ],
)
def test_contradictions_are_refused(zoo, options, says):
    with pytest.raises(ValueError, match=says):
        module(zoo, **options)


# Labels


def test_labels_are_propagated_where_asked(zoo):
    classes = [label.name for label in ClipStore.open(zoo).classes]
    animal, bark = classes.index("Animal"), classes.index("Bark")

    def heard(data, loader) -> tuple[float, float]:
        targets = np.concatenate([batch.target.numpy() for batch in loader])
        return targets[:, bark].sum(), targets[:, animal].sum()

    plain, train, both = (module(zoo, propagate_labels=how) for how in (None, "train", "all"))
    assert (plain.train_class_counts[animal], train.train_class_counts[animal]) == (0, 20)
    for data, in_training, in_validation in ((plain, False, False), (train, True, False), (both, True, True)):
        barks, animals = heard(data, data.train_dataloader())
        assert barks > 0 or not in_training
        assert animals >= barks if in_training else animals == 0
        assert heard(data, data.val_dataloader()) == (4, 4 if in_validation else 0)
    prints = [data.fingerprint for data in (plain, train, both)]
    assert len({p["train"]["id_hash"] for p in prints}) == 2
    assert prints[0]["validation"] == prints[1]["validation"] != prints[2]["validation"]


def test_labels_go_along_to_a_worker_process(zoo):
    data = module(zoo, propagate_labels="train")
    there = pickle.loads(pickle.dumps(data.store))
    np.testing.assert_array_equal(there.label_idx, data.store.label_idx)
    np.testing.assert_array_equal(there.targets(data.train_rows), data.store.targets(data.train_rows))
    assert there.read(3).tolist() == data.store.read(3).tolist()


def test_only_audioset_has_its_ontology(tones):
    with pytest.raises(LabelError, match="The ontology is AudioSet's, and 4 of 4 classes are not"):
        module(tones, propagate_labels="train")


def test_a_split_by_itself_is_no_list_of_splits(zoo):
    with pytest.raises(
        ValueError, match=r"data\.train_splits=eval: a list is wanted there, data\.train_splits=\[eval\]"
    ):
        module(zoo, train_splits="eval", validation_splits=["balanced_train"])
