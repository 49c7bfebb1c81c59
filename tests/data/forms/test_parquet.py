"""agkphysics/AudioSet's Parquet files."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soxr

from holdings import (
    FRAMES,
    LISTS,
    RATE,
    Example,
    audio_file,
    check_clips,
    examples,
    findings,
    huggingface_parquet,
    huggingface_row,
    import_,
)
from packs import kinds, same_folders
from panns.data.forms.parquet import HuggingFaceParquet, ParquetRow
from panns.data.importers import SourceError
from panns.data.packing import pack


def native(clip: Example, rate: int = 48000, channels: int = 2) -> bytes:
    """The clip as it is there: 24-bit FLAC at YouTube's rate; the channels differ, their mean is the clip."""
    waveform = soxr.resample(clip.samples / 32768, RATE, rate, quality="VHQ")
    spread = np.linspace(-0.1, 0.1, channels)
    return audio_file(waveform[:, None] + spread, rate, "FLAC", "PCM_24")


def folder(root: Path, row_group_size: int = 3) -> HuggingFaceParquet:
    rates = [44100 if number % 5 == 0 else 48000 for number in range(10)]
    rows = [huggingface_row(clip, native(clip, rate)) for clip, rate in zip(examples(), rates, strict=True)]
    for name, part in (("eval/00", rows[:3]), ("bal_train/00", rows[3:6]), ("unbal_train/000", rows[6:])):
        huggingface_parquet(root / f"{name}.parquet", part, row_group_size)
    return HuggingFaceParquet([root])


@pytest.mark.parametrize("row_group_size", [1, 3, 100])
def test_native_rates_and_channels_are_conditioned(row_group_size, tmp_path):
    store, report = import_(pack, folder(tmp_path / "data", row_group_size), tmp_path)
    check_clips(store, examples(), rms_error=60)  # the ends ring, and 44.1 kHz takes a little of the top
    assert set(store.frames.tolist()) == {FRAMES}
    assert kinds(report) == {"packed": 10, "missing": 1}


def test_each_row_group_is_read_once(tmp_path, monkeypatch):
    read, whole = [], ParquetRow.read
    monkeypatch.setattr(
        ParquetRow, "read", staticmethod(lambda path, places: read.append((path, places)) or whole(path, places))
    )
    import_(pack, folder(tmp_path / "data", 2), tmp_path, allow_upsampling=True)
    groups = [(path, places[0].group) for path, places in read]
    assert len(groups) == len(set(groups)) == 6
    assert [[place.row for place in places] for _, places in read] == [[0, 1], [0], [0, 1], [0], [0, 1], [0, 1]]


def test_same_store_whatever_the_number_of_processes(tmp_path):
    holding = folder(tmp_path / "data", 2)
    import_(pack, holding, tmp_path / "one")
    import_(pack, holding, tmp_path / "two", jobs=2)
    assert same_folders(tmp_path / "one" / "store", tmp_path / "two" / "store")


def test_rows_without_audio_or_with_bad_audio_cost_no_other(tmp_path):
    clips = examples("eval", "balanced_train")
    rows = [huggingface_row(clip, native(clip)) for clip in clips]
    rows[0]["audio"] = None
    rows[1]["audio"]["bytes"] = None
    rows[2]["audio"]["bytes"] = b"no audio"
    rows[3]["audio"]["bytes"] = rows[3]["audio"]["bytes"][:2000]
    store, report = import_(pack, HuggingFaceParquet([huggingface_parquet(tmp_path / "a.parquet", rows, 6)]), tmp_path)
    check_clips(store, clips[4:], rms_error=60)
    assert [clip_id for clip_id, _ in findings(report, "unreadable")] == sorted(clip.id for clip in clips[:4])
    assert findings(report, "unreadable")[0][1].startswith("a.parquet, row group 0, row ")


def test_row_without_video_id_is_known_by_its_file_name(tmp_path):
    (clip, *_) = examples("eval")
    row = huggingface_row(clip, native(clip)) | {"video_id": None}
    stranger = huggingface_row(clip, native(clip))
    stranger |= {"video_id": "stranger_12", "audio": stranger["audio"] | {"path": "audio/eval/stranger_12.flac"}}
    path = huggingface_parquet(tmp_path / "eval.parquet", [row, stranger, huggingface_row(clip, native(clip))])
    store, report = import_(pack, HuggingFaceParquet([path]), tmp_path)
    check_clips(store, [clip], rms_error=60)
    assert findings(report, "unlisted") == [("stranger_12", "eval.parquet, row group 0, row 1")]
    assert findings(report, "duplicate") == [(clip.id, "eval.parquet, row group 0, row 2")]


def test_other_labels_are_reported(tmp_path):
    (clip, *_) = examples("eval")
    path = huggingface_parquet(
        tmp_path / "eval.parquet", [huggingface_row(clip._replace(mids=clip.mids[:1]), native(clip))]
    )
    store, report = import_(pack, HuggingFaceParquet([path]), tmp_path)
    check_clips(store, [clip], rms_error=60)
    assert findings(report, "label_differs") == [(clip.id, "eval.parquet, row group 0, row 0")]


def test_damaged_file_is_named_and_the_others_are_used(tmp_path):
    holding = folder(tmp_path / "data")
    cut = tmp_path / "data" / "bal_train" / "00.parquet"
    os.truncate(cut, cut.stat().st_size - 10)
    store, report = import_(pack, holding, tmp_path)
    check_clips(store, examples("eval", "unbalanced_train"), rms_error=60)
    assert findings(report, "damaged_file") == [("", "00.parquet")]


def test_damage_within_a_row_group_costs_what_follows_in_it(tmp_path):
    holding = folder(tmp_path / "data", 3)
    path = tmp_path / "data" / "eval" / "00.parquet"
    column = pq.ParquetFile(path).metadata.row_group(0).column(1)
    assert column.path_in_schema == "audio.bytes"
    with path.open("r+b") as file:
        file.seek(column.dictionary_page_offset)
        file.write(b"\xff" * 64)
    store, report = import_(pack, holding, tmp_path)
    check_clips(store, examples("balanced_train", "unbalanced_train"), rms_error=60)
    assert [clip_id for clip_id, _ in findings(report, "unreadable")] == sorted(LISTS["eval"])


def test_other_parquet_is_refused(tmp_path):
    pq.write_table(pa.table({"id": ["a"], "labels": [["x"]]}), tmp_path / "clips.parquet")
    with pytest.raises(SourceError, match=r"no column audio\.bytes, audio\.path, video_id; it has id, labels"):
        import_(pack, HuggingFaceParquet([tmp_path / "clips.parquet"]), tmp_path)
