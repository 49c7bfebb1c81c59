"""The signal processing that the sounds are built from.

Signals are float64 arrays (N,) at 32 kHz, of any level: the mixer sets it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

SAMPLE_RATE = 32_000
HIGHEST_HZ = 0.45 * SAMPLE_RATE  # partials above it are left out, so that nothing aliases

Signal = NDArray[np.float64]


def samples(seconds: float) -> int:
    """The number of samples in a time."""
    return round(seconds * SAMPLE_RATE)


def times(seconds: float) -> Signal:
    """The time axis (N,) in seconds."""
    return np.arange(samples(seconds)) / SAMPLE_RATE


def tones(frequencies_hz: Sequence[float], seconds: float) -> Signal:
    """Steady sine waves of equal level, added: (N,)."""
    t = times(seconds)
    return np.sum([np.sin(2 * np.pi * f * t) for f in frequencies_hz], axis=0)


def harmonics(frequency_hz: Signal, levels: Sequence[float]) -> Signal:
    """A moving tone (N,) from its frequency at every sample (N,); `levels` are those of harmonic 1, 2, 3 ..."""
    phase = 2 * np.pi * np.cumsum(frequency_hz) / SAMPLE_RATE
    twice_cosine, before, partial = 2 * np.cos(phase), np.zeros_like(phase), np.sin(phase)
    out = np.zeros_like(phase)
    for number, level in enumerate(levels, start=1):
        out += np.where(number * frequency_hz < HIGHEST_HZ, level * partial, 0.0)
        # sin((n + 1) x) = 2 cos(x) sin(n x) - sin((n - 1) x), three times as fast as a sine for each
        before, partial = partial, twice_cosine * partial - before
    return out


def steady(frequency_hz: float, seconds: float) -> Signal:
    """A constant frequency track (N,) for `harmonics`."""
    return np.full(samples(seconds), frequency_hz)


def sawtooth_levels(num_harmonics: int, slope: float = 1.0) -> list[float]:
    """Levels 1 / n ** slope: bright brass and strings near 0.5, mellow horns near 2."""
    return [n**-slope for n in range(1, num_harmonics + 1)]


def square_levels(num_harmonics: int) -> list[float]:
    """Levels of a square wave: odd harmonics only, as 1 / n."""
    return [1 / n if n % 2 else 0.0 for n in range(1, num_harmonics + 1)]


def cadence(seconds: float, pattern: Sequence[float], ramp_seconds: float = 0.005) -> Signal:
    """An envelope (N,) of 0 to 1: `pattern` gives seconds on, off, on, off ... and repeats to the end."""
    gate = np.zeros(samples(seconds))
    start, step = 0.0, 0
    while start < seconds:
        stop = start + pattern[step % len(pattern)]
        if step % 2 == 0:
            gate[samples(start) : samples(stop)] = 1.0
        start, step = stop, step + 1
    width = max(1, samples(ramp_seconds))
    smooth = np.cumsum(np.concatenate([gate, np.zeros(width)]) - np.concatenate([np.zeros(width), gate]))
    return np.clip(smooth[: len(gate)] / width, 0.0, 1.0)


def swell(seconds: float, attack_seconds: float, release_seconds: float) -> Signal:
    """An envelope (N,) that rises, holds and falls."""
    t = times(seconds)
    return np.clip(np.minimum(t / attack_seconds, (seconds - t) / release_seconds), 0.0, 1.0)


def strike(
    frequencies_hz: Sequence[float], decays_seconds: Sequence[float], levels: Sequence[float], seconds: float
) -> Signal:
    """A struck body (N,): each mode a sine wave that falls by 60 dB in its decay time."""
    t = times(seconds)
    out = np.zeros_like(t)
    for frequency, decay, level in zip(frequencies_hz, decays_seconds, levels, strict=True):
        if frequency < HIGHEST_HZ:
            out += level * np.sin(2 * np.pi * frequency * t) * np.exp(-6.908 * t / decay)
    return out


def add_at(track: Signal, sound: Signal, at_seconds: float) -> None:
    """Adds `sound` to `track` in place; what would sound after the end of the track is left out."""
    start = samples(at_seconds)
    piece = sound[: max(0, len(track) - start)]
    track[start : start + len(piece)] += piece


def noise(rng: np.random.Generator, num_samples: int, db_per_octave: float = 0.0) -> Signal:
    """Gaussian noise (N,) of unit level: 0 dB per octave is white, -3 pink, -6 brown."""
    white = rng.standard_normal(num_samples)
    if db_per_octave == 0.0:
        return white
    frequency = np.fft.rfftfreq(num_samples, 1 / SAMPLE_RATE)
    gain = np.maximum(frequency, 20.0) ** (db_per_octave / 6.0206)  # flat below 20 Hz: no wandering offset
    shaped = np.fft.irfft(np.fft.rfft(white) * gain, num_samples)
    return shaped / np.sqrt(np.mean(shaped**2))


def band(signal: Signal, low_hz: float, high_hz: float, order: int = 2) -> Signal:
    """The band between two frequencies (N,)."""
    return sosfilt(butter(order, [low_hz, high_hz], "bandpass", fs=SAMPLE_RATE, output="sos"), signal)


def below(signal: Signal, high_hz: float, order: int = 2) -> Signal:
    """What lies below a frequency (N,)."""
    return sosfilt(butter(order, high_hz, "lowpass", fs=SAMPLE_RATE, output="sos"), signal)


def above(signal: Signal, low_hz: float, order: int = 2) -> Signal:
    """What lies above a frequency (N,)."""
    return sosfilt(butter(order, low_hz, "highpass", fs=SAMPLE_RATE, output="sos"), signal)
