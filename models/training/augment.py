"""What telephones do to voices, on audio. Every function takes a numpy Generator, so a seed repeats the run."""

import numpy as np
from scipy import signal

import speech

RATE = speech.RATE


def resample(audio, factor):
    """Plays `factor` times faster: pitch and formants rise with it."""
    at = np.arange(0, len(audio) - 1, factor)
    return np.interp(at, np.arange(len(audio)), audio).astype(np.float32)


def pitch(audio, semitones):
    """Moves pitch and formants, keeps the tempo (overlap-add with the best-matching lag)."""
    factor = 2.0 ** (semitones / 12)
    return stretch(resample(audio, factor), factor)


def stretch(audio, factor):
    """`factor` times as long at the same pitch: WSOLA with 32 ms pieces."""
    size, hop, reach = 256, 128, 80
    window = np.hanning(size + 1)[:size].astype(np.float32)
    count = int((len(audio) * factor - size) / hop)
    if count < 2 or len(audio) < size + 2 * reach + hop:
        return audio
    out = np.zeros(count * hop + size, np.float32)
    norm = np.full(len(out), 1e-3, np.float32)
    previous = 0
    for i in range(count):
        ideal = min(int(i * hop / factor), len(audio) - size - 1)
        if i == 0:
            start = ideal
        else:
            low, high = max(0, ideal - reach), min(len(audio) - size, ideal + reach)
            target = audio[previous + hop : previous + hop + size]
            if len(target) < size or high <= low:
                start = ideal
            else:
                start = low + int(np.argmax(np.correlate(audio[low : high + size], target, "valid")))
        out[i * hop : i * hop + size] += window * audio[start : start + size]
        norm[i * hop : i * hop + size] += window
        previous = start
    return out / norm


def noise(rng, length, colour):
    """Noise whose power falls with frequency to the power of `colour`."""
    size = 1 << int(np.ceil(np.log2(max(length, 256))))
    spectrum = rng.standard_normal(size // 2 + 1) + 1j * rng.standard_normal(size // 2 + 1)
    frequency = np.maximum(np.fft.rfftfreq(size, 1 / RATE), 50.0)
    out = np.fft.irfft(spectrum * frequency ** (-colour / 2))[:length]
    return (out / (np.sqrt(np.mean(out**2)) + 1e-9)).astype(np.float32)


def tilt(rng, audio):
    """A gentle slope over the band, up to about 6 dB either way."""
    coefficient = rng.uniform(-0.35, 0.35)
    return signal.lfilter([1.0, -coefficient], [1.0], audio).astype(np.float32)


def band(rng, audio):
    """Another handset: other edges of the band."""
    low, high = rng.uniform(150, 450), rng.uniform(2700, 3800)
    sos = signal.butter(2, [low, high], "bandpass", fs=RATE, output="sos")
    return signal.sosfilt(sos, audio).astype(np.float32)


def lose(rng, audio, share):
    """Packets lost: silence, or the last one repeated, as receivers do."""
    out = audio.copy()
    repeat = rng.random() < 0.5
    for start in range(160, len(out) - 160, 160):
        if rng.random() < share:
            out[start : start + 160] = 0.6 * out[start - 160 : start] if repeat else 0.0
    return out


def mulaw(audio):
    """To mu-law and back (G.711)."""
    x = np.clip(audio, -1, 1) * 32768
    magnitude = np.minimum(np.abs(x), 32635) + 132
    exponent = np.clip(np.floor(np.log2(magnitude)) - 7, 0, 7)
    mantissa = np.floor(magnitude / 2 ** (exponent + 3)) - 16
    out = (mantissa + 16.5) * 2 ** (exponent + 3) - 132
    return (np.sign(x) * np.maximum(out, 0) / 32768).astype(np.float32)


def alaw(audio):
    """To A-law and back (G.711)."""
    x = np.clip(audio, -1, 1) * 32768
    magnitude = np.minimum(np.abs(x), 32767)
    exponent = np.clip(np.floor(np.log2(np.maximum(magnitude, 1))) - 7, 0, 7)
    step = 2 ** (np.maximum(exponent, 1) + 3)
    out = (np.floor(magnitude / step) + 0.5) * step
    return (np.where(x < 0, -out, out) / 32768).astype(np.float32)


def telephone(rng, audio, babble):
    """The whole chain on one piece of audio; `babble` is other people's talk of at least its length."""
    if rng.random() < 0.4:
        audio = tilt(rng, audio)
    active = np.sqrt(np.mean(audio[np.abs(audio) > 0.01] ** 2)) if np.any(np.abs(audio) > 0.01) else 0.05
    if rng.random() < 0.6:
        level = active * 10 ** (-rng.uniform(8, 40) / 20)
        audio = audio + level * noise(rng, len(audio), rng.choice([0.0, 0.0, 1.0, 2.0]))
    if rng.random() < 0.2:
        level = active * 10 ** (-rng.uniform(10, 30) / 20)
        audio = audio + level * babble[: len(audio)] / (np.sqrt(np.mean(babble**2)) + 1e-9)
    audio = audio * 10 ** (rng.uniform(-12, 8) / 20)
    if rng.random() < 0.4:
        audio = band(rng, audio)
    for _ in range(rng.integers(1, 3)):
        audio = alaw(audio) if rng.random() < 0.4 else mulaw(audio)
    if rng.random() < 0.3:
        audio = lose(rng, audio, rng.uniform(0, 0.08))
    return audio.astype(np.float32)


def active_frames(audio):
    """Which 20 ms frames of clean audio hold speech: within 30 dB of the loudest, word ends included."""
    frames = audio[: len(audio) // 160 * 160].reshape(-1, 160)
    level = 10 * np.log10(np.mean(frames**2, 1) + 1e-9)
    active = level > max(level.max() - 30, -60)
    return np.convolve(active, np.ones(5), "same") > 0.5


def passage(rng, clip, siblings):
    """Clean audio of 3 to 7 s around one clip: alone in silence, or followed by others in the same mood."""
    speed = rng.uniform(0.9, 1.1) if rng.random() < 0.6 else 1.0
    shift = rng.uniform(-3, 3) if rng.random() < 0.4 else 0.0

    def voice(one):
        audio = resample(one.audio, speed)
        return pitch(audio, shift) if shift else audio

    def pause(low, high):
        return np.zeros(int(rng.uniform(low, high) * RATE), np.float32)

    parts = [pause(0, 1.2) if rng.random() < 0.6 else pause(0, 0.02), voice(clip)]
    if rng.random() < 0.6:
        for other in rng.choice(len(siblings), 2):
            parts += [pause(0.05, 0.5), voice(siblings[other])]
    else:
        parts.append(pause(1.5, 3.0))
    return np.concatenate(parts)
