"""Times in requests: Unix seconds in a query or a JSON body."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

LATEST = 253_402_300_799.0
"""The last second of the year 9999, in Unix seconds."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From one moment to a later one, in Unix seconds."""

    start: float
    end: float


def any_range(query: Mapping[str, str]) -> TimeRange:
    """Return the range of `from` and `to`, both of which may be absent. Raises `HTTPBadRequest`."""
    start = _moment(query, "from") if "from" in query else 0.0
    end = _moment(query, "to") if "to" in query else LATEST
    return _checked(start, end)


def required_range(fields: Mapping[str, Any], longest: float) -> TimeRange:
    """Return the range of `from` and `to`, of at most `longest` seconds. Raises `HTTPBadRequest`."""
    found = _checked(_moment(fields, "from"), _moment(fields, "to"))
    if found.end - found.start > longest:
        raise web.HTTPBadRequest(text=f"The range is too long: at most {longest / 3600:g} hours.\n")
    return found


def number(fields: Mapping[str, Any], name: str, lowest: float, highest: float, default: float | None = None) -> float:
    """Return a number within these limits. Raises `HTTPBadRequest`."""
    value = fields.get(name, default)
    try:
        found = math.nan if isinstance(value, bool) or value is None else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not lowest <= found <= highest:
        raise web.HTTPBadRequest(text=f"{name} must be a number from {lowest:.15g} to {highest:.15g}.\n")
    return found


def _moment(fields: Mapping[str, Any], name: str) -> float:
    return number(fields, name, 0.0, LATEST)


def _checked(start: float, end: float) -> TimeRange:
    if not start < end:
        raise web.HTTPBadRequest(text="The range must end after it begins: from and to are Unix seconds.\n")
    return TimeRange(start, end)
