"""`panns pack`: decode, mix to mono, resample, and write clips into tar shards."""

import argparse

from panns.commands.sources import add_sources, run_import
from panns.data.packing import PACK_CODECS, pack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Source, store, and how the clips are written."""
    for kind in add_sources(parser):
        kind.add_argument("--codec", choices=PACK_CODECS, default="flac", help="default: %(default)s")
        kind.add_argument("--shard-mb", type=int, default=1024, metavar="MIB", help="default: %(default)s")


def run(args: argparse.Namespace) -> int:
    """Pack, then print the report."""
    return run_import(args, pack, codec=args.codec, shard_mb=args.shard_mb)
