"""Test signals and noises: sine wave, white noise, pink noise and static.

Every sound is `(draw, seconds) -> (N,)` at 32 kHz, any level.
"""

import numpy as np

from panns.data.demo.parameters import Draw
from panns.data.demo.synthesis import (
    Signal,
    band,
    noise,
    samples,
    swell,
    tones,
)


def sine_wave(draw: Draw, seconds: float) -> Signal:
    """One pure tone that does not move, 150 Hz to 8 kHz."""
    return tones([draw.log_uniform(150, 8000)], seconds) * swell(seconds, 0.02, 0.02)


def white_noise(draw: Draw, seconds: float) -> Signal:
    """Noise of equal power in every hertz."""
    return noise(draw.rng, samples(seconds)) * swell(seconds, draw.log_uniform(0.01, 0.5), 0.05)


def pink_noise(draw: Draw, seconds: float) -> Signal:
    """Noise of equal power in every octave: 3 dB less with each."""
    return noise(draw.rng, samples(seconds), -3.01) * swell(seconds, draw.log_uniform(0.01, 0.5), 0.05)


def static(draw: Draw, seconds: float) -> Signal:
    """A radio off its station: hiss in a narrow channel that surges, torn by crackles."""
    length = samples(seconds)
    hiss = band(noise(draw.rng, length), draw.uniform(250, 500), draw.log_uniform(3000, 5000))
    surge = np.exp(0.8 * noise(draw.rng, length, -6.0) * draw.uniform(0.5, 1.0))
    crackle = np.where(draw.rng.random(length) < draw.log_uniform(20, 80) / samples(1), 1.0, 0.0)
    crackle *= draw.rng.standard_normal(length) * draw.uniform(10, 30)
    return hiss * np.clip(surge, 0, 3) + band(crackle, 300, 9000)
