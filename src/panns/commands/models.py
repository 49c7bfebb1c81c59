"""`panns models`: all models with their published scores, their size and their speed on this machine."""

import argparse
from pathlib import Path

from panns.drawing import check_drawable
from panns.model_table.picture import map_against_multi_adds
from panns.model_table.rows import chosen_models, model_row
from panns.model_table.text import around_markers, heading, line, markdown, notes, write_between_markers


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which models, what is measured, and where else it goes."""
    parser.add_argument("models", nargs="*", metavar="MODEL", help="presets of conf/model; default: all")
    parser.add_argument("--no-speed", action="store_true", help="count only: no clips/s, done in seconds")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="put the table between the markers in this file")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw mAP against multi-adds, the paper's Fig. 5")


def run(args: argparse.Namespace) -> int:
    """Print each row as soon as it is known, then the notes; write what was asked for."""
    if args.markdown:
        around_markers(args.markdown)  # a file without them is refused before anything is measured
    if args.picture:
        check_drawable(args.picture)
    names = chosen_models(args.models)
    print(heading(names), flush=True)
    rows = []
    for name in names:
        rows.append(model_row(name, speed=not args.no_speed))
        print(line(rows[-1], names), flush=True)
    print("", *notes(rows), sep="\n")
    if args.markdown:
        write_between_markers(markdown(rows), args.markdown)
    if args.picture:
        map_against_multi_adds(rows, args.picture)
    return 0
