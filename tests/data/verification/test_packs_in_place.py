"""Stores over files that others made, which `panns index` need not have read."""

import numpy as np

from holdings import LISTS, example, examples, import_, panns_hdf5, write_lists
from panns.data.forms.hdf5 import WAVEFORM, Hdf5Packs
from panns.data.packing import index
from panns.data.store import ClipStore
from panns.data.verification import repair, verify


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
