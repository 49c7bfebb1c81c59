"""Parts and merges: what several machines made is what one would have made."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from holdings import LISTS, examples, panns_hdf5
from holdings import source as holding_source
from panns.cli import main
from panns.data import merging, packing
from panns.data.forms.hdf5 import Hdf5Packs
from panns.data.index import COLUMNS
from panns.data.manifest import ManifestSource
from panns.data.merging import MergeError, merge, merge_parts
from panns.data.packing import PackError, index, pack
from panns.data.parts import Part, PartError, part_folder
from panns.data.quarantine import read_quarantine, write_quarantine
from panns.data.store import ClipStore
from parting import FORM, RATE, SOUND, content, findings, one_split, own_clips, pack_parts


@pytest.fixture
def source(tmp_path) -> ManifestSource:
    return own_clips(tmp_path / "audio")


@pytest.mark.parametrize("of", [1, 2, 5, 30])
def test_parts_in_any_order_make_the_store_of_an_undivided_pack(source, tmp_path, of):
    pack(source, tmp_path / "whole", **FORM)
    pack_parts(source, tmp_path / "out", of, np.random.default_rng(of).permutation(range(1, of + 1)).tolist())
    report = merge_parts(tmp_path / "out")
    whole, merged = ClipStore.open(tmp_path / "whole"), ClipStore.open(tmp_path / "out")
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert (
        merged.meta | {"index": whole.meta["index"]} == whole.meta
    )  # for training it is the same, and for `panns pack`
    assert merged.fingerprint(np.arange(21)) == whole.fingerprint(np.arange(21))
    assert findings(tmp_path / "out") == findings(tmp_path / "whole")
    found = {what: count for what, count in report.counts.items() if count}
    assert found == {"packed": 21, "unreadable": 1, "silent": 1, "duplicate": 1, "missing": 1}
    assert pack(source, tmp_path / "out", **FORM).counts == report.counts


def test_shards_stay_as_they_are_and_the_store_can_be_moved(source, tmp_path):
    pack_parts(source, tmp_path / "out", 3)
    before = {path: (path.stat().st_ino, path.read_bytes()) for path in (tmp_path / "out").rglob("*.tar")}
    merge_parts(tmp_path / "out")
    assert len(before) > 3
    assert {path: (path.stat().st_ino, path.read_bytes()) for path in (tmp_path / "out").rglob("*.tar")} == before
    expected = content(tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / "moved")
    assert content(tmp_path / "moved") == expected


def test_parts_indexed_in_place(source, tmp_path):
    index(source, tmp_path / "whole", **SOUND)
    pack_parts(source, tmp_path / "out", 4, command=index, form=SOUND)
    merge_parts(tmp_path / "out")
    whole, merged = ClipStore.open(tmp_path / "whole"), ClipStore.open(tmp_path / "out")
    for name in COLUMNS:  # the very index
        np.testing.assert_array_equal(getattr(merged, name), getattr(whole, name), err_msg=name)
        assert getattr(merged, name).dtype == getattr(whole, name).dtype


def test_an_interrupted_part_goes_on_and_a_finished_one_is_not_done_twice(source, tmp_path, monkeypatch):
    work, worked = packing.pack_clips, []

    def pack_clips(form, unit):
        if len(worked) == 5:
            raise KeyboardInterrupt
        worked.extend(clip.id for clip in unit)
        return work(form, unit)

    with monkeypatch.context() as patch:
        patch.setattr(packing, "pack_clips", pack_clips)
        with pytest.raises(KeyboardInterrupt):
            pack_parts(source, tmp_path / "out", 2)
    assert not (part_folder(tmp_path / "out", Part(1, 2)) / "meta.json").exists()
    with pytest.raises(MergeError, match=r"part 1-2 of 2 is not finished; run its command \(again\)"):
        merge_parts(tmp_path / "out")
    monkeypatch.setattr(packing, "pack_clips", lambda form, unit: worked.extend(c.id for c in unit) or work(form, unit))
    pack_parts(source, tmp_path / "out", 2)
    pack_parts(source, tmp_path / "out", 2)
    assert len(worked) == len(set(worked)) == 23
    merge_parts(tmp_path / "out")
    pack(source, tmp_path / "whole", **FORM)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def merge_stopped(monkeypatch, out: Path, place: str) -> None:
    """Merge until one file is to be renamed: no store is there then."""
    how = "replace" if place.endswith(".part") else "rename"
    do = getattr(Path, how)

    def stop(path, to):
        if path.name == place:
            raise KeyboardInterrupt
        return do(path, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, how, stop)
        with pytest.raises(KeyboardInterrupt):
            merge_parts(out)
    if how == "replace":
        (out / place).touch()  # as SIGKILL leaves it
    assert not (out / "meta.json").exists()


@pytest.mark.parametrize("place", ["index.tmp", ".meta.json.part"])
def test_an_interrupted_merge_runs_again(source, tmp_path, monkeypatch, place):
    pack_parts(source, tmp_path / "out", 3)
    merge_stopped(monkeypatch, tmp_path / "out", place)
    merge_parts(tmp_path / "out")
    pack(source, tmp_path / "whole", **FORM)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


def test_a_merge_that_stands_is_left_alone_until_a_part_is_made_anew(source, tmp_path, monkeypatch):
    out = tmp_path / "out"
    pack_parts(source, out, 3)
    first = merge_parts(out)
    with monkeypatch.context() as patch:
        patch.setattr(merging, "write_index", None)
        assert merge_parts(out).counts == first.counts
    shutil.rmtree(part_folder(out, Part(2, 3)))
    soundfile.write(source.folder / "10.wav", np.tile([0.25, -0.25], 400), RATE)
    pack_parts(source, out, 3, [2])
    merge_stopped(monkeypatch, out, "index.tmp")
    merge_parts(out)
    store = ClipStore.open(out)
    assert (np.abs(store.read(store.id.tolist().index(b"10"))) == 8192).all()


def test_parts_of_different_lists_are_no_store(source, tmp_path):
    pack_parts(source, tmp_path / "out", 4, [1, 2, 4])
    (source.folder / "21.wav").unlink()
    source = ManifestSource(source.manifest)
    pack_parts(source, tmp_path / "out", 4, [3])
    with pytest.raises(MergeError, match=r"parts/3-of-4: made of another list of clips .*delete its folder and run"):
        merge_parts(tmp_path / "out")
    shutil.rmtree(tmp_path / "out" / "parts")
    pack_parts(source, tmp_path / "out", 2, [1])
    pack_parts(source, tmp_path / "out", 2, [2], form=FORM | {"codec": "pcm"})
    with pytest.raises(MergeError, match=r"2-of-2: made otherwise than the first part \(codec was 'flac', is 'pcm'\)"):
        merge_parts(tmp_path / "out")


def test_missing_parts_are_named(source, tmp_path):
    pack_parts(source, tmp_path / "out", 12, [1, 5, 9, 10])
    assert part_folder(tmp_path / "out", Part(5, 12)).name == "05-of-12"
    with pytest.raises(MergeError, match="part 2-4, 6-8, 11-12 of 12 is not finished"):
        merge_parts(tmp_path / "out")
    with pytest.raises(MergeError, match="nowhere: holds no parts; make them with"):
        merge_parts(tmp_path / "nowhere")
    (tmp_path / "out" / "parts" / "1-of-3").mkdir()
    with pytest.raises(MergeError, match="holds parts of 3 and of 12; delete those"):
        merge_parts(tmp_path / "out")


def test_a_store_is_made_in_parts_or_not(source, tmp_path):
    pack_parts(source, tmp_path / "parts", 3, [1])
    with pytest.raises(PartError, match="being made in 3 parts, not in 4"):
        pack_parts(source, tmp_path / "parts", 4, [2])
    with pytest.raises(PackError, match="is being made in parts; run the others with --part, then `panns merge"):
        pack(source, tmp_path / "parts", **FORM)
    pack(source, tmp_path / "whole", **FORM)
    for folder, holds in ((tmp_path / "whole", "index"), (source.folder, r"00\.wav")):
        with pytest.raises(PartError, match=f"holds {holds} and is no store in parts"):
            pack_parts(source, folder, 3, [2])
    for text in ("0/3", "4/3", "3", "a/b", "-1/3", "1/0"):
        with pytest.raises(PartError, match=f"part '{text}': say k/n"):
            Part.parse(text)
    assert str(Part.parse("3/12")) == "3/12"


def test_splits_packed_apart_make_one_store(source, tmp_path):
    evaluation = one_split(source, "evaluation", lambda line: line.endswith("eval"))
    training = one_split(source, "training", lambda line: line.endswith("train"))
    pack(evaluation, tmp_path / "a", **FORM)
    index(training, tmp_path / "b", **SOUND)
    write_quarantine(tmp_path / "a", {"01": "hum"})
    write_quarantine(tmp_path / "b", {"04": "clicks"})
    report = merge([tmp_path / "a", tmp_path / "b"], tmp_path / "both")
    assert read_quarantine(tmp_path / "both") == {"01": "hum", "04": "clicks"}
    store = ClipStore.open(tmp_path / "both")
    assert (store.name, store.splits, report.packed) == ("both", ["eval", "train"], len(store))
    assert content(tmp_path / "both") == content(tmp_path / "a") + content(tmp_path / "b")
    assert {path.split(b"/")[1] for path in store.path.tolist()} == {b"a", b"audio"}
    assert report.counts == merge([tmp_path / "a", tmp_path / "b"], tmp_path / "both").counts
    with pytest.raises(MergeError, match=r"both: holds a finished store made otherwise \(stores differ\)"):
        merge([tmp_path / "b", tmp_path / "a"], tmp_path / "both")
    with pytest.raises(MergeError, match=r"16 clips are in two stores, as 01 in .*/a and in .*/a; take the doubled"):
        merge([tmp_path / "a", tmp_path / "b", tmp_path / "a"], tmp_path / "twice")
    assert not (tmp_path / "twice" / "meta.json").exists()


def test_stores_of_another_form_are_refused(source, tmp_path):
    pack(source, tmp_path / "a", **FORM)
    pack(source, tmp_path / "b", **(FORM | {"clip_seconds": 0.05}))
    with pytest.raises(MergeError, match=r"/b: differs from .*/a in clip_seconds; pack both with the same settings"):
        merge([tmp_path / "a", tmp_path / "b"], tmp_path / "out")
    with pytest.raises(MergeError, match=r"audio: holds .* and no store; choose a new folder"):
        merge([tmp_path / "a"], source.folder)


def test_commands(source, tmp_path, capsys):
    out = str(tmp_path / "out")
    common = ["--manifest", str(source.manifest), "--out", out, "--sample-rate", str(RATE), "--jobs", "1"]
    for part in ("2/2", "1/2"):
        assert main(["pack", "csv", *common, "--clip-seconds", "0.1", "--part", part]) == 0
        assert f"part {part} is done; when all are: panns merge {out}" in capsys.readouterr().out
    assert main(["merge", out]) == 0
    assert f"{out}: 21 clips (eval 16, train 5), 3 classes" in capsys.readouterr().out
    assert main(["merge", out, str(tmp_path / "x")]) == 2
    assert "several stores make a new one: say where with --out" in capsys.readouterr().err
    assert main(["merge", out, "--out", str(tmp_path / "again"), "--name", "other"]) == 0
    assert ClipStore.open(tmp_path / "again").name == "other"
    assert content(tmp_path / "again") == content(tmp_path / "out")


@pytest.mark.parametrize("command", [pack, index])
def test_parts_of_files_of_many_clips(command, tmp_path):
    packs = Hdf5Packs(
        [panns_hdf5(tmp_path / f"{n}.h5", [None, *examples(split)]) for n, split in enumerate(LISTS)], "waveform"
    )
    options = {"jobs": 1, "show_progress": False} | ({"check": "sample"} if command is index else {})
    command(holding_source(tmp_path, packs), tmp_path / "whole", **options)
    for number in (3, 1, 2):
        command(holding_source(tmp_path, packs), tmp_path / "out", part=Part(number, 3), **options)
    report = merge_parts(tmp_path / "out")
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    whole, merged = (ClipStore.open(tmp_path / name).meta for name in ("whole", "out"))
    assert merged | {"index": None} == whole | {"index": None}
    assert findings(tmp_path / "out") == findings(tmp_path / "whole")
    assert (report.packed, report.unchecked) == (10, 10 if command is index else 0)
