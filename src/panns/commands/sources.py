"""What `panns pack` and `panns index` share: the form and the store they are told, and what they print."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from panns.commands.folders import local_folder
from panns.commands.forms import FORMS
from panns.commands.numbers import seconds, whole
from panns.data.parts import Part, part_folder
from panns.data.report import ImportReport, print_counts
from panns.data.store import ClipStore

MOST_NAMED = 5  # classes without a clip


def add_sources(parser: argparse.ArgumentParser, in_place: bool) -> dict[str, argparse.ArgumentParser]:
    """Add the forms as subcommands -> their parsers, for the arguments of the command itself.

    Args:
        in_place: only the forms whose clips can be read where they lie.
    """
    subparsers = parser.add_subparsers(dest="form", required=True, metavar="FORM", title="forms")
    parsers = {}
    for name, form in FORMS.items():
        if form.in_place or not in_place:
            parsers[name] = subparsers.add_parser(name, help=form.help, description=form.help)
            form.add_arguments(parsers[name])
            _add_store(parsers[name])
            parsers[name].set_defaults(source=form.source)
    return parsers


def run_import(args: argparse.Namespace, command: Callable[..., ImportReport], **options: Any) -> int:
    """Run `pack` or `index` as the arguments say, then print the report."""
    part = Part.parse(args.part) if args.part else None
    given = {name: getattr(args, name) for name in ("sample_rate", "clip_seconds", "jobs")}
    report = command(args.source(args), args.out, part=part, **given, **options)
    print_result(part_folder(args.out, part) if part else args.out, report)
    if part:
        print(f"part {part} is done; when all are: panns merge {args.out}")
    return 0


def print_result(out: Path, report: ImportReport) -> None:
    """Say what was made."""
    print_counts(report.counts)
    store = ClipStore.open(out)
    clips = ", ".join(f"{split} {len(store.rows([split])):,}" for split in store.splits)
    classes = f"{store.num_classes} classes{without_clips(store)}"
    print(f"{out}: {len(store):,} clips ({clips}), {classes}; names in {out / 'report.csv'}")


def without_clips(store: ClipStore) -> str:
    """-> " (2 without a clip: cat; cow)", or nothing where each class of the store has one."""
    counts = store.class_counts(np.arange(len(store)))
    absent = [label.name for label, count in zip(store.classes, counts, strict=True) if not count]
    if not absent:
        return ""
    names = f": {'; '.join(absent)}" if len(absent) <= MOST_NAMED else ""
    return f" ({len(absent)} without a clip{names})"


def _add_store(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=local_folder, required=True, metavar="STORE", help="folder of the store")
    parser.add_argument("--name", help="name of the store")
    parser.add_argument("--sample-rate", type=whole(1000), default=32000, metavar="HZ", help="default: %(default)s")
    parser.add_argument("--clip-seconds", type=seconds, metavar="S", help="default: 10; esc50: 5")
    parser.add_argument("--jobs", type=whole(1), metavar="N", help="processes; default: all cores")
    parser.add_argument("--part", metavar="K/N", help="this part of the clips alone; `panns merge STORE` joins them")
