"""`panns info`: what a store holds."""

import argparse

import numpy as np

from panns.commands.sources import without_clips
from panns.data.codecs import CODECS
from panns.data.first_crc32 import num_unread
from panns.data.quarantine import told
from panns.data.remote_store import RemoteClipStore
from panns.data.report import print_counts
from panns.data.store import ClipStore


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The store."""
    parser.add_argument("store", metavar="STORE", help="its folder or its URL")


def run(args: argparse.Namespace) -> int:
    """Print name, sizes, splits, codecs, fingerprint and what the import reported, less what was read since."""
    store = ClipStore.open(args.store)
    every = np.arange(len(store))
    codecs, clips = np.unique(store.codec, return_counts=True)
    kind = "one class a clip" if store.single_label else "several classes a clip"
    hours = store.frames.sum(dtype=np.int64) / store.sample_rate / 3600
    print(f"name         {store.name}")
    print(f"clips        {len(store):,} of {store.clip_samples / store.sample_rate:g} s, {hours:.2f} hours")
    print(f"classes      {store.num_classes}{without_clips(store)}, {kind}")
    print(f"sample rate  {store.sample_rate} Hz")
    print(f"codecs       {', '.join(f'{CODECS[codec]} {count:,}' for codec, count in zip(codecs, clips, strict=True))}")
    print(f"size         {store.nbytes.sum() / 2**20:,.1f} MiB of clips in {len(store.path):,} files")
    print(f"fingerprint  {store.fingerprint(every)['id_hash']}")
    if isinstance(store, RemoteClipStore):
        here = store.nearby
        print(f"kept here    {here.num_clips:,} clips, {here.num_bytes / 2**20:,.1f} MiB, in {store.root}")
    if quarantine := told(store.root, store.id):
        print(f"quarantine   {quarantine}")
    repairs = store.meta.get("repairs", [])
    dropped = sum(repaired["dropped"] for repaired in repairs if "/" not in repaired["before"])  # others were counted
    for repaired in repairs:
        print(f"repaired     {repaired['dropped']:,} clips dropped, named in {store.root / repaired['before']}")
    for split in store.splits:
        print(f"  {split}: {_counts(store, store.rows([split]))}")
    print(f"made by      panns {store.meta['plan']['command']}, version {store.meta['created']['version']}")
    now = {"packed": len(store), "unchecked": num_unread(store.root, store.crc32)}
    print_counts(store.meta["counts"] | now | {"dropped": dropped + store.meta["counts"].get("dropped", 0)})
    return 0


def _counts(store: ClipStore, rows: np.ndarray) -> str:
    found = store.fingerprint(rows)
    return f"{found['clips']:,} clips, {found['classes']} classes, {found['labels']:,} labels, {found['id_hash']}"
