"""Sections about the runs: which are there, which are missing, and which may not be averaged."""

import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from panns.studies.gathering import MISSING, scored_data
from panns.studies.jobs import ROW, SEED
from panns.studies.outcome import Outcome
from panns.studies.report import wording
from panns.studies.report.content import Cell, Section, table
from panns.studies.report.wording import NONE, listed
from panns.studies.runs import FAILED, FINISHED, FoundRun
from panns.studies.study import Row, Study, quoted
from panns.training.start import START

MADE_BY = "Made by "


@dataclass(frozen=True)
class Source:
    """Where a report comes from and goes to.

    Attributes:
        command: That makes it again.
        out: Its folder.
        resamples: Of the clips.
        unread: Why runs that look as if they belonged here are left aside: they cannot be read, or are of no row.
    """

    command: str
    out: Path
    resamples: int
    unread: Sequence[str] = ()


def missing(outcome: Outcome, source: Source) -> Section | None:
    """Runs that are not there, not finished or failed, each with its command, and one command for all."""
    rows: list[list[Cell | str]] = []
    for row in outcome.rows:
        open_runs = [run for run in row.row_runs.runs if run.status != FINISHED]
        for seed in row.row_runs.missing:
            rows.append([row.label, str(seed), MISSING, "", "", _code(command(outcome.study, row.row_runs.row, seed))])
        for run in open_runs:
            again = _code(command(outcome.study, row.row_runs.row, run.seed))
            rows.append([row.label, str(run.seed), run.status, _step(run), _linked(run, source.out), again])
    if not rows:
        return Section("Runs left aside", text=source.unread)
    head = ("row", "seed", "state", "at step", "run", "command")
    failed = [
        f"{row.label}, seed {run.seed}: {run.error}"
        for row in outcome.rows
        for run in row.row_runs.runs
        if run.status == FAILED
    ]
    return Section(
        "What is missing",
        text=["One command makes all of it: what is finished is not done again, and what was begun goes on."],
        commands=[command(outcome.study)],
        table=table(head, rows, words=("row", "state", "run", "command")),
        notes=[*failed, *source.unread],
    )


def refused(outcome: Outcome) -> Section | None:
    """Rows whose runs have different data or first weights, and runs that are there twice."""
    lines = []
    if different := [row for row in outcome.rows if row.row_runs.differing]:
        names = listed([row.label for row in different])
        lines.append(f"The runs of {names} differ in the fingerprint of data or first weights; they are not averaged.")
        lines += [f"{row.label}: {fact}" for row in different for fact in row.row_runs.differing]
    for row in outcome.rows:
        for run in row.row_runs.doubles:
            lines.append(f"{row.label}, seed {run.seed}: `{run.place}` is left out, another run is of the same kind.")
    return Section("Not averaged", text=lines) if lines else None


def runs(outcome: Outcome, source: Source) -> Section | None:
    """Each finished run."""
    started = any(_start(run) for row in outcome.rows for run in row.row_runs.finished)
    rows: list[list[Cell | str]] = []
    for row in outcome.rows:
        for run in row.row_runs.finished:
            clips = run.results.get(f"{run.role}/num_clips")
            rows.append(
                [
                    row.label,
                    str(run.seed),
                    wording.score(run.score(outcome.metric)),
                    _step(run),
                    NONE if clips is None else f"{clips:,.0f}",
                    str(scored_data(run).get("id_hash", NONE)),
                    str(run.results.get("fingerprint", {}).get("train", {}).get("id_hash", NONE)),
                    *([str(_start(run) or NONE)] if started else []),
                    wording.duration(run.results.get("seconds")),
                    str(run.results.get("device", NONE)),
                    _linked(run, source.out),
                ]
            )
    if not rows:
        return None
    hashes = ("scored on", "trained on", *(["started from"] if started else []))
    head = ("row", "seed", outcome.metric, "step", "clips", *hashes, "time", "device", "run")
    notes = [
        f"scored on, trained on: hash of the clips and labels{'; started from: of the weights' if started else ''}.",
        *_versions(outcome.finished),
        f"{MADE_BY}`{source.command}`; all numbers of the runs are in `results.csv`.",
    ]
    return Section("Runs", table=table(head, rows, words=("row", *hashes, "device", "run")), notes=notes)


def _start(run: FoundRun) -> str | None:
    """Hash of the weights that a run started from; None for a fresh model."""
    return run.results.get("fingerprint", {}).get(START, {}).get("weights")


def made_by(report: str) -> str:
    """The command that a report, in Markdown, says to be made by; empty if it says none."""
    found = re.search(rf"{MADE_BY}`(.*?)`", report)
    return found.group(1) if found else ""


def command(study: Study, row: Row | None = None, seed: int | None = None) -> str:
    """What trains all of a study; with a row and a seed, that run alone, under the name that it has in the sweep."""
    words = shlex.join(["python", "train.py", "-m", f"experiment={study.name}", *study.overrides])
    if row is None:
        return f"{words} {SEED}={','.join(map(str, study.seeds))}"
    return f"{words} {_for_shell(f'{ROW}={quoted(row.label)}')} {SEED}={seed}"


def _for_shell(word: str) -> str:
    """A word with single quotes in it, which are kept readable where the shell changes nothing between double ones."""
    return shlex.quote(word) if set(word) & set('"$`\\!') else f'"{word}"'


def link(run: FoundRun, out: Path) -> str:
    """Where a run is, as seen from the report's folder."""
    return run.place if run.folder is None else os.path.relpath(run.folder, out)


def _linked(run: FoundRun, out: Path) -> Cell:
    return Cell(run.name, link(run, out))


def _code(text: str) -> str:
    return f"`{text}`"


def _step(run: FoundRun) -> str:
    """How far a run got."""
    if run.status == FINISHED:
        step = run.results.get("step")
        return NONE if step is None else f"{step:,}"
    steps = [int(steps[-1]) for steps, _ in run.history().values() if len(steps)]
    return f"{max(steps):,}" if steps else "0"


def _versions(finished: Sequence[FoundRun]) -> list[str]:
    """Packages that not all runs had in the same version."""
    versions = [run.results.get("versions", {}) for run in finished]
    lines = []
    for package in sorted({package for one in versions for package in one}):
        found = sorted({str(one.get(package)) for one in versions})
        if len(found) > 1:
            lines.append(f"Made with different versions of {package}: {listed(found)}.")
    return lines
