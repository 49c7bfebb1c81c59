"""10,000 bad files among 100,000: counted, named, and no slower for it."""

import csv
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from panns.data.codecs import encode_wav
from panns.data.store import ClipStore

NUM_FILES, BAD_EACH, RATE = 100_000, 2_000, 8000
PACK = """
import sys, panns.cli
if __name__ == "__main__":
    panns.cli.main(sys.argv[1:])
    sys.stderr.write(open("/proc/self/status").read())
"""
KINDS = ("missing", "unreadable", "truncated", "empty", "silent")


def make_files(folder: Path, bad: dict[int, str]) -> None:
    """Clips of 25 ms in folders of a thousand, and a manifest of them."""
    noise = np.random.default_rng(0).integers(-9000, 9000, 10**6).astype(np.int16)
    with (folder / "own.csv").open("w") as manifest:
        manifest.write("path,labels\n")
        for number in range(NUM_FILES):
            path = folder / f"{number // 1000:02}" / f"{number:05}.wav"
            path.parent.mkdir(exist_ok=True)
            manifest.write(f"{path.relative_to(folder)},{'dog' if number % 2 else 'cat'}\n")
            content, kind = encode_wav(noise[number : number + 200], RATE), bad.get(number)
            if kind == "truncated":
                content = content[:-100]
            elif kind == "silent":
                content = encode_wav(np.zeros(200, np.int16), RATE)
            elif kind in ("empty", "unreadable"):
                content = b"" if kind == "empty" else b"<html>video unavailable</html>" * 10
            if kind != "missing":
                path.write_bytes(content)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="looks for the memory of a process in /proc")
def test_ten_thousand_bad_files_among_a_hundred_thousand(tmp_path):
    chosen = np.random.default_rng(1).permutation(NUM_FILES)[: BAD_EACH * len(KINDS)]
    bad = {int(number): KINDS[i % len(KINDS)] for i, number in enumerate(chosen)}
    make_files(tmp_path, bad)
    command = [sys.executable, "-c", PACK, "pack", "csv", "--manifest", str(tmp_path / "own.csv")]
    options = ["--out", str(tmp_path / "store"), "--sample-rate", str(RATE), "--clip-seconds", "0.025", "--jobs", "2"]
    begin = time.monotonic()
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    seconds, peak = time.monotonic() - begin, int(done.stderr.split("VmHWM:")[1].split()[0]) / 1024
    print(f"{NUM_FILES:,} files, {len(bad):,} of them bad: {seconds:.0f} s, {peak:.0f} MiB at most\n{done.stdout}")
    with (tmp_path / "store" / "report.csv").open() as file:
        rows = list(csv.DictReader(file))
    expected = {f"{n // 1000:02}/{n:05}": "unreadable" if kind == "truncated" else kind for n, kind in bad.items()}
    assert {row["id"]: row["what"] for row in rows} == expected
    assert len(rows) == len(bad)
    assert all(Path(row["path"]).parent.parent == tmp_path for row in rows)
    assert Counter(row["what"] for row in rows) == Counter(expected.values())
    for what, count in (("packed", 90_000), ("missing", 2_000), ("unreadable", 4_000), ("empty", 2_000)):
        assert f"{count:,}" in next(line for line in done.stdout.splitlines() if line.strip().startswith(what))
    store = ClipStore.open(tmp_path / "store")
    assert {name.decode() for name in store.id}.isdisjoint(expected)
    assert len(store) == NUM_FILES - len(bad)
    assert all(len(store.read(row)) == 200 for row in range(0, len(store), 997))
    assert seconds < 600
    assert peak < 300  # MiB
