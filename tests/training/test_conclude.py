"""What a run says at its end, against scores worked by hand."""

import numpy as np
import pytest
import torch

from panns.training.conclude import conclude
from panns.training.metrics import TaggingMetrics

RESULTS = {"step": 4, "damaged_clips": {"clips": 0, "draws": 0}}


def scored(targets, scores):
    metrics = TaggingMetrics(len(targets[0]))
    metrics.update(torch.arange(len(targets)), torch.tensor(scores), torch.tensor(targets))
    return {"val": metrics.compute()}


@pytest.mark.parametrize(
    ("targets", "first", "why"),
    [
        ([[1, 1], [1, 1], [1, 1]], "mAP 1.0000  (last", "no mAUC and no d_prime: every class scored is in all clips"),
        (
            [[1, 1], [0, 1], [1, 1]],
            "mAP 0.9167  mAUC 0.5000  d_prime 0.0000  (last",
            "leave out 1 of 2 classes: one that is in all clips",
        ),
        ([[1, 0], [0, 0], [0, 0]], "mAP 1.0000  mAUC 1.0000  (last", "no d_prime: it is infinite"),
        ([[0, 1], [1, 0], [0, 0]], "mAP 0.5000  mAUC 0.5000  d_prime 0.0000  (last", None),
    ],
)
def test_a_score_that_is_missing_is_explained(targets, first, why, tmp_path, capsys):
    conclude(tmp_path, RESULTS, scored(targets, [[0.9, 0.7], [0.8, 0.8], [0.1, 0.1]]), None)
    lines = capsys.readouterr().out.strip().splitlines()
    assert lines[0].startswith(first)
    assert (why or "  scores     ") in lines[1]


def test_every_file_is_named(tmp_path, capsys, monkeypatch):
    names = ["per_class.csv", "test_scores.npz", "val_scores.npz", "drawn_classes.csv", "drawn_classes.png"]
    names += ["confusion.csv", "damaged_clips.csv", "damaged_clips-rank1.csv", "history.csv", "checkpoints/last.ckpt"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    monkeypatch.chdir(tmp_path.parent)
    conclude(tmp_path, RESULTS, scored([[1, 0], [0, 1]], np.eye(2).tolist()), None)
    said = capsys.readouterr().out
    for name in names:
        assert name in said, name
    assert f"  scores     {tmp_path.name}/metrics.json\n" in said
    assert "examples" not in said
