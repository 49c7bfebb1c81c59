"""Struck metal: doorbell, church bell and wind chime.

Every sound is `(draw, seconds) -> (N,)` at 32 kHz, any level.
"""

import numpy as np

from panns.data.demo.parameters import Draw
from panns.data.demo.synthesis import Signal, add_at, samples, strike

FREE_BAR = (1.0, 2.756, 5.404)  # transverse modes of a bar with free ends (Fletcher and Rossing, chapter 2)
CHURCH_BELL = (0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 2.67, 3.0)  # hum, prime, tierce, quint, nominal ... (the same, chapter 21)


def doorbell(draw: Draw, seconds: float) -> Signal:
    """Ding-dong: two chime bars, the second a major third (or a fourth) lower."""
    ding, interval = draw.log_uniform(550, 900), draw.choice((2 ** (4 / 12), 2 ** (4 / 12), 2 ** (5 / 12)))
    decay, wait = draw.log_uniform(1.2, 3.0), draw.uniform(0.4, 0.8)
    pause = draw.uniform(1.2, 2.5)
    levels = (1.0, draw.uniform(0.1, 0.4), draw.uniform(0.03, 0.15))
    decays = (decay, decay / 3, decay / 6)
    bars = [strike([f * r for r in FREE_BAR], decays, levels, decay) for f in (ding, ding / interval)]
    track, start = np.zeros(samples(seconds)), 0.0
    while start < seconds:
        add_at(track, bars[0], start)
        add_at(track, bars[1], start + wait)
        start += wait + pause
    return track


def church_bell(draw: Draw, seconds: float) -> Signal:
    """A tolling bell: strike notes of 180 to 500 Hz with the partials of a tuned minor-third bell."""
    prime, decay = draw.log_uniform(180, 500), draw.log_uniform(2.5, 6)
    partials = [prime * r * (1 + 0.004 * draw.rng.standard_normal()) for r in CHURCH_BELL]
    doublets = [f + draw.uniform(0.5, 2.0) for f in partials]  # no bell is quite round: each mode beats
    decays = [decay * r**-0.7 for r in CHURCH_BELL]
    levels = [0.5, 0.8, 1.0, 0.3, 1.2, 0.5, 0.5, 0.7]
    levels = [level * draw.uniform(0.6, 1.4) for level in levels]
    toll = strike(partials + doublets, decays + decays, levels + [0.5 * level for level in levels], min(decay, seconds))
    track, start, gap = np.zeros(samples(seconds)), 0.0, draw.uniform(1.2, 2.5)
    while start < seconds:
        add_at(track, toll * draw.uniform(0.8, 1.0), start)
        start += gap
    return track


def wind_chime(draw: Draw, seconds: float) -> Signal:
    """Five to eight small tubes struck at random by the wind, in gusts."""
    lowest = draw.log_uniform(900, 1800)
    scale = (1.0, 9 / 8, 5 / 4, 3 / 2, 5 / 3, 2.0, 9 / 4, 5 / 2)[: draw.integer(5, 8)]
    decay, rate = draw.log_uniform(0.8, 2.5), draw.log_uniform(4, 9)
    levels = (1.0, draw.uniform(0.3, 0.8), draw.uniform(0.05, 0.3))
    tubes = [
        strike([lowest * step * r for r in FREE_BAR], (decay, decay / 2, decay / 4), levels, decay) for step in scale
    ]
    track, start = np.zeros(samples(seconds)), 0.0
    while start < seconds:
        add_at(track, draw.choice(tubes) * draw.uniform(0.2, 1.0), start)
        start += float(draw.rng.exponential(1 / rate))
    return track
