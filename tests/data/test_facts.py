"""Facts about AudioSet in the package, against the official files."""

import csv
import json
from collections import Counter

import numpy as np

from panns.data import facts
from panns.data.labels import audioset_classes, read_segments


def test_ancestors_are_those_of_the_official_ontology(shared):
    nodes = {node["id"]: node["child_ids"] for node in json.loads((shared / "audioset" / "ontology.json").read_text())}
    listed = [label.mid for label in audioset_classes()]

    def below(mid: str) -> set[str]:
        return {mid}.union(*(below(child) for child in nodes[mid]))

    descendants = {mid: below(mid) - {mid} for mid in nodes}
    above = facts.ancestors()
    assert list(above) == listed
    for mid in listed:
        assert set(above[mid]) == {other for other in listed if mid in descendants[other]}
        assert len(set(above[mid])) == len(above[mid])


def test_clips_per_class_are_those_of_the_official_lists(shared):
    ours, folder = facts.clips_per_class(), shared / "audioset"
    for split in ("eval", "balanced_train"):
        segments = read_segments(folder / f"{split}_segments.csv")
        found = Counter(mid for segment in segments for mid in segment.mids)
        assert ours[split].tolist() == [found[label.mid] for label in audioset_classes()]
        assert facts.SPLIT_SIZES[split].official == len(segments)
    with (folder / "train_clips_per_class.csv").open() as file:
        assert ours["panns_train"].tolist() == [int(row["train_clips"]) for row in csv.DictReader(file)]


def test_sizes_are_those_of_the_paper():
    """The paper: 2,063,839 training clips (22,160 balanced; the lists hold 110 more), 1,934,187 of them downloaded."""
    sizes = facts.SPLIT_SIZES
    assert sum(sizes[split].panns for split in ("balanced_train", "unbalanced_train")) == 1_934_187
    assert sum(sizes[split].official for split in ("balanced_train", "unbalanced_train")) == 2_063_839 + 110
    assert sizes["eval"].panns == 18_887
    assert np.all(facts.clips_per_class()["panns_train"] >= 61)


def test_black_list_is_that_of_the_paper(shared):
    assert facts.id_list("dcase2017_task4") == (shared / "audioset" / "dcase2017_task4_ids.txt").read_text().split()
    assert len(set(facts.id_list("dcase2017_task4"))) == 1591
