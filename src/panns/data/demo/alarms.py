"""Warning sounds: electronic beepers, sirens and a buzzer.

Every sound is `(draw, seconds) -> (N,)` at 32 kHz, any level.
"""

import numpy as np

from panns.data.demo.parameters import Draw
from panns.data.demo.synthesis import (
    Signal,
    band,
    below,
    cadence,
    harmonics,
    sawtooth_levels,
    square_levels,
    steady,
    times,
)

TEMPORAL_THREE = (0.5, 0.5, 0.5, 0.5, 0.5, 1.5)
CLOCK_BEEPS = (0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.5)


def reversing_beeps(draw: Draw, seconds: float) -> Signal:
    """Even beeps of a lorry that backs up: 1 to 1.5 kHz, 60 to 110 a minute, as long on as off (after SAE J994)."""
    half = 30 / draw.uniform(60, 110)
    tone = harmonics(steady(draw.log_uniform(1000, 1500), seconds), square_levels(draw.choice((3, 5, 7))))
    return tone * cadence(seconds, (half, half))


def smoke_alarm(draw: Draw, seconds: float) -> Signal:
    """The temporal-three signal: three tones of 0.5 s at 0.5 s, then 1.5 s of silence (ISO 8201, NFPA 72).

    The sounder is a piezo disc near 3.1 kHz, or the 520-Hz square wave that NFPA 72 asks for in sleeping rooms.
    """
    frequency, levels = draw.choice(((3100.0, [1.0, 0.1, 0.2]), (3100.0, [1.0]), (520.0, square_levels(15))))
    tone = harmonics(steady(frequency * draw.uniform(0.96, 1.04), seconds), levels)
    return tone * cadence(seconds, TEMPORAL_THREE)


def alarm_clock(draw: Draw, seconds: float) -> Signal:
    """A quartz clock: four quick beeps and a pause, from a crystal divided down to 2,048 Hz or near it."""
    pace = draw.uniform(0.85, 1.15)
    tone = harmonics(steady(2048 * draw.log_uniform(0.8, 1.6), seconds), square_levels(draw.choice((1, 3, 5))))
    return tone * cadence(seconds, [pace * length for length in CLOCK_BEEPS], 0.002)


def siren(draw: Draw, seconds: float) -> Signal:
    """An emergency vehicle: wail, yelp or two-tone.

    Wail rises and falls 10 to 30 times a minute, yelp 150 to 250 times, between about 0.6 and 1.5 kHz (SAE J1849).
    The two-tone horn alternates between two notes a fourth apart, from 360 to 630 Hz (DIN 14610).
    """
    kind = draw.choice(("wail", "yelp", "two-tone"))
    t, phase = times(seconds), draw.uniform(0, 1)
    if kind == "two-tone":
        low = draw.uniform(360, 470)
        track = np.where((t / draw.uniform(0.5, 0.8) + 2 * phase) % 2 < 1, low, low * 4 / 3)
    else:
        rate = draw.uniform(10, 30) / 60 if kind == "wail" else draw.uniform(150, 250) / 60
        low, rise = draw.log_uniform(550, 750), draw.uniform(0.3, 0.7)
        cycle = (t * rate + phase) % 1
        shape = np.where(cycle < rise, cycle / rise, (1 - cycle) / (1 - rise))
        track = low * draw.uniform(1.9, 2.4) ** shape
    horn = harmonics(track, sawtooth_levels(10, draw.uniform(0.5, 1.2)))
    return band(horn, 400, draw.uniform(3000, 6000))  # the horn's own band


def civil_defense_siren(draw: Draw, seconds: float) -> Signal:
    """A motor siren: two choppers a minor third apart (10 and 12 ports) that run up, hold near 460 Hz, and run down."""
    t = times(seconds)
    top, run_up = draw.log_uniform(380, 520), draw.uniform(1.5, 3.5)
    period = draw.uniform(6, 9)  # seconds for one slow wail
    wail = 0.5 - 0.5 * np.cos(2 * np.pi * (t + draw.uniform(0, 0.25) * period) / period)
    depth = draw.choice((0.0, 0.35, 0.5))  # none: the steady "alert" signal
    speed = (1 - np.exp(-3 * (t + 0.3) / run_up)) * (1 - depth * wail)
    levels = [level * (-1) ** n for n, level in enumerate(sawtooth_levels(12, draw.uniform(0.7, 1.2)))]
    chord = harmonics(top * speed, levels) + draw.uniform(0.5, 1.0) * harmonics(top * speed * 12 / 10, levels)
    return below(chord * speed, draw.uniform(2500, 5000))


def buzzer(draw: Draw, seconds: float) -> Signal:
    """An electromechanical door or game buzzer: a vibrating contact at 90 to 260 Hz, harsh up to several kHz."""
    wander = np.cumsum(draw.rng.standard_normal(len(times(seconds)))) * 2e-5
    contact = harmonics(draw.log_uniform(90, 260) * np.clip(1 + wander, 0.9, 1.1), sawtooth_levels(60, 0.6))
    plate_hz = draw.log_uniform(700, 3000)
    body = 0.4 * contact + band(np.tanh(2 * contact), plate_hz * 0.7, plate_hz * 1.4)
    press, pause = draw.log_uniform(0.3, 1.5), draw.log_uniform(0.2, 0.8)
    return body * cadence(seconds, (press, pause), 0.004)
