"""Validation of `video.controls` against the controls that the camera offers. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from broadcaster.errors import SourceError, StreamReason
from broadcaster.settings.kinds import did_you_mean
from broadcaster.settings.table import Pairs, Value

Range = tuple[Any, Any, Any]
"""Minimum, maximum and default of a control, as in picamera2's `camera_controls`."""

EnumValues = Callable[[str], Mapping[str, int]]
"""Returns the numbers of a control's enumeration by libcamera's names for them; empty for most controls."""

AUTOFOCUS = {"AfMode": 2}
"""Continuous autofocus (libcamera's AfModeContinuous); the default is manual focus."""


def validated(requested: Pairs, offered: Mapping[str, Range], enum_values: EnumValues) -> dict[str, Any]:
    """Return the controls for picamera2: those requested, and autofocus unless they set the focus.

    Names of enumerations become their numbers. Raises `SourceError`, which lists all controls that the camera rejects.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, value in requested:
        values[name] = _number(value, enum_values(name))
        problems += [
            f"video.controls.{name} = {value!r}: {problem}"
            for problem in _problem(name, values[name], offered, enum_values)
        ]
    if problems:
        raise SourceError(StreamReason.INTERNAL, "; ".join(problems))
    sets_focus = not {"AfMode", "LensPosition"}.isdisjoint(values)
    return ({} if sets_focus or "AfMode" not in offered else AUTOFOCUS) | values


def _number(value: Value, names: Mapping[str, int]) -> Value:
    return names.get(value, value) if isinstance(value, str) else value


def _problem(name: str, value: Value, offered: Mapping[str, Range], enum_values: EnumValues) -> Iterator[str]:
    """Yield what is wrong with a value, at most once."""
    if name not in offered:
        yield f"this camera has no such control{did_you_mean(name, {known.lower(): known for known in offered})}"
        return
    if isinstance(value, str):
        names = enum_values(name)
        yield f"must be one of {', '.join(names)}" if names else "must be a number, or a list of them"
        return
    low, high, _ = offered[name]
    parts = value if isinstance(value, tuple) else (value,)
    if isinstance(low, tuple):
        if len(parts) != len(low) and not all(isinstance(part, tuple) for part in parts):
            yield f"must be a list of {len(low)} numbers"
    elif isinstance(low, bool):
        if not all(isinstance(part, bool) for part in parts):
            yield "must be true or false"
    elif not all(_fits(part, low, high) for part in parts):
        yield f"must be {_kind(low)} from {_text(low)} to {_text(high)}"


def _fits(part: object, low: Any, high: Any) -> bool:
    if isinstance(part, bool) or not isinstance(part, int | float):
        return False
    if isinstance(low, int) and not isinstance(part, int):
        return False
    # libcamera reports unsigned maxima as signed numbers, so `high` may be below `low`: then there is no limit.
    return bool(low <= part <= high) if low <= high else True


def _kind(bound: object) -> str:
    return "a number" if isinstance(bound, float) else "a whole number"


def _text(bound: object) -> str:
    return f"{bound:g}" if isinstance(bound, float) else str(bound)
