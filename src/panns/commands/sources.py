"""Arguments that `panns pack` and `panns index` share: which clips, and where the store goes."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from panns.data.audioset import AudioSetSource
from panns.data.importers import Esc50Source, ManifestSource, Source
from panns.data.parts import Part, part_folder
from panns.data.report import ImportReport, print_counts
from panns.data.store import ClipStore


def add_sources(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    """Add the kinds of source as subcommands -> their parsers, for the arguments of the command itself."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="{audioset,csv,esc50}")
    audioset = kinds.add_parser("audioset", help="official segment lists and a folder of audio files")
    audioset.add_argument("--segments", nargs="+", type=Path, required=True, metavar="CSV", help="one split each")
    audioset.add_argument("--audio", type=Path, required=True, metavar="DIR", help="searched with all folders below")
    audioset.set_defaults(source=_audioset)
    own = kinds.add_parser("csv", help="own data: a CSV with columns path,labels[,start,end][,fold or split]")
    own.add_argument("--manifest", type=Path, required=True, metavar="CSV")
    own.add_argument("--classes", metavar="FILE", help="one class a line, or `audioset`; default: all in the data")
    own.add_argument("--audio", type=Path, metavar="DIR", help="where the paths start; default: beside the CSV")
    own.add_argument("--single-label", action="store_true", help="each clip has exactly one class")
    own.set_defaults(source=_manifest)
    esc50 = kinds.add_parser("esc50", help="the ESC-50 layout: meta/esc50.csv and audio/")
    esc50.add_argument("--root", type=Path, required=True, metavar="DIR")
    esc50.set_defaults(source=_esc50)
    parsers = [audioset, own, esc50]
    for kind in parsers:
        kind.add_argument("--out", type=Path, required=True, metavar="STORE", help="folder of the store")
        kind.add_argument("--name", help="name of the store")
        kind.add_argument("--sample-rate", type=int, default=32000, metavar="HZ", help="default: %(default)s")
        kind.add_argument("--clip-seconds", type=float, metavar="S", help="default: 10; esc50: 5")
        kind.add_argument("--jobs", type=int, metavar="N", help="processes; default: all cores")
        kind.add_argument("--part", metavar="K/N", help="this part of the clips alone; `panns merge STORE` joins them")
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
    print(f"{out}: {len(store):,} clips ({clips}), {store.num_classes} classes; names in {out / 'report.csv'}")


def _audioset(args: argparse.Namespace) -> Source:
    return AudioSetSource(args.segments, args.audio, name=args.name or AudioSetSource.name)


def _manifest(args: argparse.Namespace) -> Source:
    name = args.name or args.manifest.stem
    return ManifestSource(args.manifest, args.classes, args.audio, name=name, single_label=args.single_label)


def _esc50(args: argparse.Namespace) -> Source:
    return Esc50Source(args.root, name=args.name or Esc50Source.name)
