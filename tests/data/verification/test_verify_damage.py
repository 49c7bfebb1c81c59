"""`panns verify` against every way in which files and index can be damaged."""

import errno
import os
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import soundfile

from panns.cli import main
from panns.data import AudioSetDataModule
from panns.data.index import load_columns, write_index
from panns.data.manifest import ManifestSource
from panns.data.packing import index
from panns.data.quarantine import read_quarantine, write_quarantine
from panns.data.store import ClipStore
from panns.data.store_files import AccessError, StoreError, read_meta
from panns.data.verification.checksums import read_checksums
from verifying import SILENT, check, damaged, flip, found, ids_in


def test_bit_flip_in_a_clip(store):
    opened = ClipStore.open(store)
    row = 13
    flip(store / opened.path[opened.file[row]].decode(), int(opened.offset[row]) + 700)
    result = check(store, everything=True)
    assert damaged(result) == {opened.id[row].decode(): "damaged"}
    assert "crc32 differs" in result.damaged[row][1]
    assert not result.is_whole
    assert list(read_quarantine(store)) == [opened.id[row].decode()]
    data = AudioSetDataModule(store, ["eval"], clips_per_epoch=8, batch_size=8)
    used = [*data.train_rows.tolist(), *data.validation_rows.tolist()]
    assert sorted(used) == [other for other in range(36) if other != row]
    assert data.fingerprint["quarantine"]["clips"] == 1


def test_truncated_shard(store):
    shard, opened = store / "shards" / "00001.tar", ClipStore.open(store)
    rows = np.flatnonzero(opened.file == 1)
    cut = int(opened.offset[rows[4]]) + 100
    with shard.open("r+b") as file:
        file.truncate(cut)
    with pytest.raises(StoreError, match=r"--repair` keeps what is whole"):
        ClipStore.open(store)
    result = check(store, sample=0)
    assert set(damaged(result)) == {opened.id[row].decode() for row in rows[4:]}
    assert "100 of" in result.damaged[int(rows[4])][1]
    assert found(result) == {"damaged": len(rows) - 4, "file_size": 1}


def test_missing_shard(store):
    expected = ids_in(store, 3)
    (store / "shards" / "00003.tar").unlink()
    with pytest.raises(StoreError, match=r"--repair` keeps what is whole"):
        ClipStore.open(store)
    result = check(store, sample=0)
    assert damaged(result) == dict.fromkeys(expected, "missing")
    assert found(result) == {"missing": len(expected), "file_missing": 1}


def test_replaced_shard_of_the_same_size_is_found_by_a_small_sample(store):
    shard = store / "shards" / "00002.tar"
    shard.write_bytes(np.random.default_rng(0).bytes(shard.stat().st_size))
    result = check(store, sample=5)
    assert set(damaged(result)) == ids_in(store, 2)
    assert found(result) == {"damaged": len(ids_in(store, 2))}
    assert check(store, everything=True).counts["damaged"] == len(ids_in(store, 2))


def test_replaced_shard_of_another_size(store):
    expected = ids_in(store, 0)
    shutil.copy(store / "shards" / "00004.tar", store / "shards" / "00000.tar")
    result = check(store, sample=0)
    assert set(damaged(result)) == expected
    assert result.counts["file_size"] == 1


def test_what_lies_between_the_clips_has_a_checksum(store):
    """A flipped bit in the header of a tar member: the clips are whole, the file is not what it was."""
    check(store, everything=True)
    flip(store / "shards" / "00000.tar", 120)
    result = check(store, everything=True)
    assert found(result) == {"file_changed": 1}
    assert not result.is_whole
    assert not read_quarantine(store)
    assert check(store).is_whole  # no file is hashed


def test_a_file_that_changed_before_its_first_checksum_gets_none(store):
    flip(store / "shards" / "00000.tar", 2000)
    check(store, everything=True)
    assert "shards/00000.tar" not in read_checksums(store)
    assert "shards/00001.tar" in read_checksums(store)


def test_a_part_of_the_index_that_changed(store):
    check(store)
    labels = np.load(store / "index" / "label_idx.npy")
    labels[0] = 5
    np.save(store / "index" / "label_idx.npy", labels)
    result = check(store)
    assert found(result) == {"index_changed": 1}
    assert result.all_findings[0].path.endswith("label_idx.npy")
    assert found(check(store)) == {"index_changed": 1}  # not taken for the new truth


@pytest.mark.parametrize("verified_before", [True, False])
def test_what_meta_says_of_the_index_counts_from_the_start(verified_before, store):
    if verified_before:
        check(store)
    (store / "index" / "crc32.npy").write_bytes((store / "index" / "crc32.npy").read_bytes()[:-1] + b"x")
    assert check(store, sample=0).counts["index_changed"] == 1
    meta = store / "meta.json"
    meta.write_text(meta.read_text().replace("Speech", "Spooch"))
    with pytest.raises(StoreError, match=r"meta\.json: not as it was written; put it back from a copy"):
        check(store, sample=0)


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("file", 9, "file number 9"),
        ("split", 7, "split number 7"),
        ("codec", 40, "codec number 40"),
        ("offset", -5, "offset -5"),
        ("nbytes", 0, "0 bytes"),
        ("frames", 0, "0 samples"),
        ("label_idx", 600, "class number 600"),
    ],
)
def test_rows_of_the_index_that_point_to_nothing(column, value, words, store):
    values = np.load(store / "index" / f"{column}.npy")
    values[3] = value
    np.save(store / "index" / f"{column}.npy", values)
    result = check(store, everything=True)
    row = 3 if column != "label_idx" else int(np.searchsorted(result.store.label_ptr, 3, side="right")) - 1
    assert result.damaged == {row: ("bad_row", words)}


def test_labels_that_cannot_be_told_apart(store):
    values = np.load(store / "index" / "label_ptr.npy")
    values[3] = 0
    np.save(store / "index" / "label_ptr.npy", values)
    with pytest.raises(StoreError, match="label_ptr does not ascend"):
        check(store)


def test_loose_files(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "audio").mkdir()
    for number in range(6):
        samples = rng.integers(-9000, 9000, 800).astype(np.int16)
        soundfile.write(tmp_path / "audio" / f"{number}.wav", samples, 8000)
    rows = "\n".join(f"audio/{number}.wav,dog,{'eval' if number > 3 else 'train'}" for number in range(6))
    (tmp_path / "own.csv").write_text(f"path,labels,split\n{rows}\n")
    options = {"sample_rate": 8000, "clip_seconds": 0.1, **SILENT}
    index(ManifestSource(tmp_path / "own.csv"), tmp_path / "store", **options)
    assert check(tmp_path / "store", everything=True).is_whole
    assert not any("audio" in name for name in read_checksums(tmp_path / "store"))
    (tmp_path / "audio" / "1.wav").unlink()
    flip(tmp_path / "audio" / "2.wav", 100)
    soundfile.write(tmp_path / "audio" / "5.wav", np.ones(10, dtype=np.int16), 8000)
    result = check(tmp_path / "store", everything=True)
    assert damaged(result) == {"audio/1": "missing", "audio/2": "damaged", "audio/5": "damaged"}
    assert found(result) == {"missing": 1, "damaged": 2, "file_missing": 1, "file_size": 1}


def test_a_disk_that_is_not_in_place_is_no_reason_for_a_quarantine(store):
    (store / "shards").rename(store / "elsewhere")
    with pytest.raises(StoreError, match=r"none of its 5 files is there, as .*00000\.tar; is the disk in place\?"):
        check(store)
    assert not (store / "quarantine.csv").exists()


REFUSED = [PermissionError(errno.EACCES, "Permission denied"), OSError(errno.EIO, "Input/output error")]


def refuse(monkeypatch, owner, name, error, file):
    """Let a call of the system fail for one file."""
    honest = getattr(owner, name)

    def refused(path, *args, **options):
        if Path(path).name == file:
            raise error
        return honest(path, *args, **options)

    monkeypatch.setattr(owner, name, refused)


@pytest.mark.parametrize("error", REFUSED, ids=["rights", "disk"])
@pytest.mark.parametrize(("owner", "name"), [(Path, "stat"), (os, "open")], ids=["looked at", "opened"])
@pytest.mark.parametrize("how", [[], ["--all", "--repair"], ["--sample", "0"]], ids=["sample", "repair", "none"])
def test_a_file_that_cannot_be_reached_is_no_damage(how, owner, name, error, store, monkeypatch, capsys):
    write_quarantine(store, {ClipStore.open(store).id[-1].decode(): "damaged: before"})  # read whatever the sample
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    refuse(monkeypatch, owner, name, error, "00004.tar")
    assert main(["verify", str(store), "--jobs", "1", *how]) == 2
    assert capsys.readouterr().err == (
        f"panns verify: {store}/shards/00004.tar: {error.strerror}; that says nothing of its clips, so nothing was "
        "judged or dropped: give access to the file, or mend its disk, and run the same command again\n"
    )
    monkeypatch.undo()
    assert {path: content for path, content in before.items() if path.read_bytes() != content} == {}
    assert not list(store.glob("before-repair-*"))
    assert check(store, everything=True).is_whole


def test_a_file_that_cannot_be_opened_in_a_worker_process_is_no_damage(store, monkeypatch):
    (store / "shards" / "00004.tar").unlink()
    monkeypatch.chdir(store / "shards")  # a socket's name must be short
    with socket.socket(socket.AF_UNIX) as nobody:  # which root cannot open either (ENXIO)
        nobody.bind("00004.tar")
        with pytest.raises(AccessError, match=r"00004\.tar: No such device or address; that says nothing of its clips"):
            check(store, everything=True, jobs=2)
    assert not (store / "quarantine.csv").exists()


def test_a_file_below_what_is_no_folder_is_missing(store):
    expected = ids_in(store, 3)
    paths = np.load(store / "index" / "path.npy")
    paths[3] = b"meta.json/x"
    write_index(store, load_columns(store) | {"path": paths}, read_meta(store))
    assert damaged(check(store, everything=True)) == dict.fromkeys(expected, "missing")


def test_a_disk_that_fails_within_a_file_damages_the_clip_it_fails_in(store, monkeypatch):
    opened, row = ClipStore.open(store), 13
    pread = os.pread

    def failing(descriptor, nbytes, offset):
        if (nbytes, offset) == (opened.nbytes[row], opened.offset[row]):
            raise OSError(errno.EIO, "Input/output error")
        return pread(descriptor, nbytes, offset)

    monkeypatch.setattr(os, "pread", failing)
    result = check(store, everything=True)
    assert result.damaged == {row: ("damaged", "Input/output error")}
