"""Class lists and segment lists, held against the official files."""

from pathlib import Path

import pytest

from panns.data.labels import (
    ClassLabel,
    LabelError,
    Segment,
    audioset_classes,
    class_index,
    read_classes,
    read_segments,
    split_name,
    write_segments,
)

OFFICIAL = Path(__file__).parents[3] / "shared" / "audioset"
needs_official = pytest.mark.skipif(not OFFICIAL.is_dir(), reason="official AudioSet lists are not beside the project")


def test_audioset_has_527_classes_in_the_official_order():
    classes = audioset_classes()
    assert len(classes) == 527 == len({label.mid for label in classes})
    assert classes[0] == ("/m/09x0r", "Speech")
    assert classes[1] == ("/m/05zppz", "Male speech, man speaking")
    assert classes[73] == ("/m/068hy", "Domestic animals, pets")
    assert classes[526] == ("/m/07hvw1", "Field recording")


@needs_official
def test_packaged_classes_equal_the_official_file():
    assert audioset_classes() == read_classes(OFFICIAL / "class_labels_indices.csv")


@needs_official
@pytest.mark.parametrize(
    ("name", "clips", "labels"),
    [("eval", 20371, 51804), ("balanced_train", 22160, 52882)],  # the files' own headers
)
def test_official_segments(name, clips, labels, tmp_path):
    path = OFFICIAL / f"{name}_segments.csv"
    segments = read_segments(path)
    assert len(segments) == clips == len({segment.id for segment in segments})
    assert sum(len(segment.mids) for segment in segments) == labels
    assert {mid for segment in segments for mid in segment.mids} == {label.mid for label in audioset_classes()}
    write_segments(tmp_path / path.name, segments)
    ours, official = (tmp_path / path.name).read_text().splitlines(), path.read_text().splitlines()
    assert ours[1:] == official[1:]  # line 1 holds a date
    assert split_name(path) == name


def test_segments_survive_windows_line_ends_and_a_byte_order_mark(tmp_path):
    path = tmp_path / "eval_segments.csv"
    path.write_bytes('\ufeff# one\r\n# two\r\n-_a_1, 30.000, 40.000, "/m/09x0r,/m/05zppz"\r\n\r\n'.encode())
    assert read_segments(path) == [Segment("-_a_1", 30.0, 40.0, ("/m/09x0r", "/m/05zppz"))]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no segments"),
        ("# only\n# comments\n", "no segments"),
        ("path,labels\na.wav,dog\n", "line 1.*expected `id, start, end"),
        ('abc, 0.000, ten, "/m/09x0r"\n', "line 1"),
        ("abc, 0.000, 10.000, /m/09x0r, /m/05zppz\n", "line 1"),
    ],
)
def test_bad_segments_are_named(text, says, tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(LabelError, match=rf"list\.csv.*{says}"):
        read_segments(path)


def test_missing_or_binary_list_is_named(tmp_path):
    with pytest.raises(LabelError, match=r"nowhere\.csv: no such file"):
        read_segments(tmp_path / "nowhere.csv")
    (tmp_path / "audio.csv").write_bytes(bytes(range(256)))
    with pytest.raises(LabelError, match=r"audio\.csv: not a text file in UTF-8 .*save it as UTF-8"):
        read_segments(tmp_path / "audio.csv")


def test_own_class_list_has_one_name_a_line(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_text("dog\nMale speech, man speaking\n\ncrying_baby\n")
    names = ["dog", "Male speech, man speaking", "crying_baby"]
    assert read_classes(path) == [ClassLabel(name, name) for name in names]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no classes"),
        ("dog\ncat\ndog\n", "'dog' stands there twice"),
        ('index,mid,display_name\n0,/m/a,"A"\n2,/m/b,"B"\n', "class row 2"),
    ],
)
def test_bad_class_list_is_named(text, says, tmp_path):
    path = tmp_path / "classes.csv"
    path.write_text(text)
    with pytest.raises(LabelError, match=says):
        read_classes(path)


def test_classes_are_found_by_mid_and_by_name():
    index = class_index([ClassLabel("/m/1", "dog"), ClassLabel("/m/2", "cat"), ClassLabel("dog", "own")])
    assert (index["/m/1"], index["cat"], index["own"]) == (0, 1, 2)
    assert index["dog"] == 2  # as a mid
