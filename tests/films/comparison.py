"""Comparison of what the project plays with ffmpeg's decoding: one sentence for each difference."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from broadcaster.devices.opus import RATE
from tests.films.film import Film
from tests.films.played import Played
from tests.films.reference import Reference

TOLERANCE = 0.006
"""Seconds by which the time of a picture may differ: some containers round times to milliseconds."""
DISTINCT = 2.0
"""Margin of the mean difference by which another picture must match better to count as the one shown."""
AROUND = 12
"""Number of pictures before and after the expected one that are compared."""
MAX_AUDIO_OFFSET = 0.02
"""Seconds by which audio may be out of sync: it consists of 20 ms frames."""
SEARCH = 0.25
"""Maximum offset in seconds at which audio is compared."""
LOUDNESS = 3.5
"""Decibels by which the loudness may differ: ffmpeg attenuates mono by 3 dB for two speakers, other decoders do not."""
SILENCE = 0.003
"""Root mean square below which audio counts as silent."""


def differences(reference: Reference, played: Played, film: Film) -> list[str]:
    """Return the differences of video and audio that exceed what `film` allows."""
    found = []
    if reference.times and played.positions:
        found += _length(reference, played) + _shape(reference, played)
        found += _pictures(reference, played, film.noise) + _missing(reference, played, film.missing)
    elif reference.times:
        found.append("no pictures")
    return found + audio_differences(reference, played, film)


def audio_differences(reference: Reference, played: Played, film: Film) -> list[str]:
    """Return the differences of the audio."""
    if reference.audio is None or played.audio is None:
        has_audio, plays_audio = reference.audio is not None, played.audio is not None
        if has_audio == plays_audio:
            return []
        return [f"audio: ffmpeg {has_audio}, played {plays_audio} ({played.audio_error})"]
    expected = reference.audio[:, round(reference.start * RATE) :]
    size = min(expected.shape[1], played.audio.shape[1], round(min(played.loop_end, 1e6) * RATE))
    expected, actual = expected[:, :size], played.audio[:, :size]
    found = []
    for name, one, other in zip(("left", "right"), expected, actual, strict=True):
        if _rms(one) > SILENCE:
            found += _offset(name, one, other, film.min_correlation)
        found += _loudness(name, one, other)
    return found


def _length(reference: Reference, played: Played) -> list[str]:
    if len(reference.times) == 1 and reference.audio is None:
        return []  # a single picture stays until it is replaced
    allowed = max(0.05, 2 * reference.period)
    if abs(played.loop_end - reference.length) <= allowed:
        return []
    return [f"a loop of {played.loop_end:.2f} s instead of {reference.length:.2f} s"]


def _shape(reference: Reference, played: Played) -> list[str]:
    """Compare aspect ratios; a rotation by 90 degrees inverts them, and is found by the thumbnails."""
    allowed = 0.04
    either = (reference.aspect, 1 / reference.aspect)
    if any(abs(played.aspect / aspect - 1) < allowed for aspect in either):
        return []
    return [f"an aspect ratio of {played.aspect:.3f} instead of {reference.aspect:.3f}"]


def _pictures(reference: Reference, played: Played, noise: float) -> list[str]:
    wrong = []
    for position, thumbnail in zip(played.positions, played.thumbnails, strict=True):
        time = position + reference.start
        first, last = _shown(reference, time - TOLERANCE), _shown(reference, time + TOLERANCE)
        around = range(max(0, first - AROUND), min(len(reference.times), last + AROUND + 1))
        fits = {index: difference(reference.thumbnails[index], thumbnail) for index in around}
        fit = min(fits[index] for index in range(first, last + 1))
        best = min(fits, key=fits.__getitem__)
        if fit > noise or fit > fits[best] + DISTINCT:
            wrong.append(f"{position:.3f} ({fit:.0f}, {best - first:+d})")
    if not wrong:
        return []
    return [f"{len(wrong)} of {len(played.positions)} pictures differ, at {', '.join(wrong[:6])}"]


def _shown(reference: Reference, time: float) -> int:
    """Return the index of the picture that is shown at a time."""
    return max(0, bisect_right(reference.times, time) - 1)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean absolute difference of the plane (Y, U, V) in which it is largest, in 8-bit steps."""
    return float(np.abs(one - other).mean(axis=(1, 2)).max())


def _missing(reference: Reference, played: Played, allowed: int) -> list[str]:
    times = np.array(played.positions) + reference.start
    missing = [time for time in reference.times if np.abs(times - time).min() > TOLERANCE]
    if len(missing) <= allowed:
        return []
    listed = ", ".join(f"{time - reference.start:.3f}" for time in missing[:6])
    return [f"{len(missing)} of {len(reference.times)} pictures are missing, at {listed}"]


def _offset(name: str, expected: np.ndarray, actual: np.ndarray, min_correlation: float) -> list[str]:
    """Find the offset with the maximum cross-correlation of one channel."""
    size = 1 << (2 * len(expected) - 1).bit_length()
    spectrum = np.fft.rfft(actual, size) * np.conj(np.fft.rfft(expected, size))
    correlation = np.fft.irfft(spectrum, size)
    reach = round(SEARCH * RATE)
    near = np.concatenate([correlation[-reach:], correlation[: reach + 1]])
    best = int(near.argmax())
    scale = float(np.sqrt((expected**2).sum() * (actual**2).sum())) or 1.0
    max_correlation, offset = float(near[best]) / scale, (best - reach) / RATE
    if max_correlation < min_correlation:
        return [f"audio, {name}: a correlation of {max_correlation:.2f}"]
    if abs(offset) > MAX_AUDIO_OFFSET:
        return [f"audio, {name}: {offset * 1000:+.0f} ms off"]
    return []


def _loudness(name: str, expected: np.ndarray, actual: np.ndarray) -> list[str]:
    one, other = _rms(expected), _rms(actual)
    if max(one, other) <= SILENCE:
        return []
    louder = 20 * float(np.log10((other + 1e-9) / (one + 1e-9)))
    return [f"audio, {name}: {louder:+.1f} dB"] if abs(louder) > LOUDNESS else []


def _rms(audio: np.ndarray) -> float:
    return float(np.sqrt((audio.astype(np.float64) ** 2).mean())) if audio.size else 0.0
