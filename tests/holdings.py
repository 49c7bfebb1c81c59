"""A small AudioSet, and the forms in which people hold it, each written as the tools that made it write it."""

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile

from panns.data.audioset import AudioSetSource
from panns.data.labels import Segment, audioset_classes, write_segments
from panns.data.report import ImportReport
from panns.data.store import ClipStore

RATE, FRAMES = 32000, 32000  # clips of 1 s
MIDS = [label.mid for label in audioset_classes()]
LISTS = {  # ids that begin with `-` or `Y`, and hold `_` and what looks like a time
    "eval": ["-_abc_12345", "YbcdefghijK", "a_30_000_-x"],
    "balanced_train": ["plain123456", "_underscore", "--dashes--_"],
    "unbalanced_train": ["part00_aaaa", "part00_bbbb", "part01_cccc", "part01_dddd", "nowhere_123"],
}
MISSING = "nowhere_123"


class Example(NamedTuple):
    """One clip: its official labels, and its audio."""

    id: str
    mids: tuple[str, ...]
    samples: np.ndarray  # int16 (FRAMES,)


def examples(*splits: str) -> list[Example]:
    """All clips there are of these splits, or of all."""
    every = [clip_id for split in splits or LISTS for clip_id in LISTS[split] if clip_id != MISSING]
    return [example(clip_id) for clip_id in every]


def example(clip_id: str, frames: int = FRAMES) -> Example:
    """A clip of coloured noise, its own for each id."""
    number = [name for names in LISTS.values() for name in names].index(clip_id)
    rng = np.random.default_rng(number)
    noise = np.convolve(rng.standard_normal(frames + 7), np.ones(8) / 8, "valid")
    return Example(clip_id, (MIDS[number], MIDS[100 + 7 * number]), np.round(4000 * noise).astype(np.int16))


def write_lists(folder: Path) -> list[Path]:
    """The official lists; each clip starts at 30 s."""
    for split, ids in LISTS.items():
        rows = [Segment(clip_id, 30.0, 40.0, example(clip_id, 1).mids) for clip_id in ids]
        write_segments(folder / f"{split}_segments.csv", rows)
    return [folder / f"{split}_segments.csv" for split in LISTS]


def source(folder: Path, holding) -> AudioSetSource:
    """The holding with the official lists, and clips of 1 s."""
    return AudioSetSource(write_lists(folder), holding, clip_seconds=FRAMES / RATE)


def audio_file(
    samples: np.ndarray, sample_rate: int = RATE, form: str = "FLAC", subtype: str | None = "PCM_16"
) -> bytes:
    """Samples (frames,) or (frames, channels) as the bytes of a file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format=form, subtype=subtype)
    return buffer.getvalue()


def mp3(clip: Example, sample_rate: int = RATE) -> bytes:
    """The clip as MP3."""
    return audio_file(clip.samples, sample_rate, "MP3", None)


def flags(clips: Sequence[Example | None]) -> np.ndarray:
    """Targets as PANNs keeps them -> bool (N, 527)."""
    target = np.zeros((len(clips), len(MIDS)), dtype=bool)
    for row, clip in enumerate(clips):
        target[row, [MIDS.index(mid) for mid in clip.mids] if clip else []] = True
    return target


def panns_hdf5(path: Path, clips: Sequence[Example | None], sample_rate: int = RATE, **options) -> Path:
    """What audioset_tagging_cnn's `utils/dataset.py` packs; None is a file that was missing: a row of zeros."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("audio_name", shape=(len(clips),), dtype="S20")
        file.create_dataset("waveform", shape=(len(clips), FRAMES), dtype=np.int16, **options)
        file.create_dataset("target", shape=(len(clips), len(MIDS)), dtype=bool)
        file.attrs.create("sample_rate", data=sample_rate, dtype=np.int32)
        for row, clip in enumerate(clips):
            if clip is not None:
                file["audio_name"][row] = f"Y{clip.id}.wav".encode()
                file["waveform"][row] = clip.samples
                file["target"][row] = flags([clip])[0]
    return path


def passt_hdf5(path: Path, clips: Sequence[Example], prefix: str = "", payloads: Sequence[bytes] | None = None) -> Path:
    """What PaSST's `audioset/prepare_scripts/create_h5pymp3_dataset.py` writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    payloads = payloads or [mp3(clip) for clip in clips]
    with h5py.File(path, "w") as file:
        file.create_dataset("audio_name", shape=(len(clips),), dtype="S20")
        file.create_dataset("mp3", shape=(len(clips),), dtype=h5py.vlen_dtype(np.uint8))
        file.create_dataset("target", data=np.packbits(flags(clips), axis=1))
        for row, (clip, payload) in enumerate(zip(clips, payloads, strict=True)):
            file["audio_name"][row] = f"{prefix}Y{clip.id}.mp3".encode()
            file["mp3"][row] = np.frombuffer(payload, dtype=np.uint8)
    return path


def huggingface_parquet(path: Path, rows: Sequence[dict], row_group_size: int = 3) -> Path:
    """A file of agkphysics/AudioSet; rows as made by `huggingface_row`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    schema = pa.schema(
        {
            "video_id": pa.string(),
            "audio": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
            "labels": pa.list_(pa.string()),
            "human_labels": pa.list_(pa.string()),
        }
    )
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path, row_group_size=row_group_size)
    return path


def huggingface_row(clip: Example, payload: bytes) -> dict:
    """One row of agkphysics/AudioSet."""
    names = [label.name for label in audioset_classes() if label.mid in clip.mids]
    audio = {"bytes": payload, "path": f"audio/bal_train/{clip.id}.flac"}
    return {"video_id": clip.id, "audio": audio, "labels": list(clip.mids), "human_labels": names}


def tar(path: Path, members: Sequence[tuple[str, bytes]], tar_format: int = tarfile.GNU_FORMAT) -> Path:
    """A tar archive by the standard library."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=tar_format) as archive:
        for name, payload in members:
            info = tarfile.TarInfo(name)
            info.size = len(payload)
            archive.addfile(info, io.BytesIO(payload))
    return path


def confit_members(clips: Sequence[Example], sample_rate: int = 16000) -> list[tuple[str, bytes]]:
    """Members of a shard of confit/audioset-16khz-wds: `<key>.wav` and `<key>.json` {id, label[], label_id[]}."""
    members = []
    for clip in clips:
        names = [label.name for label in audioset_classes() if label.mid in clip.mids]
        text = {"id": clip.id, "label": names, "label_id": [MIDS.index(mid) for mid in clip.mids]}
        members.append((f"{clip.id}.wav", audio_file(clip.samples, sample_rate, "WAV")))
        members.append((f"{clip.id}.json", json.dumps(text).encode()))
    return members


def laion_members(clips: Sequence[Example]) -> list[tuple[str, bytes]]:
    """Members of a shard as LAION makes them: numbered, the id in the JSON only."""
    members = []
    for number, clip in enumerate(clips):
        text = {"text": ["the sound of something"], "tag": ["thing"], "original_data": {"filename": f"Y{clip.id}.wav"}}
        members.append((f"{number}.flac", audio_file(clip.samples)))
        members.append((f"{number}.json", json.dumps(text).encode()))
    return members


def import_(command, holding, folder: Path, **options) -> tuple[ClipStore, ImportReport]:
    """Pack or index a holding with the official lists -> the store `folder/store`, opened, and the report."""
    (folder / "lists").mkdir(parents=True, exist_ok=True)
    options = {"jobs": 1, "show_progress": False} | options
    report = command(source(folder / "lists", holding), folder / "store", **options)
    return ClipStore.open(folder / "store"), report


def check_clips(store: ClipStore, clips: Sequence[Example], rms_error: float = 0.0) -> None:
    """The store holds these clips: under their ids, in the split and with the labels of the lists, sample by sample.

    Args:
        rms_error: what the audio may differ by; one sample of delay gives 700, MP3 310.
    """
    assert sorted(name.decode() for name in store.id) == sorted(clip.id for clip in clips)
    by_id = {clip.id: clip for clip in clips}
    for row in range(len(store)):
        clip = by_id[store.id[row].decode()]
        assert clip.id in LISTS[store.splits[store.split[row]]]
        assert tuple(MIDS[label] for label in store.labels(row)) == clip.mids
        assert store.start_ms[row] == 30000
        assert np.sqrt(np.mean((store.read(row)[:FRAMES].astype(float) - clip.samples) ** 2)) <= rms_error


def findings(report: ImportReport, what: str) -> list[tuple[str, str]]:
    """(id, path from the last folder on) of all findings of a kind."""
    return [(found.clip_id, Path(found.path).name) for found in report.findings if found.what == what]
