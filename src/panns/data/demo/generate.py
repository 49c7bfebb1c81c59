"""Writes the demo set in AudioSet's own form.

- `demo.json`: the settings; its presence says that the set is complete
- `class_labels_indices.csv`: all 527 classes of AudioSet
- `train_segments.csv`, `eval_segments.csv`: weak labels, the official form
- `train_strong.tsv`, `eval_strong.tsv`: strong labels, the form of AudioSet-strong
- `audio/train/Y<id>.flac`, `audio/eval/Y<id>.flac`: 10 s each, 32 kHz, mono
"""

import base64
import hashlib
import json
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import soundfile
from filelock import FileLock

from panns.data.demo.classes import DEMO_CLASSES
from panns.data.demo.mixing import CLIP_SECONDS, Event, mix
from panns.data.demo.parameters import Draw
from panns.data.demo.plan import eval_shares, plan, train_shares
from panns.data.demo.synthesis import SAMPLE_RATE
from panns.data.labels import Segment, audioset_classes, write_segments
from panns.data.progress import track
from panns.data.workers import num_cores, ordered_map

VERSION = 2  # of the sounds: counted up when they change, so that sets made before are not taken for new ones
NUM_TRAIN = 1500
NUM_EVAL = 200
SPLITS = ("train", "eval")

log = logging.getLogger(__name__)


class DemoSetError(ValueError):
    """The demo set cannot be made as asked."""


class _Clip(NamedTuple):
    """What one process needs to know to make a clip; `sounds` are positions in `DEMO_CLASSES`."""

    split: str
    seed: int
    number: int
    sounds: list[int]

    @property
    def id(self) -> str:
        """Eleven of [A-Za-z0-9_-], as YouTube's."""
        digest = hashlib.sha256(f"{self.seed}/{self.split}/{self.number}".encode()).digest()
        return base64.urlsafe_b64encode(digest[:8]).decode().rstrip("=")


def generate(
    out: Path, seed: int = 0, num_train: int = NUM_TRAIN, num_eval: int = NUM_EVAL, jobs: int | None = None
) -> None:
    """Make the demo set in `out`, or keep it where it stands complete with the same settings.

    The same settings give the same bytes, whatever `jobs`: each clip has its own random stream, keyed by
    (seed, split, number). Everything is written beside `out` and renamed at the end.

    Args:
        jobs: processes; None takes one for each usable core.

    Raises:
        DemoSetError: `out` holds something else, or a number is out of range.
    """
    if num_train < 1 or num_eval < 1 or seed < 0 or (jobs is not None and jobs < 1):
        raise DemoSetError(
            f"num_train={num_train}, num_eval={num_eval}, jobs={jobs} must be at least 1 and seed={seed} at least 0"
        )
    out = Path(out).absolute()
    settings = {"version": VERSION, "seed": seed, "num_train": num_train, "num_eval": num_eval}
    out.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(out.parent / f".{out.name}.lock"):  # a second run waits for the first, then keeps its set
        if _is_complete(out, settings):
            log.info("The demo set in %s is complete: kept.", out)
            return
        log.info("Making the demo set in %s: %d + %d clips, about a minute.", out, num_train, num_eval)
        with TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
            made = Path(scratch) / "set"
            _write_set(made, settings, jobs or num_cores())
            made.rename(out)
        log.info("Made the demo set in %s.", out)


def _is_complete(out: Path, settings: dict[str, int]) -> bool:
    """Whether the very set stands there already.

    Raises:
        DemoSetError: another set, or other files, stand there.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    record = out / "demo.json"
    if not record.is_file():
        raise DemoSetError(f"{out} exists and is no demo set; name another folder or remove it")
    found = json.loads(record.read_text(encoding="utf-8"))
    if found != settings:
        raise DemoSetError(f"{out} holds a demo set made with {found}, not {settings}; name another folder")
    return True


def _write_set(folder: Path, settings: dict[str, int], jobs: int) -> None:
    """Writes audio, both kinds of labels, the class list and, last, the settings."""
    clips = [clip for split in SPLITS for clip in _planned(split, settings["seed"], settings[f"num_{split}"])]
    for split in SPLITS:
        (folder / "audio" / split).mkdir(parents=True)
    made = ordered_map(partial(_write_clip, folder), clips, jobs)
    events = list(track(made, len(clips), 0, "demo set"))
    for split in SPLITS:
        _write_labels(folder, split, [(c, e) for c, e in zip(clips, events, strict=True) if c.split == split])
    classes = [f'{number},{mid},"{name}"\n' for number, (mid, name) in enumerate(audioset_classes())]
    (folder / "class_labels_indices.csv").write_text("index,mid,display_name\n" + "".join(classes), encoding="utf-8")
    (folder / "demo.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _planned(split: str, seed: int, num_clips: int) -> list[_Clip]:
    """The clips of a split."""
    shares = train_shares() if split == "train" else eval_shares()
    hands = plan(np.random.default_rng([seed, SPLITS.index(split)]), num_clips, shares)
    return [_Clip(split, seed, number, hand) for number, hand in enumerate(hands)]


def _write_clip(folder: Path, clip: _Clip) -> list[Event]:
    """Makes one clip, writes it, and returns its events."""
    rng = np.random.default_rng([clip.seed, SPLITS.index(clip.split), clip.number + 1])  # number 0 is the plan's
    samples, events = mix(Draw(rng, held_out=clip.split == "eval"), [DEMO_CLASSES[i] for i in clip.sounds])
    path = folder / "audio" / clip.split / f"Y{clip.id}.flac"
    soundfile.write(path, samples, SAMPLE_RATE, subtype="PCM_16", format="FLAC")
    return events


def _write_labels(folder: Path, split: str, clips: Sequence[tuple[_Clip, list[Event]]]) -> None:
    """Writes the weak and the strong labels of a split."""
    segments = [
        Segment(clip.id, 0.0, CLIP_SECONDS, tuple(sorted({event.mid for event in events}))) for clip, events in clips
    ]
    write_segments(folder / f"{split}_segments.csv", segments)
    rows = [f"{clip.id}_0\t{e.start:.3f}\t{e.end:.3f}\t{e.mid}\n" for clip, events in clips for e in events]
    header = "segment_id\tstart_time_seconds\tend_time_seconds\tlabel\n"
    (folder / f"{split}_strong.tsv").write_text(header + "".join(rows), encoding="utf-8")
