"""`panns verify`: whether a store is whole and complete; damaged clips go into quarantine, or out of the store."""

import argparse
from pathlib import Path

from rich.console import Console

from panns.commands.folders import local_folder
from panns.commands.numbers import whole
from panns.data.verification import repair, verify
from panns.data.verification.checksums import INDEX_CHANGED
from panns.data.verification.report import WIDTH, print_report, write_report
from panns.data.verification.writing import FULL, check_writable, disk_full


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Store, how much is read, and what is done about damage."""
    parser.add_argument("store", metavar="STORE", help="its folder")
    parser.add_argument(
        "--segments", nargs="+", type=Path, default=[], metavar="CSV", help="official lists to compare labels with"
    )
    how_many = parser.add_mutually_exclusive_group()
    how_many.add_argument(
        "--sample",
        type=whole(0),
        default=1000,
        metavar="N",
        help="clips to read, spread over all files (default: %(default)s)",
    )
    how_many.add_argument("--all", action="store_true", help="read all clips and hash all files; can be interrupted")
    parser.add_argument("--seed", type=whole(0), default=0, help="another one is another sample (default: %(default)s)")
    parser.add_argument("--repair", action="store_true", help="write the index anew without what is damaged")
    parser.add_argument("--out", type=local_folder, metavar="DIR", help="where the report goes; default: STORE/verify")
    parser.add_argument("--jobs", type=whole(1), metavar="N", help="processes; default: all cores")


def run(args: argparse.Namespace) -> int:
    """Verify, report, repair.

    Returns:
        0, or 1 where damage was found, repaired or not.

    Raises:
        StoreError: the store cannot be checked, or there is no room to write.
    """
    root = Path(args.store)
    out = args.out or root / "verify"
    try:
        return _verify(args, root, out)
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise disk_full(root, out, error) from error


def _verify(args: argparse.Namespace, root: Path, out: Path) -> int:
    if args.repair and root.is_dir():
        check_writable(root, root)
    result = verify(
        args.store,
        lists=args.segments,
        sample=args.sample,
        everything=args.all,
        seed=args.seed,
        out=out,
        jobs=args.jobs,
    )
    repairing = args.repair and not result.is_whole
    write_report(result, out, repairing)
    console = Console(width=WIDTH, soft_wrap=True)
    print_report(result, console, repairing)
    console.print(f"report: {out}/report.txt, findings.csv, classes.csv, class_coverage.png", highlight=False)
    if result.is_whole:
        return 0
    if repairing:
        aside, dropped = repair(result)
        console.print(
            f"repaired: {dropped:,} clips dropped, {len(result.store) - dropped:,} kept; the former index and "
            f"dropped.csv are in {aside}",
            highlight=False,
        )
    elif result.index_changed:
        console.print(
            f"{result.index_changed[0]}: {INDEX_CHANGED}; --repair cannot mend an index, and no clip was put into "
            "quarantine by it",
            highlight=False,
        )
    else:
        console.print(f"`panns verify {args.store} --repair` drops what is damaged and keeps the rest", highlight=False)
    return 1
