"""Mechanisms: clockwork, clicks, mains hum, heart and engine.

Every sound is `(draw, seconds) -> (N,)` at 32 kHz, any level.
"""

import numpy as np

from panns.data.demo.parameters import Draw
from panns.data.demo.synthesis import (
    Signal,
    above,
    add_at,
    band,
    below,
    harmonics,
    noise,
    samples,
    steady,
    strike,
    times,
)


def tick_tock(draw: Draw, seconds: float) -> Signal:
    """A pendulum or balance clock: two alternating wooden knocks at an even 2 to 5 a second."""
    beat = 1 / draw.log_uniform(2, 5)
    body = draw.log_uniform(900, 2200)
    knocks = []
    for pitch in (body, body / draw.uniform(1.25, 1.6)):  # tick is higher than tock
        case = [pitch, pitch * draw.uniform(1.5, 1.9), pitch * draw.uniform(2.6, 3.4)]
        knock = strike(case, (0.05, 0.03, 0.02), (1.0, 0.7, 0.5), 0.08)
        add_at(knock, 0.6 * above(noise(draw.rng, samples(0.002)), 1500), 0.0)
        knocks.append(knock)
    track = np.zeros(samples(seconds))
    for number in range(int(np.ceil(seconds / beat))):
        add_at(track, knocks[number % 2], number * beat)
    return track


def clicking(draw: Draw, seconds: float) -> Signal:
    """Switches and mouse buttons: dry clicks, each a press and a release, with no regular beat."""
    snap = band(noise(draw.rng, samples(0.004)), draw.log_uniform(1500, 3000), draw.log_uniform(5000, 12_000))
    snap *= np.exp(-times(0.004) / draw.log_uniform(0.0006, 0.0015))
    rate, hold = draw.log_uniform(2, 5), draw.log_uniform(0.04, 0.1)
    track, start = np.zeros(samples(seconds)), 0.0
    while start < seconds:
        add_at(track, snap * draw.uniform(0.6, 1.0), start)
        add_at(track, -snap * draw.uniform(0.3, 0.7), start + hold * draw.uniform(0.8, 1.2))
        start += 0.12 + float(draw.rng.exponential(1 / rate))
    return track


def mains_hum(draw: Draw, seconds: float) -> Signal:
    """A transformer or bad ground: 50 or 60 Hz and its harmonics, the even ones strongest, as steady as the grid."""
    mains = draw.choice((50.0, 60.0)) * draw.uniform(0.999, 1.001)
    levels = [draw.uniform(0.5, 1.0) * (1.0 if n % 2 == 0 else 0.5) / n**0.8 for n in range(1, 13)]
    hum = harmonics(steady(mains, seconds), levels)
    return hum + draw.uniform(0.0, 0.2) * band(np.tanh(3 * hum), 500, 2500)


def heartbeat(draw: Draw, seconds: float) -> Signal:
    """Lub-dub through a stethoscope: two soft thumps of 50 to 150 Hz, 55 to 120 times a minute."""
    period = 60 / draw.uniform(55, 120)
    systole = draw.uniform(0.3, 0.38) * np.sqrt(period)  # falls with the square root of the period (Bazett)
    sounds = []
    for pitch, length in ((draw.log_uniform(60, 100), 0.14), (draw.log_uniform(85, 150), 0.10)):
        t = times(length)
        thump = np.sin(2 * np.pi * pitch * t * (1 - 0.15 * t / length)) + band(noise(draw.rng, len(t)), 60, 400)
        sounds.append(thump * np.sin(np.pi * t / length) ** 2)
    track, start, second = np.zeros(samples(seconds)), 0.0, draw.uniform(0.5, 1.0)
    while start < seconds:
        add_at(track, sounds[0], start)
        add_at(track, second * sounds[1], start + systole)
        start += period * (1 + 0.03 * draw.rng.standard_normal())
    return track


def idling(draw: Draw, seconds: float) -> Signal:
    """A four-stroke engine at idle: four or six cylinders at 600 to 950 turns a minute, no two of them alike."""
    cylinders = draw.choice((4, 6))
    firing_seconds = 120 / (draw.uniform(600, 950) * cylinders)  # each cylinder fires once in two turns
    strength = [draw.uniform(0.6, 1.0) for _ in range(cylinders)]
    t = times(0.06)
    pulse = noise(draw.rng, len(t)) * np.exp(-t / draw.uniform(0.006, 0.012))
    pulse = below(pulse, draw.log_uniform(250, 600)) + 0.15 * band(pulse, 800, 3000)
    track, number, start = np.zeros(samples(seconds)), 0, 0.0
    while start < seconds:
        add_at(track, pulse * strength[number % cylinders] * (1 + 0.1 * draw.rng.standard_normal()), start)
        start += firing_seconds * (1 + 0.02 * draw.rng.standard_normal())
        number += 1
    valves = band(noise(draw.rng, len(track)), 1500, 6000)
    return track + draw.uniform(0.01, 0.04) * valves
