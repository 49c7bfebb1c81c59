"""Runs made up for the tests of reports: what train.py leaves of one, without the training."""

import csv
import json

import numpy as np
import torch
from omegaconf import OmegaConf

from panns.training.metrics import TaggingMetrics
from panns.training.run import config_hash

FINGERPRINT = {"clips": 0, "classes": 0, "labels": 0, "sample_rate": 32000, "id_hash": "0123456789ab"}
MODEL = {"parameters": 4_837_455, "macs": 9_966_000_000, "multi_adds": 21_986_000_000}


def scored(rng, num_clips=300, num_classes=6, quality=2.0, targets=None, noise=1.0):
    """Scores of a model on made-up clips: scores (N, K) in [0, 1], targets (N, K)."""
    if targets is None:
        targets = rng.random((num_clips, num_classes)) < np.linspace(0.05, 0.3, num_classes)
        targets[np.arange(num_classes), np.arange(num_classes)] = True
    logits = noise * rng.normal(size=targets.shape) + quality * targets - 2
    return (1 / (1 + np.exp(-logits))).astype(np.float32), targets


def made_run(runs, cfg, scores, targets, finished=True, steps=(10, 20, 30), role="val", names=None, **changes):
    """Writes one run -> its folder. The curve rises to the final score, in `steps`.

    Args:
        runs: Folder of runs.
        cfg: The composed configuration.
        scores: (N, K).
        targets: (N, K).
        finished: Whether it has results.
        steps: Of the validations.
        role: "test" puts the scores there.
        names: (K,) of the classes.
        **changes: Of metrics.json.
    """
    folder = runs / f"made-s{cfg.seed}-{config_hash(cfg)}"
    (folder / ".hydra").mkdir(parents=True)
    OmegaConf.save(cfg, folder / ".hydra" / "config.yaml")
    metrics = TaggingMetrics(scores.shape[1])
    metrics.update(torch.arange(len(scores)), torch.from_numpy(scores), torch.from_numpy(targets).float())
    found = metrics.compute()
    write_history(folder, steps, float(found["mAP"]))
    if not finished:
        return folder
    numbers = {name: value for name, value in found.items() if isinstance(value, float | int)}
    data = FINGERPRINT | {"clips": len(scores), "labels": int(targets.sum())}
    results = {f"{role}/{name}": value for name, value in numbers.items()}
    results |= {f"val/{name}": value for name, value in numbers.items()} if role == "test" else {}
    results |= {
        "step": steps[-1],
        "fingerprint": {"train": FINGERPRINT | {"clips": 1500}, "validation": data, "test": data},
        "damaged_clips": {"clips": 0, "draws": 0},
        "versions": {"python": "3.11.0", "panns": "0.1.0", "torch": "2.13.0"},
        "model": MODEL,
        "seconds": 90.0,
        "device": "cpu",
    }
    (folder / "metrics.json").write_text(json.dumps(results | changes))
    write_class_ap(folder / "per_class.csv", found["per_class_ap"], role, names)
    write_scores(folder / f"{role}_scores.npz", scores, targets)
    return folder


def write_history(folder, steps, score):
    """A loss that falls and a mAP that rises to its last value."""
    with (folder / "history.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "name", "value"])
        for number, step in enumerate(steps, start=1):
            writer.writerow([step, "train/loss", 1 / number])
            writer.writerow(
                [step, "val/mAP", f"{score * (1 - np.exp(-4 * number / len(steps))) / (1 - np.exp(-4)):.8g}"]
            )


def write_class_ap(path, ap, role, names):
    """per_class.csv, as far as reports read it."""
    column = "ap" if role == "val" else "test_ap"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["class", "mid", column])
        for k, value in enumerate(ap.tolist()):
            name = names[k] if names is not None else f"class{k}"
            writer.writerow([name, name, value])


def write_scores(path, scores, targets):
    """The clips in an order of their own, as a store has them."""
    order = np.random.default_rng(len(scores)).permutation(len(scores))
    labels = [np.flatnonzero(row) for row in targets[order]]
    ids = np.array([f"clip{k:06}".encode() for k in order])
    pointers = np.concatenate([[0], np.cumsum([len(row) for row in labels])])
    np.savez(path, id=ids, scores=scores[order], label_ptr=pointers, label_idx=np.concatenate(labels))
