"""The published curves and per-class scores against what was read from the paper's figures."""

import csv
from collections import defaultdict

import numpy as np
import pytest

from panns.data.labels import audioset_classes
from panns.published.figures import class_ap, class_names, learning_curves
from panns.published.tables import entry, tables

LABELS = {  # row of a table: what its curve is called in Fig. 4
    "XI/CNN14": "CNN14",
    "XI/Wavegram-Logmel-CNN": "Wavegram-Logmel-CNN",
    "XI/MobileNetV1": "MobileNetV1",
    "V/no-bal, no-mixup (1.9m)": "CNN14,no-bal,no-mixup (1.9m)",
    "V/bal, no-mixup (1.9m)": "CNN14,bal,no-mixup (1.9m)",
    "V/bal, mixup on waveform (1.9m)": "CNN14,bal,mixup-wav (1.9m)",
    "V/bal, no-mixup (20k)": "CNN14,bal,no-mixup (20k)",
    "V/bal, mixup (20k)": "CNN14,bal,mixup (20k)",
    "VII/32": "CNN14,emb=32",
    "VII/128": "CNN14,emb=128",
    "VIII/50%": "cnn14 (50% full)",
    "VIII/80%": "CNN14 (80% full)",
    "IX/8kHz": "CNN14,8kHz",
    "IX/16kHz": "CNN14,16kHz",
    "X/32": "CNN14,32-melbins",
    "X/128": "CNN14,128-melbins",
}


def test_curves_are_those_read_from_figure_4(shared):
    read = defaultdict(list)
    with (shared / "paper" / "six_figures_curves.csv").open() as file:
        for row in csv.DictReader(file):
            if row["set"] == "eval" and (row["label"] != "CNN14" or row["panel"] == "a"):
                read[row["label"]].append((int(row["iteration"]), float(row["mAP"])))
    assert set(learning_curves()) == set(LABELS)
    for key, label in LABELS.items():
        iterations, scores = learning_curves()[key]
        assert [*zip(iterations.tolist(), scores.tolist(), strict=True)] == read[label], key


def test_curves_pass_through_the_tables():
    """The tables round to three digits; the figures were read to about 0.0005."""
    for key, (iterations, scores) in learning_curves().items():
        one = entry(key)
        if one.iteration in iterations:
            assert scores[iterations == one.iteration][0] == pytest.approx(one.mAP, abs=0.0016), key
    assert all(key in tables() for key in learning_curves())


def test_class_ap_is_that_read_from_figure_12(shared):
    columns = {
        "XI/Wavegram-Logmel-CNN": "AP_wavegram_logmel_cnn14",
        "XI/CNN14": "AP_cnn14",
        "XI/MobileNetV1": "AP_mobilenetv1",
        "averaging instances": "AP_avg_instances_baseline",
    }
    with (shared / "paper" / "classwise_ap.csv").open() as file:
        rows = {int(row["audioset_index"]): row for row in csv.DictReader(file)}
    assert set(class_ap()) == set(columns)
    for key, column in columns.items():
        assert class_ap()[key].tolist() == [float(rows[k][column]) for k in range(527)]


def test_classes_are_audiosets_in_its_order():
    assert class_names() == tuple(label.name for label in audioset_classes())


def test_mean_of_the_class_ap_is_the_tables_map():
    means = {key: np.mean(values) for key, values in class_ap().items()}
    assert means["XI/CNN14"] == pytest.approx(0.431, abs=0.0005)
    assert means["XI/MobileNetV1"] == pytest.approx(0.389, abs=0.0005)
    assert means["XI/Wavegram-Logmel-CNN"] == pytest.approx(0.434, abs=0.0005)
    assert means["averaging instances"] == pytest.approx(0.317, abs=0.0005)
