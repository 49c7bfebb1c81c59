"""`panns verify` on whole stores, stopped ones, and as a user types it."""

import csv
import errno
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from panns.cli import main
from panns.data.quarantine import read_quarantine, write_quarantine
from panns.data.store import ClipStore
from panns.data.store_files import StoreError
from panns.data.verification import checking
from panns.data.verification.checksums import read_checksums
from panns.data.verification.report import write_report
from verifying import check, damaged, flip, found


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
    assert main(["verify", str(tmp_path / "nowhere"), "--repair"]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()
    (tmp_path / "empty").mkdir()
    assert main(["verify", str(tmp_path / "empty")]) == 2
    assert "no finished store" in capsys.readouterr().err
    assert not list((tmp_path / "empty").iterdir())
    with pytest.raises(SystemExit, match="2"):
        main(["verify", str(store), "--sample", "-1"])
    assert "--sample: -1: give a whole number of at least 0" in capsys.readouterr().err
    (store / "SHA256SUMS").write_text("no sums\n")
    assert main(["verify", str(store)]) == 2
    assert "SHA256SUMS, line 1: no checksum" in capsys.readouterr().err
    assert main(["verify", "s3://bucket/store"]) == 2
    assert "checks a store in a folder" in capsys.readouterr().err


@pytest.fixture
def read_only(store, monkeypatch):
    """The store on a disk that cannot be written, whoever asks."""
    honest_access, honest_mkdir = os.access, Path.mkdir

    def access(path, mode):
        return honest_access(path, mode) and not (mode & os.W_OK and Path(path).is_relative_to(store))

    def mkdir(path, *args, **options):
        if path.is_relative_to(store) and not path.exists():
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        honest_mkdir(path, *args, **options)

    monkeypatch.setattr(os, "access", access)
    monkeypatch.setattr(Path, "mkdir", mkdir)
    return store


def content(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_store_that_cannot_be_written_is_refused_before_anything_is_read(read_only, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checking, "look_at_files", interrupt)
    for options in ([], ["--out", str(read_only / "mine")], ["--repair", "--out", str(tmp_path / "mine")]):
        assert main(["verify", str(read_only), "--jobs", "1", *options]) == 2
        said = capsys.readouterr().err
        assert "as the store is read-only; say --out DIR with a folder elsewhere for a report alone" in said
    (tmp_path / "file").touch()
    monkeypatch.undo()
    assert main(["verify", str(read_only), "--out", str(tmp_path / "file")]) == 2
    assert f"{tmp_path / 'file'}: File exists; name another folder for the report with --out" in capsys.readouterr().err


def test_a_store_that_cannot_be_written_has_its_report_elsewhere(read_only, tmp_path, capsys):
    flip(read_only / "shards" / "00000.tar", 2000)
    before, out = content(read_only), tmp_path / "mine"
    assert main(["verify", str(read_only), "--all", "--jobs", "1", "--out", str(out)]) == 1
    assert content(read_only) == before
    says = f"{read_only}: read-only, so checksums and quarantine could not be kept there"
    for said in (capsys.readouterr().out, (out / "report.txt").read_text()):
        assert says in " ".join(said.split())
        assert "in quarantine, left out by every run" not in said
    with (out / "findings.csv").open() as file:
        assert [row["what"] for row in csv.DictReader(file)] == ["damaged"]


@pytest.mark.parametrize("place", ["Ledger.append", "write_checksums", "write_quarantine"])
def test_a_full_disk_is_told_with_its_remedy(place, store, tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    flip(store / "shards" / "00000.tar", 2000)
    with monkeypatch.context() as patch:
        patch.setattr(f"panns.data.verification.checking.{place}", full)
        for options, where in (([], f"{store}"), (["--out", str(tmp_path / "a")], f"{store} or {tmp_path / 'a'}")):
            assert main(["verify", str(store), "--jobs", "1", *options]) == 2
            says = (
                f"panns verify: {where}: No space left on device; what was checked is kept, make room and run the same"
            )
            assert says in capsys.readouterr().err
    assert main(["verify", str(store), "--jobs", "1"]) == 1


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
