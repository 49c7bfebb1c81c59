"""From sounds to a clip: onset, length, room, level and background.

N = 320,000 samples: 10 s at 32 kHz.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from panns.data.demo.classes import DemoClass
from panns.data.demo.parameters import Draw
from panns.data.demo.synthesis import SAMPLE_RATE, Signal, noise, samples, swell

CLIP_SECONDS = 10.0
EDGE_SECONDS = 0.1  # no sound starts or ends nearer to the ends of the clip
FRAME_SECONDS = 0.05
LEVELS_DB = (-28.0, -18.0)  # of the loudest 50 ms of a sound, re full scale
BACKGROUND_DB = (-70.0, -56.0)
BACKGROUND_SLOPES = (-7.5, -4.5)  # dB per octave: darker than pink, as rooms are
HIGHEST_PEAK = 0.9
UNUSED_BITS = 4  # samples of 12 bits: FLAC stores them in half the bytes, and their noise lies at -77 dB


class Event(NamedTuple):
    """When a sound starts and ends, in seconds within the clip, and its label."""

    start: float
    end: float
    mid: str


def mix(draw: Draw, classes: Sequence[DemoClass]) -> tuple[NDArray[np.int16], list[Event]]:
    """Sounds of the given classes over a background -> (samples (N,), the events, one for each label).

    They may overlap; the more of them there are, the shorter they get, so that none is hidden throughout.
    """
    clip, events = _background(draw), []
    free = CLIP_SECONDS - 2 * EDGE_SECONDS
    for demo_class in classes:
        seconds = draw.uniform(demo_class.min_seconds, max(demo_class.min_seconds + 1, free / len(classes)))
        start = EDGE_SECONDS + draw.uniform(0, free - seconds)
        sound = _trim(demo_class.sound(draw, seconds))
        events += [Event(start, start + len(sound) / SAMPLE_RATE, mid) for mid in demo_class.labels]
        heard = fftconvolve(sound * swell(len(sound) / SAMPLE_RATE, 0.002, 0.01), _room(draw))
        heard *= 10 ** ((draw.uniform(*LEVELS_DB) - demo_class.quieter_db) / 20) / _loudest(heard)
        first = samples(start)
        clip[first : first + len(heard)] += heard[: len(clip) - first]
    clip *= min(1.0, HIGHEST_PEAK / np.abs(clip).max())
    return np.int16(2**UNUSED_BITS) * np.round(clip * (32767 >> UNUSED_BITS)).astype(np.int16), sorted(events)


def _background(draw: Draw) -> Signal:
    """The quiet noise of a room (N,)."""
    level_db, slope = draw.uniform(*BACKGROUND_DB), draw.uniform(*BACKGROUND_SLOPES)
    return 10 ** (level_db / 20) * noise(draw.rng, samples(CLIP_SECONDS), slope)


def _room(draw: Draw) -> Signal:
    """An impulse response: the direct sound, noise that falls by 60 dB in 0.1 to 0.8 s, a microphone's colour."""
    decay = draw.log_uniform(0.1, 0.8)
    t = np.arange(samples(decay)) / SAMPLE_RATE
    tail = noise(draw.rng, len(t)) * np.exp(-6.908 * t / decay)
    response = 10 ** (draw.uniform(-24, -10) / 20) * tail / np.sqrt(np.sum(tail**2))
    response[0] += 1.0
    octaves = np.log2(np.maximum(np.fft.rfftfreq(2 * len(t), 1 / SAMPLE_RATE), 31.25) / 31.25)
    colour_db = np.interp(octaves, range(0, 10, 3), [draw.uniform(-5, 5) for _ in range(4)])
    coloured = np.fft.irfft(np.fft.rfft(response, 2 * len(t)) * 10 ** (colour_db / 20), 2 * len(t))
    return coloured[: len(t)]  # the second half is what the filter rings before the direct sound


def _loudest(sound: Signal) -> float:
    """Root mean square of the loudest 50 ms."""
    frame = samples(FRAME_SECONDS)
    frames = sound[: len(sound) // frame * frame].reshape(-1, frame)
    return float(np.sqrt(np.mean(frames**2, axis=1).max()))


def _trim(sound: Signal) -> Signal:
    """The sound without silence at its ends (40 dB below its peak), so that its event says when it is heard."""
    heard = np.flatnonzero(np.abs(sound) > 0.01 * np.abs(sound).max())
    return sound[heard[0] : heard[-1] + 1]
