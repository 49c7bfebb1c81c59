"""`panns verify` on what clips hold, worked by hand: no audio, the same audio, labels that differ from the lists."""

import pickle
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest

from panns.data.index import IndexWriter
from panns.data.quarantine import read_quarantine
from panns.data.store import ClipError, ClipStore
from panns.data.store_files import FORMAT, StoreError
from panns.data.verification import repair
from verifying import check, damaged, flip, found


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


def test_of_several_equal_clips_that_of_another_split_is_named(tmp_path):
    result = check(raw_store(tmp_path / "store", [("a", 0, noise(1)), ("b", 0, noise(1)), ("c", 1, noise(1))]))
    assert [(finding.clip_id, finding.what, finding.detail) for finding in result.all_findings] == [
        ("b", "same_audio_elsewhere", "in train; as c in eval"),
        ("c", "same_audio_elsewhere", "in eval; as a in train"),
    ]


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


def test_what_a_verification_read_first_is_held_against_training_too(tmp_path):
    root = raw_store(tmp_path / "store", [(f"c{n}", n % 2, noise(n)) for n in range(4)], unread=True)
    fingerprint = ClipStore.open(root).fingerprint(np.arange(4))
    check(root, everything=True)
    flip(root / "all.raw", 3 * 1600 + 500)
    for store in (ClipStore.open(root), pickle.loads(pickle.dumps(ClipStore.open(root)))):
        assert store.fingerprint(np.arange(4)) == fingerprint
        assert len(store.read(2)) == 800
        with pytest.raises(ClipError, match=r"clip c3 .* not those that were indexed \(crc32 differs\)"):
            store.read(3)


def test_clips_beside_a_damaged_one_are_not_believed_when_first_read(tmp_path):
    root = raw_store(tmp_path / "store", [(f"c{n}", n % 2, noise(n)) for n in range(4)], unread=True)
    check(root, sample=1)  # all that is known is one clip
    known = int(np.flatnonzero(np.load(next(root.glob("crc32-*.npy"))))[0])
    size = (root / "all.raw").stat().st_size
    (root / "all.raw").write_bytes((root / "all.raw").read_bytes()[::-1])  # rewritten: as long, with other clips
    assert (root / "all.raw").stat().st_size == size
    result = check(root, everything=True)
    assert damaged(result) == {f"c{known}": "damaged"}
    (finding,) = [one for one in result.all_findings if one.what == "file_unproven"]
    assert finding.detail == "3 clips were read for the first time"
    assert not result.is_whole
    assert np.count_nonzero(np.load(next(root.glob("crc32-*.npy")))) == 1


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
    with pytest.raises(StoreError, match=r"the list of the split mine, .* has balanced_train, eval; a list"):
        check(store, lists=[tmp_path / "mine_segments.csv"])


def test_without_lists_audioset_is_known(store):
    by_name = {one.name: one for one in check(store).coverages}
    assert (by_name["eval"].official, by_name["eval"].panns) == (20371, 18887)
    assert (by_name["balanced_train"].official, by_name["balanced_train"].panns) == (22160, 20550)
    assert "train" not in by_name  # it has no unbalanced clips
    assert by_name["eval"].reference[0] == 5324  # Speech, counted in the official list
    assert by_name["eval"].per_class[0] == 6
