"""Horns and whistles: sounds of air columns and steam.

Every sound is `(draw, seconds) -> (N,)` at 32 kHz, any level.
"""

from collections.abc import Sequence

import numpy as np

from panns.data.demo.parameters import Draw
from panns.data.demo.synthesis import (
    Signal,
    add_at,
    band,
    below,
    harmonics,
    noise,
    samples,
    sawtooth_levels,
    swell,
    times,
)

TRAIN_HORN_CHORDS_HZ = ((311.1, 370.0, 415.3, 493.9, 622.3), (311.1, 370.0, 493.9), (277.2, 329.6, 440.0))


def _blasts(seconds: float, pattern: Sequence[float]) -> list[tuple[float, float]]:
    """(start, length) of the blasts of a pattern of seconds on, off, on, off ..., repeated to the end."""
    blasts, start, step = [], 0.0, 0
    while start < seconds - 0.1:
        if step % 2 == 0:
            blasts.append((start, min(pattern[step % len(pattern)], seconds - start)))
        start, step = start + pattern[step % len(pattern)], step + 1
    return blasts


def foghorn(draw: Draw, seconds: float) -> Signal:
    """A diaphone: one long low blast, 90 to 220 Hz, that drops to a grunt at its end."""
    track = np.zeros(samples(seconds))
    pitch, bright = draw.log_uniform(90, 220), draw.uniform(0.7, 1.2)
    pattern = (draw.uniform(2, 4), draw.uniform(1.5, 3))
    grunt = draw.uniform(0.75, 0.9)
    for start, length in _blasts(seconds, pattern):
        t = times(length)
        glide = 1 - 0.1 * np.exp(-t / 0.08)
        fall = np.where(t > length - 0.35, grunt, 1.0)
        blast = harmonics(pitch * glide * fall, sawtooth_levels(14, bright)) * swell(length, 0.15, 0.12)
        add_at(track, blast, start)
    return below(track, draw.uniform(900, 2000))


def train_horn(draw: Draw, seconds: float) -> Signal:
    """A chord of three or five horns (Nathan K5LA: D#4 F#4 G#4 B4 D#5), blown long, long, short, long
    (49 CFR 222.21).
    """
    long, short, gap = draw.uniform(1.6, 2.6), draw.uniform(0.5, 0.8), draw.uniform(0.4, 0.8)
    chord, tuning = draw.choice(TRAIN_HORN_CHORDS_HZ), draw.uniform(0.95, 1.05)
    levels = sawtooth_levels(16, draw.uniform(0.4, 0.8))
    track = np.zeros(samples(seconds))
    for start, length in _blasts(seconds, (long, gap, long, gap, short, gap, long, gap)):
        bend = 1 - 0.03 * np.exp(-times(length) / 0.1)
        blast = np.sum([harmonics(f * tuning * bend, levels) for f in chord], axis=0)
        add_at(track, blast * swell(length, 0.08, 0.15), start)
    return below(track, draw.uniform(3000, 6000))


def vehicle_horn(draw: Draw, seconds: float) -> Signal:
    """A car's pair of horns, about 400 and 500 Hz, honked impatiently."""
    low, ratio = draw.uniform(380, 450), draw.uniform(1.19, 1.27)
    levels = sawtooth_levels(24, draw.uniform(0.3, 0.7))
    track = np.zeros(samples(seconds))
    honks = [draw.log_uniform(0.12, 0.9) for _ in range(3)]
    gaps = [draw.log_uniform(0.08, 0.5) for _ in range(3)]
    for start, length in _blasts(seconds, [x for pair in zip(honks, gaps, strict=True) for x in pair]):
        flat = np.full(samples(length), low)
        honk = harmonics(flat, levels) + harmonics(flat * ratio, levels)
        add_at(track, honk * swell(length, 0.015, 0.03), start)
    return band(track, 300, draw.uniform(4000, 7000))


def whistle(draw: Draw, seconds: float) -> Signal:
    """A referee's pea whistle: 2.4 to 4 kHz, chopped and bent 25 to 45 times a second by the pea."""
    pitch, trill = draw.log_uniform(2400, 4000), draw.uniform(25, 45)
    depth, breath = draw.uniform(0.5, 0.9), draw.uniform(0.02, 0.1)
    track = np.zeros(samples(seconds))
    pattern = (draw.log_uniform(0.2, 1.2), draw.log_uniform(0.15, 0.6), draw.log_uniform(0.2, 1.2), 0.5)
    for start, length in _blasts(seconds, pattern):
        t = times(length)
        pea = np.sin(2 * np.pi * trill * t)
        tone = harmonics(pitch * (1 + 0.02 * pea) * (1 - 0.1 * np.exp(-t / 0.03)), [1.0, 0.15, 0.05])
        air = band(noise(draw.rng, len(t)), 0.8 * pitch, min(1.6 * pitch, 12_000))
        add_at(track, (tone * (1 - depth * (0.5 + 0.5 * pea)) + breath * air) * swell(length, 0.02, 0.03), start)
    return track


def steam_whistle(draw: Draw, seconds: float) -> Signal:
    """A chime whistle on steam: a chord of three hollow notes that scoops up, wrapped in rushing noise."""
    root = draw.log_uniform(450, 900)
    chord = draw.choice(((1.0, 1.26, 1.5), (1.0, 1.19, 1.5), (1.0, 1.33, 1.68)))
    hiss = draw.uniform(0.25, 0.6)
    pattern = (draw.uniform(1.2, 3), draw.uniform(0.4, 1), draw.uniform(0.4, 1), draw.uniform(0.4, 1))
    track = np.zeros(samples(seconds))
    for start, length in _blasts(seconds, pattern):
        t = times(length)
        scoop = 1 - 0.15 * np.exp(-t / 0.12)
        flutter = 1 + 0.1 * below(noise(draw.rng, len(t)), 12, order=1)
        notes = np.sum([harmonics(root * ratio * scoop, [1.0, 0.1, 0.3, 0.05, 0.1]) for ratio in chord], axis=0)
        steam = band(noise(draw.rng, len(t)), root, 9000)
        add_at(track, (notes * flutter + hiss * steam) * swell(length, 0.2, 0.3), start)
    return track
