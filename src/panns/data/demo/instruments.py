"""Electronic instruments: theremin, drum machine and organ.

Every sound is `(draw, seconds) -> (N,)` at 32 kHz, any level.
"""

import numpy as np

from panns.data.demo.parameters import Draw
from panns.data.demo.synthesis import Signal, above, add_at, band, harmonics, noise, samples, steady, swell, times

DRAWBAR_RATIOS = (0.5, 1.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
TRIADS = ((0, 4, 7), (0, 3, 7), (0, 5, 9), (0, 4, 9))


def theremin(draw: Draw, seconds: float) -> Signal:
    """A voice-like tone that slides from note to note with a wide vibrato of 5 to 7 Hz."""
    t = times(seconds)
    lowest, glide = draw.log_uniform(260, 520), draw.log_uniform(0.08, 0.25)
    note_seconds = draw.uniform(0.5, 1.1)
    notes = np.array([draw.choice((0, 2, 4, 5, 7, 9, 11, 12)) for _ in range(int(seconds / note_seconds) + 2)], float)
    position = t / note_seconds
    index = position.astype(int)
    step = np.clip((position - index) * note_seconds / glide, 0, 1)
    semitones = notes[index] + (notes[index + 1] - notes[index]) * (3 * step**2 - 2 * step**3)
    vibrato = draw.uniform(0.4, 0.9) * np.sin(2 * np.pi * draw.uniform(5, 7) * t)
    levels = [1.0, *(draw.uniform(0.1, 0.4) / n for n in (1, 2, 3))]
    tone = harmonics(lowest * 2 ** ((semitones + vibrato) / 12), levels)
    return tone * swell(seconds, 0.15, 0.2)


def _drums(draw: Draw) -> dict[str, Signal]:
    """Kick, snare and hi-hat of an analogue rhythm box."""
    t = times(0.4)
    kick = np.sin(2 * np.pi * (draw.uniform(45, 65) * t + 6 * (1 - np.exp(-t / 0.02)) * 0.25)) * np.exp(-t / 0.12)
    t = times(0.2)
    snap = above(noise(draw.rng, len(t)), 1500) * np.exp(-t / draw.log_uniform(0.03, 0.08))
    snare = 0.5 * snap + 0.6 * np.sin(2 * np.pi * draw.uniform(170, 230) * t) * np.exp(-t / 0.05)
    t = times(0.08)
    hat = above(noise(draw.rng, len(t)), draw.uniform(6000, 8000), order=4) * np.exp(-t / draw.log_uniform(0.01, 0.03))
    return {"kick": 1.5 * kick, "snare": snare, "hat": 0.4 * hat}


def drum_machine(draw: Draw, seconds: float) -> Signal:
    """A rhythm box: kick, snare on the off-beats and hi-hats, in bars of sixteen even steps."""
    drums = _drums(draw)
    step_seconds = 15 / draw.uniform(90, 150)  # sixteenth notes
    hat_every, kicks = draw.choice((1, 2, 4)), {0, draw.choice((3, 6, 7)), 8, draw.choice((10, 11, 14))}
    track = np.zeros(samples(seconds))
    for step in range(int(np.ceil(seconds / step_seconds))):
        at, beat = step * step_seconds, step % 16
        if beat in kicks:
            add_at(track, drums["kick"], at)
        if beat in (4, 12):
            add_at(track, drums["snare"], at)
        if beat % hat_every == 0:
            add_at(track, drums["hat"], at)
    return track


def electronic_organ(draw: Draw, seconds: float) -> Signal:
    """Held triads that change every second or two: sine waves at drawbar pitches, through a tremolo cabinet."""
    root, chord_seconds = draw.log_uniform(180, 360), draw.uniform(0.8, 1.8)
    drawbars = [draw.uniform(0.2, 1.0) for _ in DRAWBAR_RATIOS]
    track, start = np.zeros(samples(seconds)), 0.0
    while start < seconds:
        shift, triad = draw.choice((0, 5, 7, -3, -5)), draw.choice(TRIADS)
        chord = np.zeros(samples(chord_seconds))
        for semitones in triad:
            key = root * 2 ** ((shift + semitones) / 12)
            for ratio, level in zip(DRAWBAR_RATIOS, drawbars, strict=True):
                chord += level * harmonics(steady(key * ratio, chord_seconds), [1.0])
        add_at(track, chord * swell(chord_seconds, 0.008, 0.02), start)
        start += chord_seconds
    tremolo = 1 + draw.uniform(0.05, 0.3) * np.sin(2 * np.pi * draw.uniform(5.5, 7.5) * times(seconds))
    return np.tanh(0.15 * track) * tremolo + 0.002 * band(noise(draw.rng, len(track)), 200, 6000)
