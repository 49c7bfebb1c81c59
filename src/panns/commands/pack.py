"""`panns pack`: decode, mix to mono, resample, and write clips into tar shards."""

import argparse

from panns.commands.sources import add_sources, print_result
from panns.data.packing import PACK_CODECS, pack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Source, store, and how the clips are written."""
    for kind in add_sources(parser):
        kind.add_argument("--codec", choices=PACK_CODECS, default="flac", help="default: %(default)s")
        kind.add_argument("--shard-mb", type=int, default=1024, metavar="MIB", help="default: %(default)s")


def run(args: argparse.Namespace) -> int:
    """Pack, then print the report."""
    report = pack(
        args.source(args),
        args.out,
        sample_rate=args.sample_rate,
        clip_seconds=args.clip_seconds,
        codec=args.codec,
        jobs=args.jobs,
        shard_mb=args.shard_mb,
    )
    print_result(args.out, report)
    return 0
