"""lhotse's manifests, written by hand as lhotse 1.33 writes them, field by field."""

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from holdings import FRAMES, MIDS, RATE, audio_file, check_clips, example, examples, findings, import_
from packs import kinds
from panns.data.forms.lhotse import LhotseManifests
from panns.data.importers import SourceError
from panns.data.packing import index, pack


def recording(path: Path, samples: np.ndarray, **fields) -> dict:
    """`Recording.from_file(path)`, and its file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(audio_file(samples, RATE, "WAV"))
    channels = list(range(samples.ndim))
    return {
        "id": path.stem,
        "sources": [{"type": "file", "channels": channels, "source": str(path)}],
        "sampling_rate": RATE,
        "num_samples": len(samples),
        "duration": len(samples) / RATE,
        "channel_ids": channels,
    } | fields


def supervision(clip, **fields) -> dict:
    """As icefall's `generate_audioset_manifest.py` makes it, with its ids cut at `_`."""
    event = ";".join(str(MIDS.index(mid)) for mid in clip.mids)
    given = {"id": clip.id.split("_")[0], "recording_id": clip.id, "start": 0.0, "duration": FRAMES / RATE}
    return given | {"channel": 0, "custom": {"audio_event": event}} | fields


def cut(of: dict, supervisions: list[dict], **fields) -> dict:
    """A `MonoCut`."""
    given = {"id": of["id"].split("_")[0], "start": 0, "duration": of["duration"], "channel": 0}
    return given | {"supervisions": supervisions, "recording": of, "type": "MonoCut"} | fields


def write(path: Path, items: list[dict]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(json.dumps(item) + "\n" for item in items).encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def recordings(folder: Path) -> list[dict]:
    return [recording(folder / f"{clip.id}.wav", clip.samples) for clip in examples()]


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz"])
def test_cuts(suffix, tmp_path):
    items = [cut(of, [supervision(clip)]) for of, clip in zip(recordings(tmp_path / "a"), examples(), strict=True)]
    manifest = write(tmp_path / f"cuts_audioset_eval{suffix}", items)
    for command in (index, pack):
        store, report = import_(command, LhotseManifests([manifest]), tmp_path / command.__name__)
        check_clips(store, examples())
        assert kinds(report) == {"packed": 10, "missing": 1}


def test_recordings_and_supervisions_in_a_folder_and_audio_that_has_moved(tmp_path):
    write(tmp_path / "m" / "recordings.jsonl.gz", recordings(tmp_path / "a"))
    others = [supervision(clip) for clip in examples()[1:]]
    wrong = supervision(examples()[0], custom={"audio_event": "0"})
    write(tmp_path / "m" / "supervisions.jsonl.gz", [wrong, *others])
    shutil.move(tmp_path / "a", tmp_path / "b")
    with pytest.raises(SourceError, match=r"recordings\.jsonl\.gz: none of its files is there, the first is .*--audio"):
        import_(index, LhotseManifests([tmp_path / "m"]), tmp_path)
    store, report = import_(index, LhotseManifests([tmp_path / "m"], tmp_path / "b"), tmp_path)
    check_clips(store, examples())
    assert findings(report, "label_differs") == [(examples()[0].id, f"{examples()[0].id}.wav")]


def test_a_cut_of_a_longer_recording_is_that_part_and_is_not_taken_twice(tmp_path):
    clip, other = example("plain123456"), example("part00_aaaa")
    long = recording(tmp_path / "plain123456.wav", np.concatenate([other.samples, clip.samples, other.samples]))
    part = cut(long, [supervision(clip)], start=1.0, duration=1.0)
    write(tmp_path / "m" / "cuts.jsonl", [part])
    write(tmp_path / "m" / "recordings.jsonl", [long, recording(tmp_path / "part00_aaaa.wav", other.samples)])
    for command in (index, pack):
        store, report = import_(command, LhotseManifests([tmp_path / "m"]), tmp_path / command.__name__)
        check_clips(store, [clip, other])
        assert kinds(report) == {"packed": 2, "missing": 9}


def test_what_is_no_audio_file_is_named(tmp_path):
    mono = recording(tmp_path / "plain123456.wav", example("plain123456").samples)
    stereo = recording(tmp_path / "--dashes--_.wav", np.zeros((FRAMES, 2), np.int16))
    items = [
        cut(mono, []),
        cut(mono, [], id="speed", recording=mono | {"transforms": [{"name": "Speed", "kwargs": {"factor": 1.1}}]}),
        cut(
            mono, [], id="url", recording=mono | {"sources": [{"type": "url", "channels": [0], "source": "https://a"}]}
        ),
        cut(stereo, [], id="left"),
        {"id": "mixed", "tracks": [], "type": "MixedCut"},
        {key: value for key, value in cut(mono, [], id="features").items() if key != "recording"},
        cut({"id": "bare", "sources": mono["sources"], "channel_ids": [0], "duration": 1.0}, [], duration=None),
    ]
    _, report = import_(pack, LhotseManifests([write(tmp_path / "cuts.jsonl", items)]), tmp_path)
    assert {found.clip_id: found.detail[:24] for found in report.findings if found.what == "unreadable"} == {
        "speed": "changed by Speed: give t",
        "url": "its audio is not one fil",
        "left": "channel 0 of [0, 1]: a c",
        "mixed": "a cut without a recordin",
        "features": "a cut without a recordin",
        "bare": "not as lhotse writes it:",
    }
    assert report.packed == 1


def test_resampling_is_left_to_us(tmp_path):
    of = recording(tmp_path / "plain123456.wav", example("plain123456").samples)
    of |= {"sampling_rate": 16000, "transforms": [{"name": "Resample", "kwargs": {"target_sampling_rate": 16000}}]}
    store, _ = import_(index, LhotseManifests([write(tmp_path / "cuts.jsonl", [cut(of, [])])]), tmp_path)
    check_clips(store, [example("plain123456")])


def test_a_manifest_that_is_cut_off_is_used_as_far_as_it_goes(tmp_path):
    content = write(tmp_path / "r.jsonl", recordings(tmp_path / "a")).read_text()
    (tmp_path / "r.jsonl").write_text(content[: content.index("\n", 800) + 50])
    store, report = import_(index, LhotseManifests([tmp_path / "r.jsonl"]), tmp_path)
    (damaged,) = [found for found in report.findings if found.what == "damaged_file"]
    assert f"{len(store)} lines before that are used" in damaged.detail
    assert 0 < len(store) < 10


@pytest.mark.parametrize("text", ["", "[1]\n", '{"data": []}\n', "text\n"])
def test_other_manifests_are_refused(text, tmp_path):
    (tmp_path / "a.jsonl").write_text(text)
    with pytest.raises(SourceError, match=r"a\.jsonl: not a lhotse manifest of recordings"):
        import_(index, LhotseManifests([tmp_path / "a.jsonl"]), tmp_path)
