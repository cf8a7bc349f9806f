"""Quantities as texts for people: counts, sizes, durations."""

from __future__ import annotations

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


def count_text(count: int, noun: str) -> str:
    """Return a number with its noun, which takes an "s" in the plural: "1 file", "2 files"."""
    return f"{count} {noun if count == 1 else f'{noun}s'}"


def size_text(size: int) -> str:
    """Return a size in the unit that fits, with three digits: "812 bytes", "1.23 GB"."""
    value, unit = float(size), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.3g} {_UNITS[unit]}"


def duration_text(seconds: float) -> str:
    """Return a duration in its two largest units, such as "2 h 5 min"."""
    whole = max(0, round(seconds))
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (whole % 60, "s")]
    first = next((index for index, (count, _) in enumerate(parts) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"
