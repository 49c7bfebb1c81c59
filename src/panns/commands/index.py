"""`panns index`: a store over files that stay where they are."""

import argparse

from panns.commands.sources import add_sources, print_result
from panns.data.packing import index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Source and store."""
    add_sources(parser)


def run(args: argparse.Namespace) -> int:
    """Index, then print the report."""
    report = index(
        args.source(args), args.out, sample_rate=args.sample_rate, clip_seconds=args.clip_seconds, jobs=args.jobs
    )
    print_result(args.out, report)
    return 0
