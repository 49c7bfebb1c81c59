"""`panns verify --repair`: the store opens again, what is whole is untouched, what is dropped is kept aside."""

import csv
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from panns.cli import main
from panns.data.quarantine import read_quarantine, write_quarantine
from panns.data.store import ClipStore
from panns.data.store_files import StoreError
from panns.data.verification import repair, verify
from panns.data.verification.checksums import read_checksums

REPAIR = "panns.data.verification.repairing"


def check(root: Path, **options):
    return verify(root, **({"jobs": 1, "show_progress": False, "everything": True} | options))


def flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 16
    path.write_bytes(content)


def audio(root: Path) -> dict[bytes, tuple]:
    """All that a reader gets: samples, labels, split and start, by id."""
    store = ClipStore.open(root)
    return {
        store.id[row]: (
            store.read(row).tobytes(),
            [store.classes[k].mid for k in store.labels(row)],
            store.splits[store.split[row]],
            int(store.start_ms[row]),
        )
        for row in range(len(store))
    }


def truncate(store: Path) -> None:
    with (store / "shards" / "00001.tar").open("r+b") as file:
        file.truncate(20_000)


def remove(store: Path) -> None:
    (store / "shards" / "00002.tar").unlink()


def replace(store: Path) -> None:
    (store / "shards" / "00003.tar").write_bytes(bytes(123_456))


def turn_a_bit(store: Path) -> None:
    flip(store / "shards" / "00000.tar", 2000)


FAULTS = {"truncate": [truncate], "remove": [remove], "replace": [replace], "flip": [turn_a_bit]}
FAULTS["all"] = [truncate, remove, replace, turn_a_bit]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("everything", [True, False])
def test_every_fault(fault, everything, store):
    before, files_before = audio(store), (store / "index" / "path.npy").read_bytes()
    if everything:
        check(store)  # records the checksums
    for damage in FAULTS[fault]:
        damage(store)
    shards = {path: path.read_bytes() for path in store.glob("shards/*")}
    result = check(store, everything=everything)
    gone = {result.store.id[row] for row in result.damaged}
    assert gone
    aside, dropped = repair(result)
    assert dropped == len(gone)

    after = audio(store)
    assert after == {clip_id: content for clip_id, content in before.items() if clip_id not in gone}
    assert {path: path.read_bytes() for path in store.glob("shards/*")} == shards
    assert not (store / "quarantine.csv").exists()
    assert ClipStore.open(store).meta["repairs"] == [{"dropped": dropped, "before": aside.name}]
    for _ in range(2):
        again = check(store)
        assert again.is_whole
        assert not again.all_findings

    assert (aside / "index" / "path.npy").read_bytes() == files_before
    with (aside / "dropped.csv").open() as file:
        rows = {row["id"].encode(): row for row in csv.DictReader(file)}
    assert rows.keys() == gone
    for clip_id, row in rows.items():
        assert (row["labels"].split(";"), row["split"], int(row["start_ms"])) == before[clip_id][1:]
        assert row["what"] in ("damaged", "missing")
        assert row["detail"]


def test_the_former_store_can_be_had_back(store, packed):
    before = audio(store)
    remove(store)
    aside, _ = repair(check(store))
    shutil.rmtree(store / "index")
    shutil.copytree(aside / "index", store / "index")
    shutil.copy(aside / "meta.json", store / "meta.json")
    shutil.copy(packed / "shards" / "00002.tar", store / "shards" / "00002.tar")
    assert audio(store) == before


def test_a_second_repair_goes_on_from_the_first(store):
    remove(store)
    repair(check(store))
    flip(store / "shards" / "00004.tar", 1500)
    assert repair(check(store))[1] == 1
    assert check(store).is_whole
    assert len(ClipStore.open(store).meta["repairs"]) == 2
    assert len(list(store.glob("before-repair-*/index"))) == 2


def test_the_checksum_of_a_damaged_file_is_not_kept(store):
    check(store)
    turn_a_bit(store)
    repair(check(store, everything=False))  # reads the clip, hashes no file
    assert "shards/00000.tar" not in read_checksums(store)
    assert check(store).is_whole
    assert "shards/00000.tar" in read_checksums(store)


def test_files_that_changed_beside_their_clips_are_taken_as_they_are(store):
    check(store)
    flip(store / "shards" / "00000.tar", 120)
    result = check(store)
    assert result.counts["file_changed"] == 1
    assert repair(result)[1] == 0
    assert check(store).is_whole
    assert len(ClipStore.open(store)) == 36


def test_a_file_that_grew_is_taken_as_it_is(store):
    with (store / "shards" / "00000.tar").open("ab") as file:
        file.write(bytes(512))
    result = check(store, everything=False)
    assert result.counts["file_size"] == 1
    assert not result.damaged
    repair(result)
    assert check(store).is_whole


def test_entries_made_by_hand_stay_in_quarantine(store):
    remove(store)
    gone = next(iter(ids_of(store, 2)))
    mine = {"-_eval00004": "not mine", "elsewhere": "of another store"}
    write_quarantine(store, mine | {gone: "not mine either"})
    repair(check(store))
    assert read_quarantine(store) == mine


def ids_of(root: Path, file: int) -> list[str]:
    store = ClipStore.open_as_it_is(root)
    return [store.id[row].decode() for row in np.flatnonzero(store.file == file)]


def test_an_index_that_changed_is_not_trusted(store):
    check(store)
    labels = np.load(store / "index" / "label_idx.npy")
    labels[0] = 5
    np.save(store / "index" / "label_idx.npy", labels)
    remove(store)
    with pytest.raises(StoreError, match=r"label_idx\.npy: not as it was written: put it back from a copy"):
        repair(check(store))
    assert not list(store.glob("before-repair-*"))


def test_an_index_that_changed_is_told_and_leaves_quarantine_and_checksums_alone(store, capsys):
    """Every clip would be taken for damaged."""
    check(store)
    write_quarantine(store, {"-_eval00004": "mine"})
    before = read_checksums(store)
    path = store / "index" / "label_idx.npy"
    labels = path.read_bytes()
    np.save(path, np.full_like(np.load(path), 600))
    assert main(["verify", str(store)]) == 1
    assert "put it back from a copy" in capsys.readouterr().out.splitlines()[-1]
    assert main(["verify", str(store), "--repair"]) == 2
    assert "cannot be relied on" in capsys.readouterr().err
    assert read_quarantine(store) == {"-_eval00004": "mine"}
    assert read_checksums(store) == before
    path.write_bytes(labels)
    assert main(["verify", str(store)]) == 0


def test_bad_rows_are_dropped(store):
    files = np.load(store / "index" / "file.npy")
    files[3] = 77
    np.save(store / "index" / "file.npy", files)
    meta = json.loads((store / "meta.json").read_text())
    del meta["index"], meta["checksum"]  # as older stores are: nothing says that the column was another
    (store / "meta.json").write_text(json.dumps(meta))
    assert repair(check(store))[1] == 1
    assert check(store).is_whole


def test_nothing_is_whole(store):
    for path in store.glob("shards/*"):
        path.write_bytes(b"")
    with pytest.raises(StoreError, match="not one clip is whole"):
        repair(check(store))
    assert (store / "meta.json").exists()


@pytest.mark.parametrize("moment", ["write_index", "write_quarantine", "_renew_checksums", "half"])
def test_a_repair_that_was_killed_is_undone_and_done_again(moment, store, monkeypatch):
    remove(store)
    result = check(store)
    index = {path.name: path.read_bytes() for path in (store / "index").iterdir()}
    quarantine = read_quarantine(store)

    def killed(*_):
        if moment == "half":
            (store / "meta.json").unlink()
            shutil.rmtree(store / "index")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"{REPAIR}.{'write_index' if moment == 'half' else moment}", killed)
        with pytest.raises(KeyboardInterrupt):
            repair(result)
    if moment == "half":
        with pytest.raises(StoreError, match="panns verify --repair` goes on"):
            ClipStore.open(store)
    with monkeypatch.context() as patch:
        patch.setattr(f"{REPAIR}.is_writable", lambda folder: False)
        with pytest.raises(StoreError, match="a repair was stopped halfway; make the folder writable"):
            check(store)
    again = check(store)
    assert {path.name: path.read_bytes() for path in (store / "index").iterdir()} == index
    assert again.damaged == result.damaged
    assert read_quarantine(store) == quarantine
    repair(again)
    assert check(store).is_whole
    assert not (store / ".repairing").exists()


def test_a_full_disk_leaves_the_store_as_it_was(store, monkeypatch):
    remove(store)
    result = check(store)
    content = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(f"{REPAIR}.shutil.copytree", full)
        with pytest.raises(OSError, match="No space left"):
            repair(result)
    assert {path: path.read_bytes() for path in store.rglob("*") if path.is_file()} == content


def test_command(store, capsys):
    truncate(store)
    assert main(["verify", str(store), "--repair", "--jobs", "1"]) == 1
    said = capsys.readouterr().out
    assert "repaired: " in said
    assert "dropped.csv are in" in said
    assert "in quarantine" not in said  # what was damaged is dropped: no list of it stays
    assert not (store / "quarantine.csv").exists()
    assert main(["verify", str(store), "--repair", "--jobs", "1", "--all"]) == 0
    assert "no damage" in capsys.readouterr().out
    assert main(["info", str(store)]) == 0
    said = capsys.readouterr().out
    assert "clips dropped, named in" in said
    left = len(ClipStore.open(store))
    assert re.search(rf"packed +{left} .*dropped +{36 - left} ", said, re.DOTALL)
    assert json.loads((store / "meta.json").read_text())["counts"]["packed"] == 36
