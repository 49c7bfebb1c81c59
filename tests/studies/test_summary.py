"""The lines at the end of a sweep."""

import json
from pathlib import Path

from omegaconf import OmegaConf

from panns.studies.jobs import SweepJob
from panns.studies.summary import summarise


def summary(folder: Path, scores: list[float | None], capsys, starts=()) -> tuple[list[str], dict]:
    """What is printed and written of jobs of these scores, two seeds a label."""
    sweep = {"sweep": {"dir": str(folder)}}
    config = OmegaConf.create({"objective": "val/d_prime", "name": "x", "data": {}, "hydra": sweep})
    jobs = []
    for number, score in enumerate(scores):
        place = folder / str(number)
        place.mkdir(parents=True)
        results = {"val/mAP": 1.0} | ({} if score is None else {"val/d_prime": score})
        results |= {"fingerprint": {"start": {"weights": starts[number]}}} if starts else {}
        (place / "metrics.json").write_text(json.dumps(results))
        jobs.append(SweepJob((), f"row {number // 2}", number, place, config))
    summarise("x", config, jobs, None)
    (path,) = folder.glob("x-summary-*/summary.json")
    return capsys.readouterr().out.splitlines(), json.loads(path.read_text())


def test_mean_and_spread(tmp_path, capsys):
    said, written = summary(tmp_path, [1.0, 2.0, 4.0, 4.5], capsys)
    assert said[0] == "  row 0: val/d_prime 1.5000, sd 0.7071, 2 seeds"
    assert said[1] == "  row 1: val/d_prime 4.2500, sd 0.3536, 2 seeds"
    assert said[2].startswith("val/d_prime: mean 2.8750, sd 1.6520, 4 jobs; ")
    assert (written["mean"], round(written["sd"], 4)) == (2.875, 1.652)


def test_seeds_that_started_from_different_weights_are_not_averaged(tmp_path, capsys):
    said, written = summary(tmp_path, [1.0, 2.0, 3.0, 4.0], capsys, starts=("aaa", "bbb", "aaa", "aaa"))
    assert said[0] == "  row 0: val/d_prime not averaged, different start.weights: aaa (seed 0); bbb (seed 1)"
    assert said[1].startswith("  row 1: val/d_prime 3.5000")
    assert said[2].startswith("val/d_prime: of different data or first weights, no mean; ")
    assert (written["mean"], written["sd"]) == (None, None)


def test_jobs_without_the_score_are_counted_apart(tmp_path, capsys):
    said, written = summary(tmp_path, [1.0, None, None, None], capsys)  # d' is infinite where mAP is 1
    assert said[:2] == ["  row 0: val/d_prime 1.0000, 1 without a value", "  row 1: val/d_prime no value"]
    assert said[2].startswith("val/d_prime: mean 1.0000, 3 without a value; ")
    assert [job["value"] for job in written["jobs"]] == [1.0, None, None, None]
    said, written = summary(tmp_path / "none", [None], capsys)
    assert said[0] == "  row 0: val/d_prime no value"
    assert (written["mean"], written["sd"]) == (None, None)
