"""A store at a URL: the clips of the store on disk, each fetched once, through all moods of a network."""

import json
import multiprocessing
import os
import pickle
import shutil
from concurrent.futures import ThreadPoolExecutor

import fsspec
import numpy as np
import pytest
import soundfile

from panns.cli import main
from panns.data import nearby, remote
from panns.data.manifest import ManifestSource
from panns.data.packing import index, pack
from panns.data.quarantine import read_quarantine, write_quarantine
from panns.data.remote_store import RemoteClipStore
from panns.data.store import ClipError, ClipStore
from panns.data.store_files import StoreError
from web import serve

RATE, CLIPS = 8000, 40
EVERY = np.arange(CLIPS)


@pytest.fixture(scope="module")
def local(tmp_path_factory) -> ClipStore:
    """40 clips of 0.1 s in several shards, on disk."""
    folder, rng = tmp_path_factory.mktemp("audio"), np.random.default_rng(0)
    for number in range(CLIPS):
        soundfile.write(folder / f"{number:02}.wav", rng.uniform(-0.5, 0.5, 500 + 10 * number), RATE)
    rows = [f"{number:02}.wav,{'dog' if number % 3 else 'cat'},{number % 2}" for number in range(CLIPS)]
    (folder / "own.csv").write_text("\n".join(["path,labels,split", *rows]) + "\n")
    form = {"sample_rate": RATE, "clip_seconds": 0.1, "jobs": 1, "show_progress": False}
    pack(ManifestSource(folder / "own.csv"), folder / "store", **form, shard_mb=0.01)
    return ClipStore.open(folder / "store")


@pytest.fixture
def web(local, tmp_path, monkeypatch):
    """A copy of the store behind a web server: (its URL, the server's moods, its folder)."""
    monkeypatch.setattr(remote, "DELAYS", (0.01, 0.01, 0.01))
    shutil.copytree(local.root, tmp_path / "web" / "store")
    with serve(tmp_path / "web") as (url, moods):
        yield f"{url}/store", moods, tmp_path / "web" / "store"


def same(store: ClipStore, other: ClipStore, rows=EVERY) -> bool:
    return all(np.array_equal(store.read(int(row)), other.read(int(row))) for row in rows)


def clip_requests(moods) -> int:
    return sum(wanted is not None for _, wanted in moods.asked)


def test_the_clips_of_the_store_on_disk_each_fetched_once(local, web, tmp_path):
    url, moods, _ = web
    store = ClipStore.open(url, cache=tmp_path / "cache")
    assert store.fingerprint(EVERY) == local.fingerprint(EVERY)
    assert (len(store), store.splits, store.classes) == (len(local), local.splits, local.classes)
    assert same(store, local)
    assert clip_requests(moods) == CLIPS
    out = np.full(800, 7, np.int16)
    assert store.read_into(3, out) == local.frames[3]
    assert same(store, local, EVERY[::-1])
    moods.asked.clear()
    again = ClipStore.open(url, cache=tmp_path / "cache")
    assert same(again, local)
    assert [path for path, wanted in moods.asked if "/index/" in path or wanted] == []
    assert again.nearby.num_clips == CLIPS
    assert again.nearby.num_bytes == local.nbytes.sum()


def test_memory_file_system_and_a_store_made_of_parts_of_paths(local, tmp_path):
    files = fsspec.filesystem("memory")
    files.put(str(local.root), "/bucket/set", recursive=True)
    try:
        store = ClipStore.open("memory://bucket/set/", cache=tmp_path / "cache")
        store.prefetch(EVERY)
        assert same(store, local)
        files.rm("/bucket/set/shards", recursive=True)
        assert same(store, local)  # all are kept
    finally:
        files.rm("/bucket", recursive=True)


def test_a_batch_is_fetched_at_the_same_time(local, web, tmp_path, caplog):
    url, moods, _ = web
    store = ClipStore.open(url, cache=tmp_path / "cache", cache_gb=0)
    moods.asked.clear()
    store.prefetch(np.array([5, 3, 5, 9]))
    assert clip_requests(moods) == 3
    assert same(store, local, [5, 3, 9])
    assert clip_requests(moods) == 3
    assert same(store, local, [5, 3, 9])  # nothing is kept
    assert clip_requests(moods) == 6
    assert "are kept there" not in caplog.text


@pytest.mark.parametrize("mood", ["busy", "cut", "short"])
def test_a_bad_moment_of_the_network_is_waited_out(mood, local, web, tmp_path, caplog):
    url, moods, _ = web
    if mood != "short":  # the first requests are those of the index
        setattr(moods, mood, 2)
        assert same(ClipStore.open(url, cache=tmp_path / "cache"), local)
        assert "trying again in about" in caplog.text
    store = ClipStore.open(url, cache=tmp_path / "other")
    setattr(moods, mood, 3)
    store.prefetch(EVERY[:10])
    assert same(store, local)


def test_a_server_that_stays_away(local, web, tmp_path, monkeypatch):
    url, moods, _ = web
    store = ClipStore.open(url, cache=tmp_path / "cache")
    store.read(0)
    moods.busy = 10**6
    with pytest.raises(ClipError, match=r"clip 07 in http.*/store/shards/0000\d.tar: .*503.*check the network"):
        store.read(7)
    assert same(store, local, [0])
    with pytest.raises(StoreError, match=r"/store/meta\.json: .*503"):
        ClipStore.open(url, cache=tmp_path / "cache")


def test_what_is_missing_is_not_waited_for(web, tmp_path, monkeypatch):
    url, _, folder = web
    monkeypatch.setattr(remote.time, "sleep", lambda _: pytest.fail("waited"))
    store = ClipStore.open(url, cache=tmp_path / "cache")
    (folder / "shards" / "00001.tar").unlink()
    row = int(np.flatnonzero(store.file == 1)[0])
    with pytest.raises(
        ClipError, match=r"clip \d+ in .*/00001\.tar: .*FileNotFoundError.*check the URL and the rights"
    ):
        store.read(row)
    with pytest.raises(
        StoreError, match=r"/nowhere: no store there \(no meta\.json\).*copy a store there that `panns pack` made"
    ):
        ClipStore.open(url.replace("store", "nowhere"), cache=tmp_path / "cache")
    (folder / "shards" / "00000.tar").write_bytes(b"short")
    with pytest.raises(StoreError, match=r"00000\.tar: 5 bytes where the index has [\d,]+: cut or replaced"):
        ClipStore.open(url, cache=tmp_path / "cache")
    with pytest.raises(StoreError, match=r"nosuch://x/y: .*nosuch"):
        ClipStore.open("nosuch://x/y")


def test_a_server_without_ranges_is_refused(web, tmp_path):
    url, moods, _ = web
    moods.says_no_ranges = True
    with pytest.raises(StoreError, match="the server allows no range requests"):
        ClipStore.open(url, cache=tmp_path / "cache")
    moods.says_no_ranges, moods.ignores_ranges = False, True
    store = ClipStore.open(url, cache=tmp_path / "cache")
    with pytest.raises(ClipError, match=r"the server sent [\d,]+ bytes where [\d,]+ were asked for"):
        store.read(0)


def test_damage_is_never_kept_and_never_passed_on(local, web, tmp_path):
    url, moods, _ = web
    store = ClipStore.open(url, cache=tmp_path / "cache")
    moods.garbled = 1
    with pytest.raises(ClipError, match=r"clip 02 in .*crc32 differs"):
        store.read(2)
    assert store.nearby.num_clips == 0
    assert same(store, local, [2])


def test_a_damaged_copy_is_fetched_again(local, web, tmp_path, caplog):
    url, moods, _ = web
    store = ClipStore.open(url, cache=tmp_path / "cache")
    assert same(store, local)
    for path in (store.root / "clips").rglob("*.tar"):  # what a power cut can leave
        path.write_bytes(bytes(path.stat().st_size))
    moods.asked.clear()
    assert same(ClipStore.open(url, cache=tmp_path / "cache"), local)
    assert clip_requests(moods) == CLIPS
    assert "clip 00: the copy in" in caplog.text


def test_a_changed_store_replaces_the_copies(local, web, tmp_path, caplog):
    url, _, folder = web
    old = ClipStore.open(url, cache=tmp_path / "cache")
    assert same(old, local)
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps(meta | {"name": "new"}))
    with pytest.raises(StoreError, match=r"meta\.json: not as it was written"):
        ClipStore.open(url, cache=tmp_path / "cache")
    del meta["checksum"]
    (folder / "meta.json").write_text(json.dumps(meta | {"name": "new"}))
    new = ClipStore.open(url, cache=tmp_path / "cache")
    assert new.name == "new"
    assert new.nearby.num_clips == 0
    assert not old.root.exists()
    assert "another store than before" in caplog.text
    assert same(old, local, [1])  # who reads the old one still can


def test_the_quarantine_is_that_of_the_moment(web, tmp_path):
    url, moods, folder = web
    for entries in ({}, {"01": "hum"}, {"01": "hum", "02": "clicks"}, {}):
        write_quarantine(folder, entries)
        assert read_quarantine(ClipStore.open(url, cache=tmp_path / "cache").root) == entries
    moods.busy = 10**6
    with pytest.raises(StoreError, match="503"):
        ClipStore.open(url, cache=tmp_path / "cache")


def test_an_index_of_another_time_is_refused(web, tmp_path):
    url, _, folder = web
    np.save(folder / "index" / "offset.npy", np.zeros(CLIPS, np.int64))
    with pytest.raises(StoreError, match=r"index/offset\.npy: not the file that meta\.json was written with; copy"):
        ClipStore.open(url, cache=tmp_path / "cache")
    (folder / "meta.json").write_text("{")
    with pytest.raises(
        StoreError, match=r"http.*/store/meta\.json: not valid JSON .*; the server sends something else"
    ):
        ClipStore.open(url, cache=tmp_path / "cache")


def test_clips_outside_the_store(local, tmp_path):
    source = ManifestSource(local.root.parent / "own.csv")
    form = {"sample_rate": RATE, "clip_seconds": 0.1, "jobs": 1, "show_progress": False}
    index(source, tmp_path / "far" / "store", **form)
    with (
        serve(tmp_path) as (url, _),
        pytest.raises(StoreError, match=r"its clips lie outside of it, at /.*00.wav; make"),
    ):
        ClipStore.open(f"{url}/far/store", cache=tmp_path / "cache")
    shutil.copytree(local.root.parent, tmp_path / "near", ignore=shutil.ignore_patterns("store"))
    index(ManifestSource(tmp_path / "near" / "own.csv"), tmp_path / "near" / "store", **form)
    with serve(tmp_path) as (url, _):  # beside the store they travel with it
        store = ClipStore.open(f"{url}/near/../near/store", cache=tmp_path / "cache")
        store = ClipStore.open(f"{url}/near/store", cache=tmp_path / "cache")
        assert same(store, ClipStore.open(tmp_path / "near" / "store"))


def test_a_limit_keeps_a_part_and_says_so(local, web, tmp_path, caplog):
    url, moods, _ = web
    half = int(local.nbytes[:20].sum())
    store = ClipStore.open(url, cache=tmp_path / "cache", cache_gb=half / 1e9)
    for _ in range(2):
        assert same(store, local)
    assert store.nearby.num_clips == 20
    assert store.nearby.num_bytes <= half
    assert clip_requests(moods) == CLIPS + 20
    assert caplog.text.count("data.cache_gb reached; 20 of 40 clips are kept there, the others are read over the") == 1


def test_a_full_disk_keeps_a_part_and_says_so(local, web, tmp_path, caplog, monkeypatch):
    url, _, _ = web
    store = ClipStore.open(url, cache=tmp_path / "cache")
    write, room = os.pwrite, iter(range(5))

    def pwrite(descriptor, data, offset):
        if next(room, None) is None:
            raise OSError(28, "No space left on device")
        return write(descriptor, data, offset)

    monkeypatch.setattr(nearby.os, "pwrite", pwrite)
    assert same(store, local)
    assert store.nearby.num_clips == 5
    assert "no space left on its disk; 5 of 40 clips are kept there" in caplog.text
    monkeypatch.setattr(nearby, "KEPT_FREE", 1.1)
    store = ClipStore.open(url, cache=tmp_path / "other")
    assert same(store, local)
    assert store.nearby.num_clips == 0


def test_threads_share_a_store(local, web, tmp_path):
    url, _, _ = web
    store = ClipStore.open(url, cache=tmp_path / "cache")
    rows = np.random.default_rng(0).integers(0, CLIPS, 400)

    def read(batch):
        store.prefetch(batch)
        return [store.read(int(row)) for row in batch]

    with ThreadPoolExecutor(8) as threads:
        got = [clip for batch in threads.map(read, rows.reshape(50, 8)) for clip in batch]
    assert all(np.array_equal(clip, local.read(int(row))) for clip, row in zip(got, rows, strict=True))


def read_all(store, answers=None) -> list[int]:
    sums = [int(store.read(row).sum()) for row in range(CLIPS)]
    if answers is not None:
        answers.put(sums)
    return sums


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_share_the_copies(method, local, web, tmp_path):
    url, moods, _ = web
    store = ClipStore.open(url, cache=tmp_path / "cache")
    store.read(0)  # opens a connection, which must not be used by two processes
    context = multiprocessing.get_context(method)
    answers = context.Queue()
    processes = [context.Process(target=read_all, args=(store, answers), daemon=True) for _ in range(2)]
    for process in processes:
        process.start()
    expected = read_all(local)
    assert [answers.get(timeout=60) for _ in processes] == [expected, expected]
    asked = clip_requests(moods)
    assert CLIPS <= asked <= 2 * CLIPS
    assert same(store, local)
    assert clip_requests(moods) == asked
    assert isinstance(pickle.loads(pickle.dumps(store)), RemoteClipStore)


def test_info_and_mistakes_name_the_url(web, tmp_path, monkeypatch, capsys):
    url, _, _ = web
    monkeypatch.setenv("PANNS_CACHE", str(tmp_path / "cache"))
    assert main(["info", url]) == 0
    said = capsys.readouterr().out
    assert "clips        40 of 0.1 s" in said
    assert f"kept here    0 clips, 0.0 MiB, in {tmp_path / 'cache'}" in said
    with pytest.raises(StoreError, match=rf"^{url}: no split evil"):
        ClipStore.open(url).rows(["evil"])
    with pytest.raises(StoreError, match=rf"^{url}: clips at 8000 Hz"):
        ClipStore.open(url, sample_rate=32000)
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"/file: .*name a folder on a local disk with data\.cache"):
        ClipStore.open(url, cache=tmp_path / "file")
