"""`panns download`: fetches what the authors of PANNs released."""

import argparse
import sys
from collections.abc import Sequence

from panns.cache_folder import CACHE, cache_dir
from panns.weights.cache import fetch
from panns.weights.catalog import MIRROR, ReleasedFile, released_file, released_files
from panns.weights.transfer import DownloadError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which."""
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("models", nargs="*", default=[], metavar="MODEL", help="names as in model=: cnn14, ...")
    which.add_argument("--all", action="store_true", help="every released checkpoint")
    which.add_argument("--list", action="store_true", help="say what there is, and what is here already")
    parser.epilog = (
        f"The files go into {CACHE}, by default ~/.cache/panns, and come from Zenodo or, if it is set, from "
        f"{MIRROR}/<file>. A file that is put there by hand is checked and used."
    )


def run(args: argparse.Namespace) -> int:
    """Fetch one after the other; a file that cannot be had does not keep the others."""
    if args.list:
        for file in released_files().values():
            print(_line(file))
        print(
            f"Files lie in {cache_dir()}; whatever is here, also what is put there by hand, is checked when it is used."
        )
        return 0
    files = list(released_files().values()) if args.all else _named(args.models)
    failed = []
    for file in files:
        try:
            print(f"{file.preset}: {fetch(file)}", flush=True)
        except DownloadError as error:
            print(f"{file.preset}: {error}", file=sys.stderr)
            failed.append(file.preset)
    if failed and len(files) > 1:
        print(f"{len(failed)} of {len(files)} could not be fetched: {', '.join(failed)}", file=sys.stderr)
    return 2 if failed else 0


def _named(models: Sequence[str]) -> list[ReleasedFile]:
    from panns.zoo import check_name  # here: the list need not wait for torch

    for name in models:
        check_name(name)
    return [released_file(name) for name in models]


def _line(file: ReleasedFile) -> str:
    path, here = cache_dir() / file.name, ""
    if path.exists():
        whole = file.size in (None, path.stat().st_size)
        here = "here" if whole else f"not the released file: {path.stat().st_size:,} bytes lie there; delete it"
    size = f"{file.size / 1e6:.0f} MB" if file.size else ""
    return f"{file.preset:<25} {file.name:<38} {size:>6}  {here}".rstrip()
