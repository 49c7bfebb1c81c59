"""`panns report` on runs that train.py made."""

import csv
import json
import re
from pathlib import Path

import pytest

from panns.cli import main
from panns.commands.report import place
from runs import SMALL, start

OF_ALL_ROWS = [word for word in SMALL if not word.startswith("model.frontend.n_mels=")]


@pytest.fixture(scope="module")
def runs(tones, tmp_path_factory):
    """Two rows of a study, a seed each."""
    folder = tmp_path_factory.mktemp("study") / "runs"
    folder.mkdir()
    for name, row in (("a", ["model.frontend.n_mels=32"]), ("b", ["model.frontend.n_mels=64"])):
        command = ["hydra.mode=RUN", "experiment=mel_bins_demo", *row, "seed=0", "data.max_epochs=1"]
        done = start(tones, folder / name, *command)
        assert done.returncode == 0, done.stderr
    return folder


def test_runs_of_train_py_are_found_and_compared(runs, tones, tmp_path, capsys):
    given = [*OF_ALL_ROWS, f"data.store={tones}", "data.max_epochs=1"]
    command = ["report", "mel_bins_demo", *given, "--runs", str(runs), "--out", str(tmp_path), "--resamples", "200"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert "2 of 9 runs are finished, 7 missing." in said.out
    assert said.err.count("resampling the 12 clips of") == 2
    with (tmp_path / "results.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["state"] == "finished"]
    assert [(row["row"], row["seed"]) for row in rows] == [("32 bins", "0"), ("64 bins", "0")]
    for row, name in zip(rows, "ab", strict=True):
        results = json.loads((runs / name / "metrics.json").read_text())
        assert float(row["mAP"]) == results["val/mAP"]
        assert int(row["macs"]) == results["model"]["macs"]
        assert row["device"] == results["device"]
    text = (tmp_path / "report.md").read_text()
    assert "## Against 64 bins" in text
    assert "kept no scores" not in text
    assert " ".join(["`panns report mel_bins_demo", *OF_ALL_ROWS[:2]]) in text


def test_without_a_finished_run_the_exit_code_says_so(runs, tmp_path, capsys):
    assert main(["report", "mel_bins_demo", "--runs", str(runs), "--out", str(tmp_path)]) == 1
    assert f"None of the 2 runs in {runs} is of mel_bins_demo." in capsys.readouterr().err
    assert (tmp_path / "report.html").is_file()


def test_seeds_as_they_were_given_to_train(runs, tones, tmp_path, capsys):
    given = [*OF_ALL_ROWS, f"data.store={tones}", "data.max_epochs=1"]
    for seeds, state in (("seed=0", "2 of 3 runs are finished, 1 missing."), ("seed=0,4", "2 of 6 runs are finished")):
        command = ["report", "mel_bins_demo", *given, "--runs", str(runs), "--out", str(tmp_path)]
        assert main([*command, "--resamples", "2", seeds]) == 0  # options may stand between
        assert state in capsys.readouterr().out
    lines = (tmp_path / "report.md").read_text().splitlines()
    assert any(line.startswith("python train.py -m ") and line.endswith(" seed=0,4") for line in lines)


def test_a_report_does_not_give_way_to_one_of_nothing(runs, tones, tmp_path, capsys):
    out, none = tmp_path / "out", tmp_path / "none"
    none.mkdir()
    of = ["report", "mel_bins_demo", *OF_ALL_ROWS, f"data.store={tones}", "--out", str(out), "--resamples", "3"]
    assert main([*of, "data.max_epochs=1", "--runs", str(runs)]) == 0
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    assert b"--resamples 3" in before["report.md"]
    assert main([*of, "data.max_epochs=1", "--runs", str(none)]) == 1
    assert f"{out / 'report.md'} stays as it is" in capsys.readouterr().err
    for other in (of, ["report", "data_size_demo", *of[2:], "data.max_epochs=1"]):
        assert main([*other, "--runs", str(runs)]) == 2
        assert f"{out / 'report.md'} was made by `panns report mel_bins_demo" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert main([*of, "data.max_epochs=1", "--runs", str(runs), "--out", "/proc/x"]) == 2
    assert "/proc/x cannot be written (No such file or directory): make room or choose" in capsys.readouterr().err


def test_runs_made_with_other_options_are_named_with_these(runs, tones, tmp_path, capsys):
    given = [*OF_ALL_ROWS, f"data.store={tones}", "data.max_epochs=2"]
    assert main(["report", "mel_bins_demo", *given, "--runs", str(runs), "--out", str(tmp_path)]) == 1
    line = f"{runs / 'a'} and 1 more: of no row, but for data.max_epochs 1 there, 2 here."
    assert line in capsys.readouterr().out
    assert line in (tmp_path / "report.md").read_text().replace("\\", "")
    other = ["--runs", str(runs), "--out", str(tmp_path / "other")]
    of_another = ["report", "data_size_demo", *given, "data.max_epochs=1", *other]
    assert main([*of_another, "--resamples", "2"]) == 0
    said = capsys.readouterr().out
    assert "1 of 24 runs are finished" in said  # 64 bins are all clips
    assert "of no row" not in said  # 32 bins were never meant for it


@pytest.mark.parametrize(
    ("argument", "name", "folder"),
    [
        ("depth", "depth", "experiments/depth"),
        ("experiments/depth", "depth", "experiments/depth"),
        ("experiments/depth/", "depth", "experiments/depth"),
        ("depth_demo", "depth_demo", "experiments/depth/demo"),
        ("experiments/data_size/demo", "data_size_demo", "experiments/data_size/demo"),
        ("/my/experiments/depth/demo", "depth_demo", "/my/experiments/depth/demo"),
    ],
)
def test_a_study_is_named_by_its_folder_or_its_name(argument, name, folder):
    assert place(argument) == (name, Path(folder))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["experiments"], "'experiments' names no study"),
        (["/somewhere/depth"], "'/somewhere/depth' names no study"),
        (["demo"], "The experiment demo is a single run, not a study"),
        (["depth", "--runs", "nowhere"], "There is no folder nowhere to look for runs in"),
        (["depth", "--resamples", "1"], "--resamples 1: at least two are needed"),
        (["experiments/depth", "experiment=data_size"], "experiment=data_size: the study is depth; name the other one"),
        (["depth", "row='ResNet 22'"], "row='ResNet 22': a report is of all rows of its study"),
        (["mel_bins", "model.frontend.n_mels=40"], "model.frontend.n_mels=40 sets for all rows of mel_bins what they"),
        (["mel_bins", "study.rows=null"], "study.rows of mel_bins is empty"),
        (["depth", "--resamples", "9", "experiment=data_size"], "experiment=data_size: the study is depth"),
    ],
)
def test_mistakes_are_told_in_a_line(wrong, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["report", *wrong]) == 2
    said = capsys.readouterr()
    assert says in said.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("word", ["seed=[1", "seed=a", "modle=cnn6"])
def test_overrides_are_checked_as_those_of_train(word, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=f"{re.escape(word)}: |'modle'"):
        main(["report", "depth", word])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", [["report", "depth", "seed=1", "--sed", "2"], ["info", "store", "seed=1"]])
def test_words_that_mean_nothing_are_refused(command, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(command)
    assert f"unrecognized arguments: {' '.join(command[3:] or command[2:])}" in capsys.readouterr().err


def test_an_unknown_study_and_an_unknown_key_are_told_with_the_nearest_name(capsys):
    for wrong, says in ((["dept"], "Did you mean experiment=depth?"), (["depth", "optimizer.lrr=1"], "optimizer.lr?")):
        with pytest.raises(SystemExit, match=r"There is no") as told:
            main(["report", *wrong])
        assert says in str(told.value)
