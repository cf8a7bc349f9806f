"""`video.controls` against what the camera offers. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from broadcaster.errors import SourceError, StreamReason
from broadcaster.settings.kinds import did_you_mean
from broadcaster.settings.table import Pairs, Value

Range = tuple[Any, Any, Any]
"""Minimum, maximum and default of a control, as in picamera2's `camera_controls`."""

Words = Callable[[str], Mapping[str, int]]
"""The words that libcamera has for the numbers of a control, and their numbers; none for most."""

AUTOFOCUS = {"AfMode": 2}
"""Continuous (libcamera's AfModeContinuous): a camera that can focus would stay where it is by itself."""


def checked(wanted: Pairs, offered: Mapping[str, Range], words: Words) -> dict[str, Any]:
    """Return the controls to give to picamera2: autofocus where there is one, then those that are wanted.

    Words become their numbers. Raises `SourceError` with all that the camera does not take.
    """
    problems: list[str] = []
    chosen: dict[str, Any] = {}
    for name, value in wanted:
        chosen[name] = _number(value, words(name))
        problems += [
            f"video.controls.{name} = {value!r}: {wrong}" for wrong in _wrong(name, chosen[name], offered, words)
        ]
    if problems:
        raise SourceError(StreamReason.INTERNAL, "; ".join(problems))
    focused = not {"AfMode", "LensPosition"}.isdisjoint(chosen)
    return ({} if focused or "AfMode" not in offered else AUTOFOCUS) | chosen


def _number(value: Value, words: Mapping[str, int]) -> Value:
    return words.get(value, value) if isinstance(value, str) else value


def _wrong(name: str, value: Value, offered: Mapping[str, Range], words: Words) -> Iterator[str]:
    """Say what is wrong with a value, at most once."""
    if name not in offered:
        yield f"this camera has no such control{did_you_mean(name, {known.lower(): known for known in offered})}"
        return
    if isinstance(value, str):
        known = words(name)
        yield f"must be one of {', '.join(known)}" if known else "must be a number, or a list of them"
        return
    least, most, _ = offered[name]
    parts = value if isinstance(value, tuple) else (value,)
    if isinstance(least, tuple):
        if len(parts) != len(least) and not all(isinstance(part, tuple) for part in parts):
            yield f"must be a list of {len(least)} numbers"
    elif not all(_fits(part, least, most) for part in parts):
        yield f"must be {_kind(least)} from {_text(least)} to {_text(most)}"


def _fits(part: object, least: Any, most: Any) -> bool:
    if isinstance(least, bool):
        return isinstance(part, bool)
    if isinstance(part, bool) or not isinstance(part, int | float):
        return False
    if isinstance(least, int) and not isinstance(part, int):
        return False
    # Unsigned numbers come out of libcamera as they are, so `most` may be less than `least`: then there is no bound.
    return bool(least <= part <= most) if least <= most else True


def _kind(least: object) -> str:
    return "a number" if isinstance(least, float) else "a truth value" if isinstance(least, bool) else "a whole number"


def _text(bound: object) -> str:
    return str(bound).lower() if isinstance(bound, bool) else f"{bound:g}" if isinstance(bound, float) else str(bound)
