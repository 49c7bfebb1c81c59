"""`panns report`: gathers the runs of a study, compares them with each other and with the paper."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from panns.commands.folders import local_folder
from panns.studies.bootstrap import RESAMPLES
from panns.studies.gathering import gather, near_misses, seeds_of
from panns.studies.outcome import conclude
from panns.studies.report.run_sections import Source, made_by
from panns.studies.report.sections import opening
from panns.studies.report.writing import REPORT, write_report
from panns.studies.runs import find_runs
from panns.studies.study import key_of, load_study
from panns.studies.wandb_runs import wandb_runs
from panns.training.overrides import check_overrides
from panns.zoo import config_dir

EXPERIMENTS, DEMO = Path("experiments"), "_demo"


class PlaceError(ValueError):
    """A study is named by a path that is none, or a report by one that cannot be written."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which study, where its runs are, and where the report goes."""
    parser.add_argument("study", metavar="STUDY", help="its folder, such as experiments/depth, or its name")
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY=VALUE", help="what was given to train.py beside experiment=STUDY"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of the runs (default: %(default)s)"
    )
    where.add_argument("--wandb", metavar="ENTITY/PROJECT", help="read the runs from Weights & Biases instead")
    parser.add_argument(
        "--out", type=local_folder, metavar="DIR", help="folder of the report; default: that of the study"
    )
    parser.add_argument(
        "--resamples", type=int, default=RESAMPLES, metavar="N", help="of the clips scored (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the report.

    Returns:
        0; 1 where nothing is finished yet.
    """
    if args.resamples < 2:
        raise ValueError(f"--resamples {args.resamples}: at least two are needed, and {RESAMPLES:,} are usual.")
    name, folder = place(args.study)
    if other := [word for word in args.overrides if key_of(word) == "experiment"]:
        raise ValueError(f"{other[0]}: the study is {name}; name the other one in its place.")
    if rows := [word for word in args.overrides if key_of(word) == "row"]:
        raise ValueError(f"{rows[0]}: a report is of all rows of its study; leave it out.")
    out = args.out or folder
    _check_is_the_place(out, name, args.overrides)
    check_overrides([f"experiment={name}", *args.overrides], config_dir())
    study = load_study(name, args.overrides)
    runs, unread = wandb_runs(args.wandb) if args.wandb else find_runs(args.runs)
    gathered = gather(study, runs)
    given = any(word.startswith(("seed=", "study.seeds=")) for word in args.overrides)
    if not given and (seeds := seeds_of(gathered, study)) != study.seeds:
        study = replace(study, seeds=seeds)
        gathered = gather(study, runs)
    if not any(row.runs for row in gathered):
        print(f"None of the {len(runs)} runs in {args.wandb or args.runs} is of {name}.", file=sys.stderr)
    unread += near_misses(study, gathered, runs)
    outcome = conclude(study, gathered, args.resamples, lambda line: print(line, file=sys.stderr))
    if not outcome.finished and (out / REPORT).is_file():
        print(study.question, *opening(outcome), *unread, sep="\n")
        print(f"{out / REPORT} stays as it is; --out DIR writes this one elsewhere.", file=sys.stderr)
        return 1
    try:
        written = write_report(outcome, Source(_command(args, out), out, args.resamples, unread))
    except OSError as error:
        why = error.strerror or str(error)
        raise PlaceError(
            f"{out} cannot be written ({why}): make room or choose another --out, and run it again"
        ) from error
    print(study.question, *opening(outcome), *unread, sep="\n")
    for row in outcome.averaged:
        mean, count = row.scores[outcome.metric], len(row.row_runs.averaged)
        print(f"  {row.label:<32} {outcome.metric} {mean.value:.4f}  ({count} {'run' if count == 1 else 'runs'})")
    print(f"{out}: {', '.join(written)}")
    return 0 if outcome.finished else 1


def place(argument: str) -> tuple[str, Path]:
    """A study's folder, or its name -> its name and its folder: "depth" and experiments/depth.

    The demo form of a study lies within its folder: "depth_demo" and experiments/depth/demo.

    Raises:
        PlaceError: it names none.
    """
    path = Path(argument)
    root, parts = EXPERIMENTS, path.parts
    if EXPERIMENTS.name in parts:
        below = len(parts) - parts[::-1].index(EXPERIMENTS.name)
        root, parts = Path(*parts[:below]), parts[below:]
    name = "_".join(parts)
    if not name or (path.is_absolute() and root == EXPERIMENTS):
        raise PlaceError(f"{argument!r} names no study: give its folder, such as experiments/depth, or its name.")
    study = name.removesuffix(DEMO)
    return name, root / study if study == name else root / study / "demo"


def _check_is_the_place(out: Path, name: str, overrides: Sequence[str]) -> None:
    """Refuses to put a report in the place of another study's, or of one made with other keys; other seeds are none."""
    if (out / REPORT).is_file() and (made := made_by((out / REPORT).read_text(encoding="utf-8"))):
        study, *words = shlex.split(made)[2:]
        before, now = (
            {word for word in given if "=" in word and not word.startswith(("--", "seed="))}
            for given in (words, overrides)
        )
        if (place(study)[0], before) != (name, now):
            raise ValueError(
                f"{out / REPORT} was made by `{made}`, with other keys: --out DIR writes this one elsewhere; "
                "to put it there, remove that one first."
            )


def _command(args: argparse.Namespace, out: Path) -> str:
    """The command as it can be given again, whatever the folder was called."""
    words = ["panns", "report", args.study, *args.overrides]
    if args.wandb:
        words += ["--wandb", args.wandb]
    elif args.runs != Path("runs"):
        words += ["--runs", str(args.runs)]
    if args.resamples != RESAMPLES:
        words += ["--resamples", str(args.resamples)]
    if args.out:
        words += ["--out", str(out)]
    return shlex.join(words)
