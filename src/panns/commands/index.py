"""`panns index`: a store over files that stay where they are."""

import argparse

from panns.commands.sources import add_sources, run_import
from panns.data.packing import index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Source and store."""
    add_sources(parser)


def run(args: argparse.Namespace) -> int:
    """Index, then print the report."""
    return run_import(args, index)
