"""Merges and repairs: what `panns verify --repair` took out stays out, and is told."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from holdings import examples, panns_hdf5
from holdings import source as holding_source
from panns.cli import main
from panns.data.first_crc32 import num_unread
from panns.data.forms.hdf5 import Hdf5Packs
from panns.data.manifest import ManifestSource
from panns.data.merging import MergeError, merge, merge_parts
from panns.data.packing import index, pack
from panns.data.parts import Part, part_folder
from panns.data.quarantine import read_quarantine, write_quarantine
from panns.data.store import ClipError, ClipStore
from panns.data.verification import repair, verify
from panns.data.verification.checksums import read_checksums
from parting import FORM, content, findings, one_split, own_clips, pack_parts


@pytest.fixture
def source(tmp_path) -> ManifestSource:
    return own_clips(tmp_path / "audio")


def test_a_repair_is_not_undone(source, tmp_path, capsys):
    out = tmp_path / "out"
    pack_parts(source, out, 2)
    merge_parts(out)
    store = ClipStore.open(out)
    shard = (out / store.path[store.file[5]].decode()).resolve()
    content_of_shard = bytearray(shard.read_bytes())
    content_of_shard[store.offset[5] + 50] ^= 1
    shard.write_bytes(content_of_shard)
    assert main(["verify", str(out), "--all", "--repair", "--jobs", "1"]) == 1
    repaired, index_as_it_is = content(out), (out / "meta.json").read_bytes()
    assert len(repaired) == 20
    parts = [str(part_folder(out, Part(number, 2))) for number in (1, 2)]
    for again in (["merge", str(out)], ["merge", *parts, "--out", str(out)]):
        capsys.readouterr()
        assert main(again) == 2
        assert re.search(
            r"was repaired, .* bring back the 1 damaged .*before-repair-.*--out NEW", capsys.readouterr().err
        )
    assert (out / "meta.json").read_bytes() == index_as_it_is
    assert content(out) == repaired
    shutil.rmtree(part_folder(out, Part(1, 2)))  # not even what is missing leads elsewhere
    with pytest.raises(MergeError, match="was repaired"):
        merge_parts(out)


def cut_and_repair(store: Path) -> int:
    """Cut the last shard of a store in its last clip and repair it -> how many clips were dropped."""
    opened = ClipStore.open(store)
    last = int(np.lexsort((opened.offset, opened.file))[-1])
    with opened.files[-1].open("r+b") as file:
        file.truncate(int(opened.offset[last]) + 10)
    return repair(verify(store, jobs=1, show_progress=False))[1]


def test_checksums_of_the_former_store_do_not_damn_the_one_merged_anew(source, tmp_path):
    out = tmp_path / "out"
    pack_parts(source, out, 4)
    merge_parts(out)
    assert verify(out, everything=True, jobs=1, show_progress=False).is_whole
    assert cut_and_repair(part_folder(out, Part(3, 4))) == 1
    merge_parts(out)
    assert len(ClipStore.open(out)) == 20
    for _ in range(2):
        result = verify(out, everything=True, jobs=1, show_progress=False)
        assert result.all_findings == []
    kept = read_checksums(out)
    merge_parts(out)  # the same: it stands, and so do its checksums
    assert read_checksums(out) == kept != {}


def test_what_a_repair_took_out_of_a_part_is_said_of_the_merged_store(source, tmp_path, capsys):
    out = tmp_path / "out"
    pack_parts(source, out, 4)
    merge_parts(out)
    part = part_folder(out, Part(3, 4))
    lost = ClipStore.open(part).id[-1].decode()
    write_quarantine(out, {lost: "damaged: as verify found before the repair", "00": "hum"})
    assert cut_and_repair(part) == 1
    (before,) = part.glob("before-repair-*")
    assert main(["merge", str(out)]) == 0
    assert re.search(r"left out +5 .*dropped +1 ", capsys.readouterr().out, re.DOTALL)
    (line,) = [row for row in findings(out) if row[2] == "dropped"]
    assert line[0] == lost
    assert re.fullmatch(r"damaged: 10 of \d+ bytes could be read: the file is truncated", line[3])
    assert main(["info", str(out)]) == 0
    assert f"repaired     1 clips dropped, named in {before}\n" in capsys.readouterr().out
    assert read_quarantine(out) == {"00": "hum"}
    index_as_it_is = (out / "meta.json").read_bytes()
    merge_parts(out)  # it was not the merged store that was repaired
    assert (out / "meta.json").read_bytes() == index_as_it_is


def test_repairs_are_counted_once_through_two_merges_and_without_their_lists(source, tmp_path):
    evaluation = one_split(source, "evaluation", lambda line: line.endswith("eval"))
    pack_parts(evaluation, tmp_path / "a", 2)
    assert cut_and_repair(part_folder(tmp_path / "a", Part(1, 2))) == 1
    merge_parts(tmp_path / "a")
    pack(one_split(source, "training", lambda line: line.endswith("train")), tmp_path / "b", **FORM)
    assert cut_and_repair(tmp_path / "b") == 1
    (before,) = (tmp_path / "b").glob("before-repair-*")
    shutil.rmtree(before)
    report = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    assert report.counts["dropped"] == 2
    assert len([row for row in findings(tmp_path / "both") if row[2] == "dropped"]) == 2
    repairs = ClipStore.open(tmp_path / "both").meta["repairs"]
    assert [repair["before"].rpartition("/")[0] for repair in repairs] == ["../a/parts/1-of-2", "../b"]
    assert cut_and_repair(tmp_path / "both") == 1
    with pytest.raises(MergeError, match="bring back the 1 damaged clips"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "both")


def test_crc32_kept_for_the_former_store_go_with_it(tmp_path):
    """The rows lie where they lay, so that only the merge can tell that they are others."""
    packs = Hdf5Packs([panns_hdf5(tmp_path / "a.h5", [None, *examples("eval")])], "waveform")
    for number in (1, 2):
        options = {"check": "sample", "jobs": 1, "show_progress": False}
        index(holding_source(tmp_path, packs), tmp_path / "out", part=Part(number, 2), **options)
    merge_parts(tmp_path / "out")
    verify(tmp_path / "out", everything=True, jobs=1, show_progress=False)
    assert len(list((tmp_path / "out").glob("crc32-*.npy"))) == 1
    (tmp_path / "out" / "meta.json").unlink()
    merge_parts(tmp_path / "out")
    assert list((tmp_path / "out").glob("crc32-*.npy")) == []


def test_what_verify_has_read_of_the_parts_is_known_of_the_whole(tmp_path):
    packs = Hdf5Packs([panns_hdf5(tmp_path / "a.h5", [None, *examples("eval")])], "waveform")
    out = tmp_path / "out"
    for number in (1, 2):
        options = {"check": "sample", "jobs": 1, "show_progress": False}
        index(holding_source(tmp_path, packs), out, part=Part(number, 2), **options)
    verify(part_folder(out, Part(2, 2)), everything=True, jobs=1, show_progress=False)
    merge_parts(out)
    store, read = ClipStore.open(out), len(ClipStore.open(part_folder(out, Part(2, 2))))
    assert num_unread(out, store.crc32) == len(store) - read > 0
    for row in (0, len(store) - 1):  # one of each part
        with store.files[0].open("r+b") as file:
            file.seek(int(store.offset[row]) + 50)
            file.write(b"\x7f")
    store.read(0)
    with pytest.raises(ClipError, match="crc32 differs"):
        store.read(len(store) - 1)
