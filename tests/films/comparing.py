"""Where what was played differs from ffmpeg's decoding: one sentence for each difference."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from broadcaster.devices.opus import RATE
from tests.films.film import Film
from tests.films.played import Played
from tests.films.reference import Reference

TOLERANCE = 0.006
"""Seconds that a picture may lie off: some containers round times to milliseconds."""
DISTINCT = 2.0
"""Mean difference by which another picture must fit better to count as the one that is shown."""
AROUND = 12
"""Pictures before and after, among which the one that is shown is looked for."""
SOUND_OFFSET = 0.02
"""Seconds by which sound may lie off: it is laid out in packets of 20 ms."""
SEARCH = 0.25
"""Seconds around within which the sound is looked for."""
LOUDNESS = 3.5
"""Decibels by which the loudness may differ: ffmpeg attenuates mono by 3 dB for two speakers, other decoders do not."""
SILENCE = 0.003
"""Root mean square of what counts as no sound."""


def differences(reference: Reference, played: Played, film: Film) -> list[str]:
    """Return all differences of picture and sound that are more than expected of the film."""
    found = []
    if reference.times and played.positions:
        found += _length(reference, played) + _shape(reference, played)
        found += _pictures(reference, played, film.noise) + _missing(reference, played, film.missing)
    elif reference.times:
        found.append("no pictures")
    return found + sound_differences(reference, played, film)


def sound_differences(reference: Reference, played: Played, film: Film) -> list[str]:
    """Return all differences of sound alone."""
    if reference.sound is None or played.sound is None:
        there, here = reference.sound is not None, played.sound is not None
        return [] if there == here else [f"sound: ffmpeg {there}, played {here} ({played.sound_error})"]
    expected = reference.sound[:, round(reference.start * RATE) :]
    size = min(expected.shape[1], played.sound.shape[1], round(min(played.loop_end, 1e6) * RATE))
    expected, heard = expected[:, :size], played.sound[:, :size]
    found = []
    for name, one, other in zip(("left", "right"), expected, heard, strict=True):
        if _rms(one) > SILENCE:
            found += _offset(name, one, other, film.alike)
        found += _loudness(name, one, other)
    return found


def _length(reference: Reference, played: Played) -> list[str]:
    if len(reference.times) == 1 and reference.sound is None:
        return []  # a single picture stays until it is replaced
    allowed = max(0.05, 2 * reference.period)
    if abs(played.loop_end - reference.length) <= allowed:
        return []
    return [f"a loop of {played.loop_end:.2f} s instead of {reference.length:.2f} s"]


def _shape(reference: Reference, played: Played) -> list[str]:
    """Rotation by 90 degrees is seen in the thumbnails, and turns the aspect ratio."""
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
    """Return the picture that is shown at a time."""
    return max(0, bisect_right(reference.times, time) - 1)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Return the mean difference of the worst of luma and both chroma planes, in steps of 8 bits."""
    return float(np.abs(one - other).mean(axis=(1, 2)).max())


def _missing(reference: Reference, played: Played, allowed: int) -> list[str]:
    times = np.array(played.positions) + reference.start
    missing = [time for time in reference.times if np.abs(times - time).min() > TOLERANCE]
    if len(missing) <= allowed:
        return []
    listed = ", ".join(f"{time - reference.start:.3f}" for time in missing[:6])
    return [f"{len(missing)} of {len(reference.times)} pictures are missing, at {listed}"]


def _offset(name: str, expected: np.ndarray, heard: np.ndarray, alike: float) -> list[str]:
    size = 1 << (2 * len(expected) - 1).bit_length()
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(expected, size))
    correlation = np.fft.irfft(spectrum, size)
    reach = round(SEARCH * RATE)
    near = np.concatenate([correlation[-reach:], correlation[: reach + 1]])
    place = int(near.argmax())
    scale = float(np.sqrt((expected**2).sum() * (heard**2).sum())) or 1.0
    likeness, offset = float(near[place]) / scale, (place - reach) / RATE
    if likeness < alike:
        return [f"sound, {name}: a correlation of {likeness:.2f}"]
    if abs(offset) > SOUND_OFFSET:
        return [f"sound, {name}: {offset * 1000:+.0f} ms off"]
    return []


def _loudness(name: str, expected: np.ndarray, heard: np.ndarray) -> list[str]:
    one, other = _rms(expected), _rms(heard)
    if max(one, other) <= SILENCE:
        return []
    louder = 20 * float(np.log10((other + 1e-9) / (one + 1e-9)))
    return [f"sound, {name}: {louder:+.1f} dB"] if abs(louder) > LOUDNESS else []


def _rms(sound: np.ndarray) -> float:
    return float(np.sqrt((sound.astype(np.float64) ** 2).mean())) if sound.size else 0.0
