"""`panns demo`: an AudioSet of machine-made sounds, with weak and strong labels. No download, about a minute."""

import argparse
import logging
from pathlib import Path

from panns.commands.folders import local_folder
from panns.commands.numbers import whole
from panns.data.demo.generate import NUM_EVAL, NUM_TRAIN, generate
from panns.data.packing import index
from panns.data.ready import demo_source


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where, which and how many."""
    parser.add_argument(
        "--out", type=local_folder, default=Path("data/demo"), metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument("--store", type=local_folder, metavar="DIR", help="folder of its store; default: OUT-store")
    parser.add_argument(
        "--seed", type=whole(0), default=0, help="the same seed gives the same bytes (default: %(default)s)"
    )
    parser.add_argument("--num-train", type=whole(1), default=NUM_TRAIN, help="training clips (default: %(default)s)")
    parser.add_argument("--num-eval", type=whole(1), default=NUM_EVAL, help="evaluation clips (default: %(default)s)")
    parser.add_argument("--jobs", type=whole(1), metavar="N", help="processes; default: all cores")


def run(args: argparse.Namespace) -> int:
    """Generate the clips and index them in place; both are kept where they stand complete."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    generate(args.out, seed=args.seed, num_train=args.num_train, num_eval=args.num_eval, jobs=args.jobs)
    store = args.store or args.out.with_name(f"{args.out.name}-store")
    index(demo_source(args.out), store, jobs=args.jobs)
    print(f"{args.out}: clips in audio/, labels in *_segments.csv and *_strong.tsv; their store is {store}")
    return 0
