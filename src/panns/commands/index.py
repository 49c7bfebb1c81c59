"""`panns index`: a store over audio that stays where it is."""

import argparse

from panns.commands.sources import add_sources, run_import
from panns.data.packing import CHECKS, index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Source and store."""
    for name, form in add_sources(parser, in_place=True).items():
        form.set_defaults(check="all")
        if name == "panns-hdf5":
            form.add_argument(
                "--check",
                choices=CHECKS,
                default="sample",
                help="sample: read one row in 100, in minutes for AudioSet; the others get no checksum, and a "
                "silent one stays. all: read all 1.3 TB. Default: %(default)s",
            )


def run(args: argparse.Namespace) -> int:
    """Index, then print the report."""
    return run_import(args, index, check=args.check)
