"""`panns pack`: decode, mix to mono, resample, and write clips into tar shards."""

import argparse

from panns.commands.numbers import whole
from panns.commands.sources import add_sources, run_import
from panns.data.packing import PACK_CODECS, pack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Source, store, and how the clips are written."""
    for name, form in add_sources(parser, in_place=False).items():
        form.add_argument(
            "--codec",
            choices=PACK_CODECS,
            default="mp3" if name == "passt" else "flac",
            help="flac: lossless, half the size; pcm: fastest to read; mp3: mono MP3 of the right rate, copied. "
            "Default: %(default)s",
        )
        form.add_argument("--shard-mb", type=whole(1), default=1024, metavar="MIB", help="default: %(default)s")
        form.add_argument(
            "--allow-upsampling", action="store_true", help="even if most of the audio has a lower rate than the store"
        )


def run(args: argparse.Namespace) -> int:
    """Pack, then print the report."""
    options = {"codec": args.codec, "shard_mb": args.shard_mb, "allow_upsampling": args.allow_upsampling}
    return run_import(args, pack, **options)
