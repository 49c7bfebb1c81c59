"""The scores that a run leaves, read back."""

import numpy as np
import pytest

from panns.studies.scored_clips import ScoredClipsError, read_scored_clips

ARRAYS = {
    "id": np.array([b"c", b"a", b"b"]),
    "scores": np.array([[0.3, 0.7], [0.1, 0.9], [0.2, 0.8]], np.float32),
    "label_ptr": np.array([0, 2, 2, 3]),
    "label_idx": np.array([1, 0, 1]),
}


def test_clips_stand_in_the_order_of_their_ids(tmp_path):
    np.savez(tmp_path / "s.npz", **ARRAYS)
    clips = read_scored_clips(tmp_path / "s.npz")
    assert clips.id.tolist() == [b"a", b"b", b"c"]
    assert clips.scores[:, 0] == pytest.approx([0.1, 0.2, 0.3])
    assert clips.positives(0).tolist() == [2]
    assert clips.positives(1).tolist() == [1, 2]


def test_the_same_clips_in_another_order_are_the_same(tmp_path):
    np.savez(tmp_path / "s.npz", **ARRAYS)
    other = {
        "id": ARRAYS["id"][[1, 2, 0]],
        "scores": 1 - ARRAYS["scores"][[1, 2, 0]],
        "label_ptr": np.array([0, 0, 1, 3]),
        "label_idx": np.array([1, 0, 1]),
    }
    np.savez(tmp_path / "o.npz", **other)
    one, same = read_scored_clips(tmp_path / "s.npz"), read_scored_clips(tmp_path / "o.npz")
    assert one.clips_hash() == same.clips_hash()
    for change in ({"label_idx": np.array([0, 0, 1])}, {"id": np.array([b"a", b"b", b"d"])}):
        np.savez(tmp_path / "o.npz", **other | change)
        assert one.clips_hash() != read_scored_clips(tmp_path / "o.npz").clips_hash()


@pytest.mark.parametrize(
    "change",
    [
        {"label_ptr": np.array([0, 2, 3])},
        {"id": np.array([b"a", b"a", b"b"])},
        {"scores": np.full((3, 2), np.nan, np.float32)},
        {"id": np.array([b"a", "b", None], dtype=object)},
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, tmp_path):
    np.savez(tmp_path / "s.npz", **ARRAYS | change)
    with pytest.raises(ScoredClipsError, match=r"s\.npz.*remove it"):
        read_scored_clips(tmp_path / "s.npz")


def test_a_damaged_file_is_refused(tmp_path):
    np.savez(tmp_path / "s.npz", **ARRAYS)
    whole = (tmp_path / "s.npz").read_bytes()
    for part in (whole[: len(whole) // 2], b"", b"no archive"):
        (tmp_path / "s.npz").write_bytes(part)
        with pytest.raises(ScoredClipsError, match=r"s\.npz is no whole file"):
            read_scored_clips(tmp_path / "s.npz")
