"""W&B, offline: what a run leaves for `wandb sync`, read back from the files."""

import json
import re
import struct

import pytest
from wandb.proto import wandb_internal_pb2

from runs import start

BLOCK = 32768  # a .wandb file is a LevelDB log: a 7-byte header, then records cut into blocks
FIRST, MIDDLE = 2, 3


def records(path):
    """The records of an offline run; each chunk is crc32 (4), length (2), type (1) and data."""
    data, at, parts = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if BLOCK - at % BLOCK < 7:  # a block's last bytes, too few for a header, are padding
            at += BLOCK - at % BLOCK
            continue
        length, kind = struct.unpack("<HB", data[at + 4 : at + 7])
        parts += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind not in (FIRST, MIDDLE):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


@pytest.fixture(scope="module")
def sweep(tones, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    done = start(
        tones,
        folder / "unused",
        "hydra.mode=MULTIRUN",
        "seed=1,2",
        "hydra.sweep.dir=runs",
        "logger=wandb",
        "data.max_epochs=1",
    )
    assert done.returncode == 0, done.stderr
    return folder, done


def test_each_job_is_its_own_finished_run(sweep):
    folder, done = sweep
    files = sorted(folder.glob("runs/*/wandb/offline-run-*/*.wandb"))
    assert len(files) == 2
    ids = set()
    for path in files:
        found = list(records(path))
        run = next(r.run for r in found if r.HasField("run"))
        ids.add(run.run_id)
        config = {item.key for r in found if r.HasField("config") for item in r.config.update}
        assert {"model", "data", "optimizer", "augmentation", "seed"} <= config
        items = [item for r in found if r.HasField("history") for item in r.history.item]
        names = {item.key or "/".join(item.nested_key) for item in items}
        assert {"train/loss", "train/lr", "train/grad_norm", "train/clips_per_second", "val/mAP"} <= names
        assert any(r.HasField("exit") for r in found), "finish() was not called"
    assert len(ids) == 2
    assert "wandb sync" in done.stdout + done.stderr


def test_the_summary_has_the_results(sweep):
    folder, _ = sweep
    for path in sorted(folder.glob("runs/*s?-*")):
        (log,) = path.glob("wandb/offline-run-*/*.wandb")
        told = [item for r in records(log) if r.HasField("summary") for item in r.summary.update]
        values = {item.key or item.nested_key[0]: item.value_json for item in told}
        assert json.loads(values["results"]) == json.loads((path / "metrics.json").read_text())


def test_tables_and_example_clips_are_logged(sweep):
    folder, _ = sweep
    (run,) = list(folder.glob("runs/*s1-*"))
    media = {path.name for path in run.glob("wandb/offline-run-*/files/media/**/*") if path.is_file()}
    assert any(re.match(r"per_class.*\.table\.json", name) for name in media)
    assert any(re.match(r"examples.*\.table\.json", name) for name in media)
    (log,) = run.glob("wandb/offline-run-*/*.wandb")
    attached = {item.path for r in records(log) if r.HasField("artifact") for item in r.artifact.manifest.contents}
    for suffix in (".wav", ".png"):  # 12 clips to hear and to see
        assert sum(name.endswith(suffix) for name in attached) == 12, attached
