"""The clip store: what is read is what was written, and a store that cannot be trusted says so."""

import errno
import json
import os
import pickle
import shutil
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import soundfile

from panns.data.manifest import ManifestSource
from panns.data.packing import index, pack
from panns.data.store import ClipError, ClipStore
from panns.data.store_files import StoreError

RATE, SECONDS = 8000, 0.5
LENGTHS = {"a": 4000, "b": 1000, "c": 9000, "d": 4000}  # frames; a full clip has 4000
LABELS = {"a": "dog", "b": "cat;dog", "c": "cow", "d": "dog;cow;cat"}
SPLIT = {"a": "train", "b": "eval", "c": "train", "d": "eval"}


@pytest.fixture(scope="module")
def audio(tmp_path_factory) -> Path:
    """Four WAV files of noise, and a manifest of them."""
    folder, rng = tmp_path_factory.mktemp("audio"), np.random.default_rng(0)
    for name, frames in LENGTHS.items():
        soundfile.write(folder / f"{name}.wav", rng.integers(-9000, 9000, frames).astype(np.int16), RATE)
    rows = [f"{name}.wav,{LABELS[name]},{SPLIT[name]}" for name in LENGTHS]
    (folder / "own.csv").write_text("\n".join(["path,labels,split", *rows]) + "\n")
    return folder


@pytest.fixture(scope="module")
def packed(audio, tmp_path_factory) -> Path:
    """The same as FLAC in tar shards of one clip each."""
    out = tmp_path_factory.mktemp("packed") / "store"
    source = ManifestSource(audio / "own.csv")
    pack(source, out, sample_rate=RATE, clip_seconds=SECONDS, jobs=1, shard_mb=0, show_progress=False)
    return out


@pytest.fixture
def copy(packed, tmp_path) -> Path:
    """A packed store to damage."""
    return Path(shutil.copytree(packed, tmp_path / "copy"))


def samples(audio: Path, name: str) -> np.ndarray:
    return soundfile.read(audio / f"{name}.wav", dtype="int16")[0]


def test_columns_and_meta(packed):
    store = ClipStore.open(packed)
    assert (len(store), store.sample_rate, store.clip_samples, store.num_classes) == (4, RATE, 4000, 3)
    assert (store.name, store.single_label, store.splits) == ("own", False, ["eval", "train"])
    assert [label.name for label in store.classes] == ["cat", "cow", "dog"]
    assert store.id.tolist() == [b"a", b"b", b"c", b"d"]
    assert store.frames.tolist() == [4000, 1000, 4000, 4000]
    assert store.split.tolist() == [1, 0, 1, 0]
    assert store.rows(["eval"]).tolist() == [1, 3]
    assert store.rows(["train", "eval"]).tolist() == [0, 1, 2, 3]
    assert store.rows(["eval"]).dtype == np.int64
    assert store.rows([]).tolist() == []
    assert len(store.files) == 4


def test_labels(packed):
    store = ClipStore.open(packed)
    assert [store.labels(row).tolist() for row in range(4)] == [[2], [0, 2], [1], [0, 1, 2]]
    targets = store.targets(np.array([3, 0, 1, 1]))
    assert targets.dtype == np.float32
    assert targets.tolist() == [[1, 1, 1], [0, 0, 1], [1, 0, 1], [1, 0, 1]]
    assert store.class_counts(np.array([0, 1, 3])).tolist() == [2, 1, 3]
    assert store.class_counts(np.array([], dtype=np.int64)).tolist() == [0, 0, 0]
    assert store.targets([]).shape == (0, 3)


def test_read_into_pads_short_clips_and_cuts_long_ones(audio, packed):
    store = ClipStore.open(packed)
    out = np.full(4000, 7, dtype=np.int16)
    assert store.read_into(1, out) == 1000
    np.testing.assert_array_equal(out, np.concatenate([samples(audio, "b"), np.zeros(3000)]))
    assert store.read_into(2, out) == 4000
    np.testing.assert_array_equal(out, samples(audio, "c")[:4000])
    batch = np.full((2, 500), 7, dtype=np.int16)
    assert store.read_into(0, batch[1]) == 500
    np.testing.assert_array_equal(batch[1], samples(audio, "a")[:500])
    assert (batch[0] == 7).all()
    assert len(store.read(1)) == 1000


def test_shards_are_plain_tar_files_of_whole_audio_files(audio, packed, tmp_path):
    members = {}
    for path in sorted(packed.glob("shards/*.tar")):
        with tarfile.open(path) as tar:
            members |= {member.name: member for member in tar.getmembers()}
            tar.extractall(tmp_path, filter="data")
    assert list(members) == ["a.flac", "b.flac", "c.flac", "d.flac"]
    assert {(member.mtime, member.uid, member.uname) for member in members.values()} == {(0, 0, "")}
    np.testing.assert_array_equal(soundfile.read(tmp_path / "d.flac", dtype="int16")[0], samples(audio, "d"))


def test_threads_share_a_store_that_keeps_few_files_open(audio, packed, monkeypatch):
    monkeypatch.setattr("panns.data.store.MAX_OPEN_FILES", 1)
    store = ClipStore.open(packed)
    rows = np.random.default_rng(0).integers(0, 4, 400)
    with ThreadPoolExecutor(8) as threads:
        read = list(threads.map(store.read, rows))
    expected = [samples(audio, name)[:4000] for name in LENGTHS]
    assert all(np.array_equal(got, expected[row]) for got, row in zip(read, rows, strict=True))


def test_a_store_travels_to_another_process(packed):
    store = pickle.loads(pickle.dumps(ClipStore.open(packed)))
    np.testing.assert_array_equal(store.read(0), ClipStore.open(packed).read(0))


def test_fingerprint_depends_on_clips_labels_and_audio_only(audio, packed, tmp_path):
    store = ClipStore.open(packed)
    every = np.arange(4)
    reference = store.fingerprint(every)
    assert {key: reference[key] for key in ("clips", "classes", "labels", "sample_rate")} == {
        "clips": 4, "classes": 3, "labels": 7, "sample_rate": RATE
    }  # fmt: skip
    assert store.fingerprint(every[::-1]) == reference
    assert store.fingerprint(every[:3])["id_hash"] != reference["id_hash"]
    lines = (audio / "own.csv").read_text().splitlines()

    def packed_with(*rows: str) -> dict:
        folder = Path(tempfile.mkdtemp(dir=tmp_path))
        (folder / "own.csv").write_text("\n".join(rows))
        source = ManifestSource(folder / "own.csv", audio_folder=audio)
        pack(source, folder / "store", sample_rate=RATE, clip_seconds=SECONDS, jobs=1, show_progress=False)
        return ClipStore.open(folder / "store").fingerprint(every)

    assert packed_with(lines[0], *lines[:0:-1]) == reference
    assert packed_with(*lines[:-1], "d.wav,dog;cow,eval")["id_hash"] != reference["id_hash"]
    assert packed_with(*lines[:-1], "d.wav,dog;cow;cat,train") == reference


def test_unknown_split_names_the_valid_ones(packed):
    with pytest.raises(StoreError, match="no split evil; this store has eval, train"):
        ClipStore.open(packed).rows(["eval", "evil"])


def test_expected_sample_rate_and_classes(packed):
    ClipStore.open(packed, sample_rate=RATE, num_classes=3)
    with pytest.raises(StoreError, match=r"8000 Hz where 32000 Hz are expected.*--sample-rate 32000"):
        ClipStore.open(packed, sample_rate=32000)
    with pytest.raises(StoreError, match="3 classes where 527 are expected"):
        ClipStore.open(packed, num_classes=527)


def test_no_store(tmp_path, copy):
    with pytest.raises(StoreError, match="nowhere: no such folder; make it with `panns pack`"):
        ClipStore.open(tmp_path / "nowhere")
    (copy / "meta.json").unlink()
    with pytest.raises(StoreError, match=r"copy: no finished store \(meta.json is missing\).*run again"):
        ClipStore.open(copy)


def test_damaged_meta_and_index(copy):
    meta = json.loads((copy / "meta.json").read_text())
    (copy / "meta.json").write_text(json.dumps(meta | {"format": 99}))
    with pytest.raises(StoreError, match="store format 99 where this version reads 1"):
        ClipStore.open(copy)
    (copy / "meta.json").write_text("{")
    with pytest.raises(StoreError, match="not valid JSON"):
        ClipStore.open(copy)
    (copy / "meta.json").write_text("[]")
    with pytest.raises(StoreError, match=r"not the meta\.json of a store; put it back"):
        ClipStore.open(copy)
    for key, value in (
        ("sample_rate", "8000"),
        ("clip_seconds", None),
        ("classes", None),
        ("splits", [1]),
        ("name", 3),
    ):
        (copy / "meta.json").write_text(json.dumps(meta | {key: value}))
        with pytest.raises(StoreError, match=f"{key} cannot be .*put it back from a copy"):
            ClipStore.open(copy)
    for key, value in (
        ("clip_seconds", 7.5),
        ("classes", meta["classes"][::-1]),
        ("single_label", not meta["single_label"]),
    ):
        changed = meta | {key: value}
        (copy / "meta.json").write_text(json.dumps(changed))
        with pytest.raises(
            StoreError, match=r"not as it was written; put it back.*on purpose: delete its line 'checksum'"
        ):
            ClipStore.open(copy)
    del changed["checksum"]
    (copy / "meta.json").write_text(json.dumps(changed))
    assert ClipStore.open(copy).single_label != meta["single_label"]
    (copy / "meta.json").write_text(json.dumps(meta))
    sizes = np.load(copy / "index" / "file_bytes.npy")
    np.save(copy / "index" / "file_bytes.npy", sizes + 1)  # as that of another store would have
    with pytest.raises(StoreError, match=r"index is damaged \(meta\.json was not written with this index/file_bytes"):
        ClipStore.open(copy)
    np.save(copy / "index" / "file_bytes.npy", sizes)
    np.save(copy / "index" / "offset.npy", np.zeros(3, dtype=np.int64))
    with pytest.raises(StoreError, match=r"index is damaged .*offset has 3 rows, not 4.*make it anew"):
        ClipStore.open(copy)
    (copy / "index" / "offset.npy").write_bytes(b"")
    with pytest.raises(StoreError, match="index is damaged"):
        ClipStore.open(copy)
    (copy / "index" / "offset.npy").unlink()
    with pytest.raises(StoreError, match=r"index is damaged.*offset\.npy"):
        ClipStore.open(copy)


def made_by_an_older_version(store):
    """Takes the hashes of the index out of meta.json."""
    meta = json.loads((store / "meta.json").read_text())
    del meta["index"], meta["checksum"]
    (store / "meta.json").write_text(json.dumps(meta))


def test_meta_and_index_of_different_stores(copy, audio, tmp_path):
    """Equal in shape: the classes of one would be the names of the other's labels."""
    meta, other = (copy / "meta.json").read_bytes(), tmp_path / "other"
    rows = (f"{audio / name}.wav,{LABELS[name].partition(';')[0]},{SPLIT[name]}" for name in LENGTHS)
    (tmp_path / "other.csv").write_text("\n".join(["path,labels,split", *rows]) + "\n")
    source = ManifestSource(tmp_path / "other.csv")
    pack(source, other, sample_rate=RATE, clip_seconds=SECONDS, jobs=1, show_progress=False)
    (copy / "meta.json").write_bytes((other / "meta.json").read_bytes())
    with pytest.raises(StoreError, match=r"copy: .*not written with this index/.*another store's.*from one copy"):
        ClipStore.open(copy)
    (copy / "meta.json").write_bytes(meta)
    ClipStore.open(copy)
    labels = np.load(copy / "index" / "label_idx.npy")
    np.save(copy / "index" / "label_idx.npy", labels[::-1])
    with pytest.raises(StoreError, match=r"not written with this index/label_idx\.npy"):
        ClipStore.open(copy)


def test_label_without_a_class(copy):
    made_by_an_older_version(copy)
    labels = np.load(copy / "index" / "label_idx.npy")
    np.save(copy / "index" / "label_idx.npy", labels + 1)
    with pytest.raises(StoreError, match=r"class number 3 where meta.json has 3 classes"):
        ClipStore.open(copy)


def test_truncated_and_missing_shard(copy):
    shard = copy / "shards" / "00002.tar"
    size = shard.stat().st_size
    with shard.open("r+b") as file:
        file.truncate(size - 600)
    with pytest.raises(StoreError, match=rf"00002\.tar has {size - 600} bytes where the index has {size}"):
        ClipStore.open(copy)
    shard.unlink()
    with pytest.raises(StoreError, match=r"00002\.tar is not there .*put the old file back"):
        ClipStore.open(copy)


def test_shard_that_is_lost_after_opening(copy, packed):
    store = ClipStore.open(copy)
    with (copy / "shards" / "00001.tar").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(ClipError, match=r"clip b in .*00001\.tar: the file has 100 bytes where the index has"):
        store.read(1)
    assert len(store.read(0)) == 4000


def test_changed_bytes_are_noticed(copy):
    store = ClipStore.open(copy)
    with (copy / "shards" / "00000.tar").open("r+b") as file:
        file.seek(int(store.offset[0]) + int(store.nbytes[0]) // 2)
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ 1]))
    with pytest.raises(ClipError, match=r"clip a in .*00000\.tar: .*crc32 differs") as caught:
        store.read_into(0, np.zeros(4000, dtype=np.int16))
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


@pytest.mark.parametrize(
    ("codec", "says"), [(2, "samples where the index has|not readable as mp3"), (200, "codec number 200")]
)
def test_index_that_does_not_fit_the_bytes(codec, says, copy):
    made_by_an_older_version(copy)
    np.save(copy / "index" / "codec.npy", np.full(4, codec, dtype=np.uint8))
    with pytest.raises(ClipError, match=says):
        ClipStore.open(copy).read(0)
    np.save(copy / "index" / "codec.npy", np.full(4, 1, dtype=np.uint8))
    np.save(copy / "index" / "frames.npy", np.full(4, 4001, dtype=np.int32))
    with pytest.raises(ClipError, match="4000 samples where the index has 4001"):
        ClipStore.open(copy).read(0)


@pytest.fixture
def in_place(audio, tmp_path) -> tuple[Path, Path]:
    """A store over loose files that lie beside it."""
    files = Path(shutil.copytree(audio, tmp_path / "home" / "files"))
    out = tmp_path / "home" / "store"
    index(ManifestSource(files / "own.csv"), out, sample_rate=RATE, clip_seconds=SECONDS, jobs=1, show_progress=False)
    return out, files


def test_files_in_place_move_with_their_store(audio, in_place, tmp_path):
    assert in_place[0].is_relative_to(tmp_path / "home")
    (tmp_path / "home").rename(tmp_path / "moved")
    store = ClipStore.open(tmp_path / "moved" / "store")
    np.testing.assert_array_equal(store.read(3), samples(audio, "d"))
    (tmp_path / "link").symlink_to(tmp_path / "moved" / "store")
    np.testing.assert_array_equal(ClipStore.open(tmp_path / "link").read(3), samples(audio, "d"))
    (tmp_path / "moved" / "files").rename(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match=r"a\.wav is not there"):
        ClipStore.open(tmp_path / "moved" / "store")


def test_files_in_place_that_were_replaced(audio, in_place):
    out, files = in_place
    soundfile.write(files / "a.wav", np.zeros(4000, dtype=np.int16), RATE)  # same size
    with pytest.raises(ClipError, match="crc32 differs"):
        ClipStore.open(out).read(0)
    soundfile.write(files / "a.wav", np.zeros(3999, dtype=np.int16), RATE)
    with pytest.raises(StoreError, match=r"a\.wav has 8042 bytes where the index has 8044: cut or replaced"):
        ClipStore.open(out)


def test_uncompressed_clips_are_read_in_their_place(audio, in_place):
    """The bytes go straight into the row: the same samples, zeros and checks as by `read`."""
    out, files = in_place
    store = ClipStore.open(out)
    batch = np.full((4, 5000), 7, dtype=np.int16)
    assert [store.read_into(row, batch[row]) for row in range(4)] == [4000, 1000, 4000, 4000]
    for row, name in enumerate(LENGTHS):
        np.testing.assert_array_equal(batch[row, : store.frames[row]], samples(audio, name)[:4000])
        assert not batch[row, store.frames[row] :].any()
    for into in (np.full(1500, 7, dtype=np.int16), np.full((3000, 2), 7, dtype=np.int16)[:, 0]):  # too short, strided
        store.read_into(0, into)
        np.testing.assert_array_equal(into, samples(audio, "a")[: len(into)])
    with (files / "d.wav").open("r+b") as file:
        file.seek(1000)
        file.write(b"!")
    with pytest.raises(ClipError, match=r"clip d .*crc32 differs"):
        store.read_into(3, batch[3])
    store._open_file(store.path[2], store.file_bytes[2])  # is open already when it is cut
    with (files / "c.wav").open("r+b") as file:
        file.truncate(1044)
    with pytest.raises(ClipError, match=r"clip c .*1000 of 8000 bytes could be read"):
        store.read_into(2, batch[2])


def test_a_file_that_may_not_be_looked_at_is_not_told_to_be_missing(packed, monkeypatch):
    look = Path.stat

    def refused(path, **options):
        if path.suffix in (".tar", ".wav", ".flac"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return look(path, **options)

    monkeypatch.setattr(Path, "stat", refused)
    with pytest.raises(StoreError, match="Permission denied: give access to the file") as error:
        ClipStore.open(packed)
    assert "--repair" not in str(error.value)
