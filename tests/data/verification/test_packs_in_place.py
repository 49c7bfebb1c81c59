"""Stores over files that others made, which `panns index` need not have read."""

import re

import numpy as np

from holdings import LISTS, example, examples, import_, panns_hdf5, write_lists
from panns.cli import main
from panns.data.forms.hdf5 import WAVEFORM, Hdf5Packs
from panns.data.packing import index
from panns.data.store import ClipStore
from panns.data.verification import repair, verify


def said_unchecked(store, capsys) -> int:
    """How many clips `panns info` says that nobody has read."""
    capsys.readouterr()
    assert main(["info", str(store)]) == 0
    found = re.search(r"unchecked +(\d+) +never read", capsys.readouterr().out)
    return int(found[1]) if found else 0


def test_info_counts_as_unchecked_what_no_verification_has_read_yet(tmp_path, capsys):
    pack = panns_hdf5(tmp_path / "a.h5", [None, *examples(*LISTS)])  # without the row that is always read
    store, report = import_(index, Hdf5Packs([pack], WAVEFORM), tmp_path, check="sample")
    assert said_unchecked(store.root, capsys) == report.unchecked == len(store) == 10
    verify(store.root, sample=4, jobs=1, show_progress=False)
    assert said_unchecked(store.root, capsys) == 6
    verify(store.root, everything=True, jobs=1, show_progress=False)
    assert said_unchecked(store.root, capsys) == 0


def test_panns_packs_where_they_lie(tmp_path):
    folder = tmp_path / "waveforms"
    panns_hdf5(folder / "eval.h5", [*examples("eval"), None])
    panns_hdf5(folder / "balanced_train.h5", [None, *examples("balanced_train")])
    panns_hdf5(folder / "unbalanced_train/unbalanced_train_part00.h5", [*map(example, LISTS["unbalanced_train"][:4])])
    store, _ = import_(index, Hdf5Packs([folder], WAVEFORM), tmp_path, check="sample")
    assert (store.crc32 == 0).any()

    def check(**options):
        return verify(tmp_path / "store", lists=write_lists(tmp_path), jobs=1, show_progress=False, **options)

    result = check(everything=True)
    assert result.is_whole
    assert {what: count for what, count in result.counts.items() if count} == {"absent": 1}
    assert (result.crc32 != 0).all()
    assert {one.name: (one.official, one.panns) for one in result.coverages} == {
        "eval": (3, 18887),
        "balanced_train": (3, 20550),
        "unbalanced_train": (5, 1913637),
        "train": (8, 1934187),
    }

    row = int(np.flatnonzero(store.crc32 == 0)[0])
    path = store.file_path(int(store.file[row]))
    with path.open("r+b") as file:
        file.seek(int(store.offset[row]) + 100)
        file.write(b"\1\1")
    result = check(sample=100)
    assert [store.id[bad] for bad in result.damaged] == [store.id[row]]
    repair(result)
    assert check(everything=True).is_whole
    assert len(ClipStore.open(tmp_path / "store")) == len(store) - 1
