"""Everything that `panns report` writes into a study's folder."""

import csv
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from panns.studies.gathering import MISSING
from panns.studies.outcome import SCORES, Outcome
from panns.studies.report import class_pictures, curves, pictures, rendering
from panns.studies.report.content import Picture
from panns.studies.report.result_sections import class_names
from panns.studies.report.run_sections import Source, link
from panns.studies.report.sections import sections
from panns.studies.runs import FAILED
from panns.studies.statistics import false_discovery
from panns.training.start import START
from panns.whole_files import written_whole

REPORT, RESULTS, CLASS_GAINS = "report.md", "results.csv", "class_gains.csv"
COSTS = ("parameters", "macs", "multi_adds")


def write_report(outcome: Outcome, source: Source) -> list[str]:
    """Write pictures, tables, report.md and report.html -> the names of the files.

    Pictures of an earlier report that have nothing to show any more are removed.
    """
    source.out.mkdir(parents=True, exist_ok=True)
    drawn = draw(outcome, source.out)
    title = f"{outcome.study.name}: {outcome.study.question}"
    parts = sections(outcome, drawn, source)
    _write(source.out / RESULTS, _csv(run_rows(outcome, source.out)))
    gains = class_rows(outcome)
    if gains:
        _write(source.out / CLASS_GAINS, _csv(gains))
    else:
        (source.out / CLASS_GAINS).unlink(missing_ok=True)
    _write(source.out / REPORT, rendering.markdown(title, parts))
    _write(source.out / "report.html", rendering.html(title, parts, source.out))
    tables = [RESULTS, *([CLASS_GAINS] if gains else [])]
    return [REPORT, "report.html", *tables, *(f"{picture.name}.png" for picture in drawn)]


def draw(outcome: Outcome, out: Path) -> list[Picture]:
    """Draw what there is to draw of a study."""
    metric = outcome.metric
    works: list[tuple[str, Callable[[Outcome, Path], bool], str]] = [
        ("scores", pictures.scores, f"{metric} of each row"),
        ("score_by_x", pictures.score_by_x, f"{metric} over {outcome.study.x}"),
        ("learning_curves", curves.learning_curves, f"{metric} of the validation clips during training"),
        ("cost", pictures.score_by_cost, f"{metric} over cost"),
        (
            "class_ap",
            class_pictures.class_scatter,
            "Average precision of each class, mean over the seeds, against the paper's",
        ),
    ]
    drawn = []
    for name, work, about in works:
        if work(outcome, out / name):
            drawn.append(Picture(name, about))
        else:
            for suffix in (".png", ".svg"):
                (out / name).with_suffix(suffix).unlink(missing_ok=True)
    return drawn


def run_rows(outcome: Outcome, out: Path) -> list[dict[str, object]]:
    """One line a run, those that are missing too."""
    rows: list[dict[str, object]] = []
    for row in outcome.rows:
        about: dict[str, object] = {"row": row.label, "x": row.row_runs.row.x}
        for run in row.row_runs.runs:
            facts: dict[str, object] = {"seed": run.seed, "state": run.status, "run": run.name, "place": link(run, out)}
            facts |= {name: run.score(name) for name in SCORES}
            facts |= {name: run.results.get(name) for name in ("step", "seconds", "device")}
            facts |= {name: run.results.get("model", {}).get(name) for name in COSTS}
            fingerprint = run.results.get("fingerprint", {})
            facts |= {
                f"{role}_data": fingerprint.get(role, {}).get("id_hash") for role in ("train", "validation", "test")
            }
            facts |= {f"{START}_{key}": value for key, value in fingerprint.get(START, {}).items()}
            error = run.error if run.status == FAILED else ""  # of an earlier start, where it is finished by now
            facts |= {"clips": run.results.get(f"{run.role}/num_clips"), "error": error}
            rows.append(about | facts)
        rows += [about | {"seed": seed, "state": MISSING} for seed in row.row_runs.missing]
    return rows


def class_rows(outcome: Outcome) -> list[dict[str, object]]:
    """One line for each class of each row that was compared by the clips."""
    rows: list[dict[str, object]] = []
    names = class_names(outcome)
    for row, against in outcome.compared:
        if against.over_clips is None or outcome.metric != "mAP":
            continue
        gains, p = against.over_clips.per_class, against.over_clips.p
        adjusted = false_discovery(p)
        for k in np.flatnonzero(~np.isnan(gains)):
            of_class: dict[str, object] = {"row": row.label, "class": names[k], "gain": f"{gains[k]:.5f}"}
            rows.append(of_class | {"p": _short(p[k]), "adjusted_p": _short(adjusted[k])})
    return rows


def _short(p: float) -> str:
    return "" if np.isnan(p) else f"{p:.3g}"


def _csv(rows: Sequence[dict[str, object]]) -> str:
    text = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    with written_whole(path) as file:
        file.write(text)
