"""Labels with their ancestors, against a piece of the ontology worked out by hand."""

import numpy as np
import pytest

from panns.data.labels import ClassLabel, LabelError, audioset_classes
from panns.data.ontology import closure, propagated

CLASSES = audioset_classes()
NUMBER = {label.name: number for number, label in enumerate(CLASSES)}


def with_ancestors(*names: str, classes=CLASSES) -> set[str]:
    number = {label.name: position for position, label in enumerate(classes)}
    idx = np.array(sorted(number[name] for name in names), dtype=np.uint16)
    ptr, idx = propagated(np.array([0, len(idx)]), idx, classes)
    assert ptr.tolist() == [0, len(idx)]
    assert idx.tolist() == sorted(set(idx.tolist()))
    return {classes[k].name for k in idx}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        # Animal > Domestic animals, pets > Dog > Bark
        (["Bark"], {"Bark", "Dog", "Domestic animals, pets", "Animal"}),
        # Human sounds (abstract) > Human voice (no labels) > Speech > Conversation
        (["Conversation"], {"Conversation", "Speech"}),
        (["Speech"], {"Speech"}),
        # two ways up: Alarm > Siren, and Vehicle > Motor vehicle (road) > Emergency vehicle > Police car (siren)
        (
            ["Police car (siren)"],
            {"Police car (siren)", "Siren", "Alarm", "Emergency vehicle", "Motor vehicle (road)", "Vehicle"},
        ),
        (["Dog", "Speech"], {"Dog", "Domestic animals, pets", "Animal", "Speech"}),
        ([], set()),
    ],
)
def test_a_piece_by_hand(given, expected):
    assert with_ancestors(*given) == expected


def test_only_classes_of_the_store_are_added():
    classes = [CLASSES[NUMBER[name]] for name in ("Bark", "Animal", "Dog")]
    assert with_ancestors("Bark", classes=classes) == {"Bark", "Dog", "Animal"}
    assert with_ancestors("Bark", classes=[classes[0], classes[1]]) == {"Bark", "Animal"}


def test_all_clips_at_once_are_as_each_alone():
    rng = np.random.default_rng(0)
    sizes = rng.integers(0, 5, 300)
    ptr = np.concatenate([[0], np.cumsum(sizes)])
    idx = np.concatenate([np.sort(rng.choice(527, size, replace=False)) for size in sizes]).astype(np.uint16)
    new_ptr, new_idx = propagated(ptr, idx, CLASSES)
    assert (new_ptr.dtype, new_idx.dtype) == (ptr.dtype, idx.dtype)
    above_ptr, above_idx = closure(CLASSES)
    for clip in range(300):
        expected = {
            int(k)
            for label in idx[ptr[clip] : ptr[clip + 1]]
            for k in above_idx[above_ptr[label] : above_ptr[label + 1]]
        }
        assert new_idx[new_ptr[clip] : new_ptr[clip + 1]].tolist() == sorted(expected)
    again = propagated(new_ptr, new_idx, CLASSES)
    np.testing.assert_array_equal(again[0], new_ptr)
    np.testing.assert_array_equal(again[1], new_idx)


def test_labels_grow_by_half_on_the_official_lists(shared):
    """Counted from the lists with a program of its own: 51,804 labels become 78,091."""
    from panns.data.labels import class_index, read_segments

    index = class_index(CLASSES)
    segments = read_segments(shared / "audioset" / "eval_segments.csv")
    ptr = np.cumsum([0, *(len(segment.mids) for segment in segments)])
    idx = np.array([index[mid] for segment in segments for mid in segment.mids], dtype=np.uint16)
    assert len(idx) == 51804
    assert len(propagated(ptr, idx, CLASSES)[1]) == 78091


def test_other_classes_have_no_ontology():
    classes = [*CLASSES[:2], ClassLabel("tone0", "tone0")]
    with pytest.raises(LabelError, match=r"1 of 3 classes are not \(tone0\); set data\.propagate_labels=null"):
        closure(classes)
