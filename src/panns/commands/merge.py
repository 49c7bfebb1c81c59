"""`panns merge`: one store of the parts that several machines made, or of several stores."""

import argparse
from pathlib import Path

from panns.commands.folders import local_folder
from panns.commands.sources import print_result
from panns.data.merging import MergeError, merge, merge_parts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is joined."""
    parser.add_argument(
        "stores",
        nargs="+",
        type=Path,
        metavar="STORE",
        help="a store made with --part; or, with --out, finished stores",
    )
    parser.add_argument(
        "--out", type=local_folder, metavar="STORE", help="folder of a new store over the stores' files"
    )
    parser.add_argument("--name", help="name of the new store; default: that of its folder")


def run(args: argparse.Namespace) -> int:
    """Join, then print the report."""
    if args.out is None and (len(args.stores) > 1 or args.name):
        raise MergeError("several stores make a new one: say where with --out")
    report = merge(args.stores, args.out, args.name) if args.out else merge_parts(args.stores[0])
    print_result(args.out or args.stores[0], report)
    return 0
