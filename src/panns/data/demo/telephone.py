"""The telephone: dial tone, busy signal, dialling, bell and ringtone.

Every sound is `(draw, seconds) -> (N,)` at 32 kHz, any level.
"""

import numpy as np

from panns.data.demo.parameters import Draw
from panns.data.demo.synthesis import (
    Signal,
    add_at,
    band,
    cadence,
    harmonics,
    samples,
    sawtooth_levels,
    square_levels,
    steady,
    strike,
    times,
    tones,
)

DIAL_TONES_HZ = ((350.0, 440.0), (350.0, 450.0))
BUSY_SIGNALS = (
    ((480.0, 620.0), (0.5, 0.5)),
    ((480.0, 620.0), (0.25, 0.25)),
    ((425.0,), (0.5, 0.5)),
    ((400.0,), (0.375, 0.375)),
)
DTMF_ROWS_HZ = (697.0, 770.0, 852.0, 941.0)
DTMF_COLUMNS_HZ = (1209.0, 1336.0, 1477.0, 1633.0)
RING_CADENCES = ((2.0, 4.0), (0.4, 0.2, 0.4, 2.0), (1.0, 4.0), (1.0, 2.0))


def _line(draw: Draw, signal: Signal) -> Signal:
    """The telephone channel, 300 to 3,400 Hz, with edges that differ from set to set."""
    return band(signal, draw.uniform(220, 320), draw.uniform(3000, 3800))


def dial_tone(draw: Draw, seconds: float) -> Signal:
    """Two steady tones: 350 + 440 Hz (Precise Tone Plan) or 350 + 450 Hz (United Kingdom, ITU-T E.180 Supplement 2).

    Countries with a single 425-Hz tone are left out: alone it could not be told from a sine wave.
    """
    detune = draw.uniform(0.995, 1.005)  # ITU-T E.180 allows 1 %
    tone = tones([f * detune for f in draw.choice(DIAL_TONES_HZ)], seconds)
    drive = draw.uniform(0.2, 1.2)
    return _line(draw, np.tanh(drive * tone))


def busy_signal(draw: Draw, seconds: float) -> Signal:
    """Tones that come and go evenly: 480 + 620 Hz, 0.5 s on and off, or 0.25 s for "reorder" (Precise Tone Plan);
    425 Hz, 0.5 s (ITU-T E.180); 400 Hz, 0.375 s (United Kingdom, ITU-T E.180 Supplement 2).
    """
    frequencies, pattern = draw.choice(BUSY_SIGNALS)
    detune = draw.uniform(0.99, 1.01)
    tone = np.tanh(draw.uniform(0.2, 1.2) * tones([f * detune for f in frequencies], seconds))
    return _line(draw, tone * cadence(seconds, pattern))


def dtmf(draw: Draw, seconds: float) -> Signal:
    """Keys pressed one after another, each one of four low and one of four high tones (ITU-T Q.23).

    Tones and pauses last 60 to 250 ms (ITU-T Q.24 asks receivers for 40 ms and more); the high tone is up to 4 dB
    stronger, as lines weaken it.
    """
    track = np.zeros(samples(seconds))
    on, off = draw.log_uniform(0.06, 0.2), draw.log_uniform(0.06, 0.25)
    twist = 10 ** (draw.uniform(0, 4) / 20)
    jitter = draw.uniform(0.0, 0.5)  # an automatic dialler is even, a hand is not
    start = 0.0
    while start + on <= seconds:
        length = min(on * (1 + jitter * draw.rng.random()), seconds - start)
        row, column = draw.choice(DTMF_ROWS_HZ), draw.choice(DTMF_COLUMNS_HZ)
        key = tones([row], length) + twist * tones([column], length)
        add_at(track, key * cadence(length, (length, 1.0), 0.003), start)
        start += length + off * (1 + 2 * jitter * draw.rng.random())
    return _line(draw, track)


def telephone_bell(draw: Draw, seconds: float) -> Signal:
    """A clapper that strikes two gongs in turn, driven at about 20 Hz, in a ringing cadence.

    Cadences: 2 s on, 4 s off (Precise Tone Plan); 0.4, 0.2, 0.4, 2 s (United Kingdom); 1 s on, 4 or 2 s off
    (ITU-T E.180 Supplement 2: Germany, Japan).
    """
    low = draw.log_uniform(700, 1600)
    gongs = [low, low * draw.uniform(1.1, 1.35)]
    stroke_seconds = 1 / draw.uniform(32, 50)  # two strokes in each period of 16 to 25 Hz
    decay = draw.log_uniform(0.2, 0.8)
    ratios, levels = (1.0, 2.71, 4.95), (1.0, draw.uniform(0.5, 1.2), draw.uniform(0.2, 0.8))
    rings = [strike([f * r for r in ratios], [decay, decay / 2, decay / 4], levels, decay) for f in gongs]
    ringing = cadence(seconds, draw.choice(RING_CADENCES), 0.001)
    track = np.zeros(samples(seconds))
    for number in range(int(seconds / stroke_seconds)):
        at = number * stroke_seconds
        if ringing[samples(at + stroke_seconds / 2) - 1] > 0.5:
            add_at(track, rings[number % 2] * (1 + 0.15 * draw.rng.standard_normal()), at)
    return track


def ringtone(draw: Draw, seconds: float) -> Signal:
    """The tune of a mobile telephone: a short melody of quick square-wave or reedy notes, over and over."""
    root = draw.log_uniform(500, 1000)
    scale = draw.choice(((0, 2, 4, 7, 9, 12, 14), (0, 2, 3, 5, 7, 8, 12), (0, 4, 7, 11, 12, 16, 19)))
    tune = [(draw.choice(scale), draw.choice((1, 1, 1, 2))) for _ in range(draw.integer(6, 12))]
    beat = draw.log_uniform(0.09, 0.17)
    levels = draw.choice((square_levels(9), sawtooth_levels(8, 1.0), [1.0, 0.0, 0.0, 0.5]))
    decay = draw.log_uniform(0.25, 1.5)
    track = np.zeros(samples(seconds))
    start, step = 0.0, 0
    while start < seconds:
        semitones, beats = tune[step % len(tune)]
        length = beats * beat
        note = harmonics(steady(root * 2 ** (semitones / 12), length), levels)
        gate = cadence(length, (0.92 * length, length), 0.004)
        add_at(track, note * gate * np.exp(-3 * times(length) / decay), start)
        start, step = start + length, step + 1
    return track
