"""Official AudioSet lists and a folder of audio: which file is which clip."""

from pathlib import Path

import pytest

from panns.data.audioset import AudioSetSource, match_entries, match_stem
from panns.data.forms.folder import AudioFolder
from panns.data.importers import SourceError
from panns.data.labels import Segment, read_segments, write_segments
from panns.data.report import ImportReport

SHARED = Path(__file__).parents[3] / "shared"
SPEECH, DOG = "/m/09x0r", "/m/0bt9lr"  # classes 0 and 74


def kinds(report: ImportReport) -> dict[str, int]:
    return {what: count for what, count in report.counts.items() if count}


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


NAMINGS = {  # how known tools name the clip (id, start in seconds)
    "plain": lambda i, s: i,
    "panns": lambda i, s: f"Y{i}",
    "seconds": lambda i, s: f"{i}_{s:g}",
    "ast": lambda i, s: f"{i}_{s:.3f}",
    "strong": lambda i, s: f"{i}_{s * 1000:.0f}",
    "audioset-download": lambda i, s: f"{i}_{s}-{s + 10}",
    "audiosetdl": lambda i, s: f"{i}_{s * 1000:.0f}_{s * 1000 + 10000:.0f}",
    "panns with start": lambda i, s: f"Y{i}_{s:.3f}",
}


@pytest.mark.skipif(not SHARED.is_dir(), reason="official AudioSet lists are not beside the project")
@pytest.mark.parametrize("naming", NAMINGS)
def test_every_official_clip_is_found_under_every_name(naming):
    starts = {s.id: s.start for s in read_segments(SHARED / "audioset" / "eval_segments.csv")}
    found = {clip_id: match_stem(NAMINGS[naming](clip_id, start), starts) for clip_id, start in starts.items()}
    assert [clip_id for clip_id, (matched, _) in found.items() if matched != clip_id] == []
    if naming in ("plain", "panns"):
        assert {start for _, start in found.values()} == {None}


def test_ids_with_underscores_and_digits_are_not_taken_apart():
    starts = {"ab_12345678": 30.0, "ab": 12345.678, "YabcdefghiJ": 0.0, "_": 5.0}
    assert match_stem("ab_12345678", starts) == ("ab_12345678", None)
    assert match_stem("ab_12345678_30", starts) == ("ab_12345678", 30.0)
    assert match_stem("YabcdefghiJ", starts) == ("YabcdefghiJ", None)
    assert match_stem("YYabcdefghiJ", starts) == ("YabcdefghiJ", None)
    assert match_stem("__5", starts) == ("_", 5.0)
    assert match_stem("other_30", starts) == (None, None)


def test_folders_are_walked_and_reports_what_fits_no_clip(tmp_path):
    touch(tmp_path, "b/Yone.wav", "a/one_30.flac", "two_30000.MP3", "two_20.mp3", "three.wav", "notes.txt", "two.json")
    report = ImportReport()
    listed = {clip_id: Segment(clip_id, 30.0, 40.0, (SPEECH,)) for clip_id in ("one", "two")}
    found = match_entries(AudioFolder(tmp_path).entries(report), listed, report)
    assert {clip_id: entry.path for clip_id, entry in found.items()} == {
        "one": str(tmp_path / "a/one_30.flac"),
        "two": str(tmp_path / "two_30000.MP3"),
    }
    assert kinds(report) == {"duplicate": 1, "unlisted": 2}
    details = {Path(f.path).name: f.detail for f in report.findings}
    assert details["two_20.mp3"] == "starts at 20, the list says 30 s"
    assert "a/one_30.flac" in details["Yone.wav"]
    assert "three.wav" in details


def test_audioset_source(tmp_path):
    train = [
        Segment("one", 30, 40, (SPEECH, DOG)),
        Segment("two", 0, 10, ("/m/nothing", DOG)),
        Segment("three", 0, 10, ("/m/nothing",)),
        Segment("gone", 0, 10, (SPEECH,)),
    ]
    write_segments(tmp_path / "eval_segments.csv", [Segment("four", 1, 2, (SPEECH,))])
    write_segments(tmp_path / "balanced_train_segments.csv", [*train, Segment("four", 1, 2, (SPEECH,))])
    touch(tmp_path / "audio", "one.wav", "two.wav", "three.wav", "four.wav")
    source = AudioSetSource(
        [tmp_path / "eval_segments.csv", tmp_path / "balanced_train_segments.csv"], AudioFolder(tmp_path / "audio")
    )
    report = ImportReport()
    clips = {clip.id: clip for clip in source.clips(report)}
    assert source.splits == ["eval", "balanced_train"]
    assert {clip_id: (clip.split, clip.labels, clip.start_ms, clip.cut) for clip_id, clip in clips.items()} == {
        "four": (0, (0,), 1000, None),
        "one": (1, (0, 74), 30000, None),
        "two": (1, (74,), 0, None),
    }
    assert kinds(report) == {"missing": 1, "duplicate": 1, "no_label": 1, "unknown_label": 1}
    by_kind = {finding.what: finding for finding in report.findings}
    assert by_kind["unknown_label"].clip_id == "two"
    assert "/m/nothing" in by_kind["unknown_label"].detail
    assert by_kind["missing"].clip_id == "gone"
    assert "eval_segments.csv" in by_kind["duplicate"].detail


def test_audio_folder_that_is_not_there(tmp_path):
    write_segments(tmp_path / "eval_segments.csv", [Segment("one", 0, 10, (SPEECH,))])
    with pytest.raises(SourceError, match=r"nowhere: no such folder; --audio"):
        AudioSetSource([tmp_path / "eval_segments.csv"], AudioFolder(tmp_path / "nowhere")).clips(ImportReport())
