"""A store at a URL: what a batch costs over a network that answers late, and from the local disk afterwards.

A web server of its own process gives byte ranges after a given delay. Compared are clips fetched one by one, those of a
batch at the same time (what the loader does), the second lap, and the store on disk; and what comes with the first
batch, against fetching the shards that its clips lie in.
"""

import argparse
import asyncio
import multiprocessing
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import soundfile
from aiohttp import web

from panns.data import ClipStore
from panns.data.importers import Source
from panns.data.manifest import ManifestSource
from panns.data.packing import pack

RATE, SECONDS, BATCH = 32000, 10, 64


def make_store(folder: Path, clips: int) -> Path:
    """A store of noise as loud as speech is on average, in shards of 32 MB."""
    rng = np.random.default_rng(0)
    for number in range(clips):
        noise = 0.05 * rng.standard_normal(SECONDS * RATE).cumsum() / 20
        soundfile.write(folder / f"{number:05}.wav", noise.clip(-1, 1), RATE, subtype="PCM_16")
    rows = "".join(f"{number:05}.wav,sound\n" for number in range(clips))
    (folder / "own.csv").write_text(f"path,labels\n{rows}")
    source: Source = ManifestSource(folder / "own.csv")
    pack(source, folder / "store", shard_mb=32, show_progress=False)
    return folder / "store"


def serve(folder: Path, delay: float, port: Connection) -> None:
    """Web server with byte ranges, each answer after `delay` seconds; sends its port, and ends with its parent."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(delay)
        return web.FileResponse(folder / request.path.lstrip("/"))

    async def run() -> None:
        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(run())


def clips_per_second(read: Callable[[np.ndarray], None], order: np.ndarray, threads: int = 1) -> float:
    """Rate over the batches of `order`, each read by one of so many threads."""
    batches = order[: len(order) // BATCH * BATCH].reshape(-1, BATCH)
    begin = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(read, batches))
    return batches.size / (time.perf_counter() - begin)


def one_by_one(store: ClipStore, rows: np.ndarray) -> None:
    """Clips of a batch in turn."""
    for row in rows:
        store.read(int(row))


def together(store: ClipStore, rows: np.ndarray) -> None:
    """Clips of a batch fetched at the same time, then decoded in turn: what a reader thread does."""
    store.prefetch(rows)
    one_by_one(store, rows)


def measure(url: str, local: ClipStore, cache: Path) -> list[tuple[str, str]]:
    """What and how much, for people."""
    order = np.random.default_rng(1).permutation(len(local))
    first = order[:BATCH]
    none = ClipStore.open(url, cache=cache / "none", cache_gb=0)
    alone = clips_per_second(partial(one_by_one, none), first)
    begin = time.perf_counter()
    together(none, first)
    seconds = time.perf_counter() - begin
    shards = np.unique(local.file[first])
    times = local.file_bytes[shards].sum() / local.nbytes[first].sum()
    found = [
        ("first batch", f"{seconds:.2f} s; its shards hold {times:.1f} times the bytes of its clips"),
        ("one by one", f"{alone:.0f} clips/s"),
    ]
    for threads in (1, 4):
        store = ClipStore.open(url, cache=cache / str(threads))
        lap = clips_per_second(partial(together, store), order, threads)
        found.append((f"first lap, {threads} readers", f"{lap:.0f} clips/s, {lap / alone:.1f} x one by one"))
    again = clips_per_second(partial(together, store), order)
    disk = clips_per_second(partial(one_by_one, local), order)
    return [*found, ("second lap, 1 reader", f"{again:.0f} clips/s, {again / disk:.2f} x the store on disk")]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=1024)
    parser.add_argument("--delays", type=float, nargs="+", default=[0.0, 0.02, 0.1], help="seconds before each answer")
    args = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        local = ClipStore.open(make_store(folder, args.clips))
        print(
            f"{len(local)} clips of {local.nbytes.mean() / 1000:.0f} kB in {len(local.path)} shards, batches of {BATCH}"
        )
        for delay in args.delays:
            here, there = context.Pipe()
            server = context.Process(target=serve, args=(folder, delay, there), daemon=True)
            server.start()
            rates = measure(f"http://127.0.0.1:{here.recv()}/store", local, folder / "cache")
            server.terminate()
            server.join()
            shutil.rmtree(folder / "cache")
            print(f"\nanswers after {1000 * delay:g} ms")
            for what, how_much in rates:
                print(f"  {what:<22}{how_much}")


if __name__ == "__main__":
    main()
