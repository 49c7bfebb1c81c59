"""`panns verify` against every fault that a store can have, worked by hand."""

import csv
import hashlib
import shutil
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from panns.cli import main
from panns.data import AudioSetDataModule
from panns.data.index import IndexWriter
from panns.data.manifest import ManifestSource
from panns.data.packing import index
from panns.data.quarantine import read_quarantine, write_quarantine
from panns.data.store import ClipStore
from panns.data.store_files import FORMAT, StoreError
from panns.data.verification import checking, repair, verify
from panns.data.verification.checksums import read_checksums
from panns.data.verification.report import write_report

SILENT = {"jobs": 1, "show_progress": False}


def check(root: Path, **options):
    return verify(root, **(SILENT | options))


def found(result) -> dict[str, int]:
    return {what: count for what, count in result.counts.items() if count}


def damaged(result) -> dict[str, str]:
    return {result.store.id[row].decode(): what for row, (what, _) in result.damaged.items()}


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 16]))


def ids_in(root: Path, file: int) -> set[str]:
    whole = ClipStore.open_as_it_is(root)
    return {whole.id[row].decode() for row in np.flatnonzero(whole.file == file)}


# Whole


def test_a_whole_store_is_left_as_it_is_and_gets_its_checksums(store, packed):
    result = check(store, everything=True)
    assert result.is_whole
    assert found(result) == {}
    assert result.checked.all()
    assert not (store / "quarantine.csv").exists()
    assert list((store / "verify").iterdir()) == []
    for path in packed.rglob("*"):
        if path.is_file():
            assert (store / path.relative_to(packed)).read_bytes() == path.read_bytes()
    sums = read_checksums(store)
    assert len(sums) == 5 + 14  # shards; meta.json and 13 columns
    for name, checksum in sums.items():
        assert hashlib.sha256((store / name).read_bytes()).hexdigest() == checksum
    assert check(store, everything=True).is_whole


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum on this machine")
def test_checksums_are_those_of_sha256sum(store):
    check(store, everything=True)
    subprocess.run(["sha256sum", "--quiet", "--check", "SHA256SUMS"], cwd=store, check=True)
    flip(store / "shards" / "00001.tar", 600)
    assert subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=store, capture_output=True).returncode == 1


def test_a_sample_reads_so_many_clips_of_all_files(store):
    for seed in (0, 1):
        result = check(store, sample=10, seed=seed)
        assert result.checked.sum() == 10
        assert set(result.store.file[result.checked].tolist()) == set(range(5))
        assert not result.hashed
        assert result.is_whole
    assert (check(store, sample=10).checked != result.checked).any()
    assert check(store, sample=1000).checked.all()
    assert check(store, sample=0).checked.sum() == 0


def test_many_processes_find_what_one_does(store):
    flip(store / "shards" / "00002.tar", 2000)
    one, two = check(store, everything=True), check(store, everything=True, jobs=2)
    assert one.all_findings == two.all_findings != []


# Damage


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
    assert check(store, sample=0).counts["index_changed"] == 2  # the check before has recorded it


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


# Audio and doubles


def raw_store(root: Path, clips: list[tuple[str, int, np.ndarray]], unread: bool = False) -> Path:
    """A store of 16-bit samples in one file: (id, split, samples) each; `unread` without their crc32."""
    root.mkdir()
    writer, offset = IndexWriter(), 0
    with (root / "all.raw").open("wb") as file:
        for clip_id, split, samples in clips:
            payload = samples.astype("<i2").tobytes()
            file.write(payload)
            columns = {"offset": offset, "nbytes": len(payload), "codec": 0, "frames": len(samples), "start_ms": 0}
            crc32 = 0 if unread else zlib.crc32(payload)
            writer.add(clip_id, "all.raw", [0], split=split, crc32=crc32, **columns)
            offset += len(payload)
    meta = {"format": FORMAT, "name": "raw", "sample_rate": 8000, "clip_seconds": 0.1, "single_label": True}
    meta |= {"splits": ["train", "eval"], "classes": [["a", "a"]], "plan": {"command": "test"}, "counts": {}}
    writer.commit(root, meta)
    return root


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-9000, 9000, 800).astype(np.int16)


def test_clips_without_audio(tmp_path):
    loud, full = noise(1), noise(2)
    loud[:10], full[:9] = 32767, -32768
    clips = [("z", 0, np.zeros(800)), ("c", 0, np.full(800, -3)), ("l", 1, loud), ("f", 1, full), ("n", 1, noise(3))]
    result = check(raw_store(tmp_path / "store", clips))
    assert damaged(result) == {"z": "silent", "c": "constant"}
    assert found(result) == {"silent": 1, "constant": 1, "clipped": 1}
    assert read_quarantine(tmp_path / "store") == {"z": "silent: 800 zero samples", "c": "constant: 800 samples of -3"}


def with_the_crc_of(samples: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The same samples but the last two, chosen so that the crc32 is that of `other`: 32 equations over two values."""
    wanted, base = zlib.crc32(other.astype("<i2").tobytes()), samples.astype("<i2").tobytes()[:-4]
    zero = zlib.crc32(base + bytes(4))
    rows = [(zlib.crc32(base + (1 << bit).to_bytes(4, "little")) ^ zero, 1 << bit) for bit in range(32)]
    rest, tail = wanted ^ zero, 0
    for bit in reversed(range(32)):
        pivot = next((row for row in rows if row[0] >> bit & 1), None)
        if pivot is None:
            continue
        rows = [(a ^ pivot[0], b ^ pivot[1]) if a >> bit & 1 else (a, b) for a, b in rows if (a, b) != pivot]
        if rest >> bit & 1:
            rest, tail = rest ^ pivot[0], tail ^ pivot[1]
    return np.frombuffer(base + tail.to_bytes(4, "little"), dtype="<i2")


def test_same_audio_and_same_ids(tmp_path):
    chance = with_the_crc_of(noise(9), noise(1))
    clips = [("a", 0, noise(1)), ("b", 1, noise(1)), ("c", 0, noise(2)), ("d", 0, noise(2)), ("e", 1, chance)]
    result = check(raw_store(tmp_path / "store", [*clips, ("a", 1, noise(5))]))
    assert result.store.crc32[0] == result.store.crc32[4]
    assert [(finding.clip_id, finding.what, finding.detail) for finding in result.all_findings] == [
        ("a", "same_id", "in eval; first in train"),
        ("b", "same_audio_elsewhere", "in eval; as a in train"),
        ("d", "same_audio", "in train; as c in train"),
    ]
    assert result.is_whole


def test_clips_that_were_indexed_without_being_read(tmp_path):
    clips = [(f"c{number}", number % 2, noise(number % 7)) for number in range(8)]  # c7 sounds as c0
    root = raw_store(tmp_path / "store", clips, unread=True)
    index_before = (root / "index" / "crc32.npy").read_bytes()
    result = check(root, sample=2)
    assert (result.crc32 != 0).sum() == 2
    assert not result.all_findings
    result = check(root, everything=True)
    assert [finding.clip_id for finding in result.all_findings] == ["c7"]
    assert result.crc32.tolist() == [zlib.crc32(samples.tobytes()) for _, _, samples in clips]
    assert (root / "index" / "crc32.npy").read_bytes() == index_before  # fingerprints stay as they are
    flip(root / "all.raw", 3 * 1600 + 500)
    result = check(root, sample=8)
    assert damaged(result) == {"c3": "damaged"}
    assert "first read" in result.damaged[3][1]
    repair(result)
    assert len(list(root.glob("crc32-*.npy"))) == 1
    again = check(root, everything=True)
    assert again.is_whole
    flip(root / "all.raw", 6 * 1600 + 500)
    assert damaged(check(root, everything=True)) == {"c6": "damaged"}


# Lists


def test_lists_that_agree(store, lists):
    result = check(store, lists=lists)
    assert found(result) == {}
    by_name = {one.name: one for one in result.coverages}
    assert (by_name["balanced_train"].clips, by_name["balanced_train"].official) == (24, 24)
    np.testing.assert_array_equal(by_name["eval"].per_class, by_name["eval"].reference)


def test_lists_that_do_not_agree(store, lists, tmp_path):
    text = lists[1].read_text().splitlines()
    assert text[3] == '-_eval00000, 30.000, 40.000, "/m/09x0r,/m/04rlf"'
    text[3] = '-_eval00000, 30.000, 40.000, "/m/04rlf,/m/09x0r"'  # another order is the same
    text[4] = text[4].replace("30.000", "31.000")
    text[5] = '-_eval00002, 30.000, 40.000, "/m/09x0r,/m/unheard"'  # was Dog and Speech
    text[6] = text[6].replace("-_eval00003", "-_eval99999")
    path = tmp_path / "eval_segments.csv"
    path.write_text("\n".join(text) + "\n")
    result = check(store, lists=[path])
    assert [(finding.clip_id, finding.what, finding.detail) for finding in result.all_findings] == [
        ("-_eval00002", "other_labels", "Speech; Dog where the list has Speech"),
        ("-_eval00001", "other_start", "30 s where the list has 31 s"),
        ("-_eval00003", "not_listed", "not in eval_segments.csv"),
        ("-_eval99999", "absent", "listed in eval_segments.csv"),
        ("", "foreign_label", "1 classes: /m/unheard"),
    ]
    assert result.is_whole


def test_list_of_another_split(store, lists, tmp_path):
    shutil.copy(lists[0], tmp_path / "mine_segments.csv")
    with pytest.raises(StoreError, match=r"the list of the split mine; .* has balanced_train, eval"):
        check(store, lists=[tmp_path / "mine_segments.csv"])


def test_without_lists_audioset_is_known(store):
    by_name = {one.name: one for one in check(store).coverages}
    assert (by_name["eval"].official, by_name["eval"].panns) == (20371, 18887)
    assert (by_name["balanced_train"].official, by_name["balanced_train"].panns) == (22160, 20550)
    assert "train" not in by_name  # it has no unbalanced clips
    assert by_name["eval"].reference[0] == 5324  # Speech, counted in the official list
    assert by_name["eval"].per_class[0] == 6


# Quarantine


def test_what_is_whole_again_comes_out_and_what_was_put_in_by_hand_stays(store):
    shard = store / "shards" / "00001.tar"
    before = shard.read_bytes()
    flip(shard, 2000)
    write_quarantine(store, {"-_eval00004": "I do not like it"})
    result = check(store, everything=True)
    (bad,) = damaged(result)
    assert set(read_quarantine(store)) == {bad, "-_eval00004"}
    assert set(read_quarantine(store)) == set(check(store, sample=0).quarantine)  # read again whatever the sample
    shard.write_bytes(before)
    result = check(store, sample=0)
    assert result.is_whole
    assert read_quarantine(store) == {"-_eval00004": "I do not like it"}


# Going on


def test_an_interrupted_check_goes_on_where_it_stopped(store, monkeypatch):
    monkeypatch.setattr("panns.data.verification.clips.CLIPS_PER_TASK", 3)
    flip(store / "shards" / "00000.tar", 2000)
    whole_run = check(store, everything=True).all_findings
    read, honest = [], ClipStore.read_payload

    def read_until(limit):
        def spy(self, row):
            if len(read) == limit:
                raise KeyboardInterrupt
            read.append(row)
            return honest(self, row)

        return spy

    monkeypatch.setattr(ClipStore, "read_payload", read_until(20))
    with pytest.raises(KeyboardInterrupt):
        check(store, everything=True)
    assert (store / "verify" / "round1.jsonl").exists()
    first = list(read)
    read.clear()
    monkeypatch.setattr(ClipStore, "read_payload", read_until(10**6))
    assert check(store, everything=True).all_findings == whole_run
    assert set(first) | set(read) == set(range(36))
    assert len(set(first) & set(read)) < 3  # the task at work was lost
    assert not (store / "verify" / "round1.jsonl").exists()


@pytest.mark.parametrize("how", ["file", "line", "other"])
def test_notes_of_another_state_are_not_used(how, store, monkeypatch):
    monkeypatch.setattr("panns.data.verification.clips.CLIPS_PER_TASK", 3)
    honest, ledger = checking._keep_quarantine, store / "verify" / "round1.jsonl"
    monkeypatch.setattr(checking, "_keep_quarantine", interrupt)
    with pytest.raises(KeyboardInterrupt):
        check(store, everything=True)
    monkeypatch.setattr(checking, "_keep_quarantine", honest)
    assert len(ledger.read_text().splitlines()) > 12
    if how == "line":
        ledger.write_text(ledger.read_text().replace("[3, [], ", "[3, {, ", 1))
    flip(store / "shards" / "00000.tar", 2000)  # also changes its time
    result = check(store, everything=how != "other")
    assert result.counts["damaged"] == 1


def interrupt(*_):
    raise KeyboardInterrupt


def test_one_at_a_time(store, monkeypatch):
    def second(*_):
        with pytest.raises(StoreError, match="another process is verifying this store"):
            check(store, everything=True)
        raise KeyboardInterrupt

    monkeypatch.setattr("panns.data.verification.clips.clip_faults", second)
    with pytest.raises(KeyboardInterrupt):
        check(store, everything=True)


# The command


def test_command(store, lists, capsys):
    arguments = ["verify", str(store), "--jobs", "1", "--segments", *map(str, lists)]
    assert main(arguments) == 0
    assert "no damage" in capsys.readouterr().out
    flip(store / "shards" / "00000.tar", 2000)
    assert main([*arguments, "--all"]) == 1
    said = capsys.readouterr().out
    assert "1 clips in quarantine, left out by every run" in said
    assert f"`panns verify {store} --repair` drops what is damaged" in said
    report = (store / "verify" / "report.txt").read_text()
    assert "damage was found" in report
    with (store / "verify" / "findings.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["what"], row["path"]) == ("damaged", str(store / "shards" / "00000.tar"))
    with (store / "verify" / "classes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 527
    dog = next(row for row in rows if row["class"] == "Dog")
    assert (dog["eval"], dog["eval in eval_segments.csv"]) == ("6", "6")
    assert (store / "verify" / "class_coverage.png").stat().st_size > 10_000
    assert main(["info", str(store)]) == 0
    assert "quarantine   1 clips" in capsys.readouterr().out


def test_command_interrupted(store, monkeypatch, capsys):
    monkeypatch.setattr("panns.data.verification.clips.clip_faults", interrupt)
    assert main(["verify", str(store), "--all", "--jobs", "1"]) == 130
    assert "the same command goes on where it stopped" in capsys.readouterr().err


def test_mistakes_of_the_user(store, tmp_path, capsys):
    assert main(["verify", str(tmp_path / "nowhere")]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert main(["verify", str(store), "--sample", "-1"]) == 2
    assert "--sample -1" in capsys.readouterr().err
    (store / "SHA256SUMS").write_text("no sums\n")
    assert main(["verify", str(store)]) == 2
    assert "SHA256SUMS, line 1: no checksum" in capsys.readouterr().err
    assert main(["verify", "s3://bucket/store"]) == 2
    assert "checks a store in a folder" in capsys.readouterr().err


def test_report_goes_where_it_is_asked_to(store, tmp_path):
    result = check(store, out=tmp_path / "mine")
    write_report(result, tmp_path / "mine")
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {
        "report.txt",
        "findings.csv",
        "classes.csv",
        "class_coverage.png",
    }
    assert not (store / "verify").exists()
