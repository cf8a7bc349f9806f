"""The settings of the station: what viewers read about the stream."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from broadcaster.settings.declaring import setting
from broadcaster.settings.kinds import PRINTABLE, InvalidValue, Problem, PublicKind, Text
from broadcaster.settings.toml import to_toml


class Time(PublicKind):
    """A date and time, with or without an offset from UTC (RFC 3339 §5.6); or empty."""

    allowed = "a time such as 2030-12-24 18:00, or empty"

    def read(self, value: object) -> str:
        """See `Kind`. A TOML date-time is accepted, too."""
        if isinstance(value, datetime):
            return value.isoformat(" ", "seconds")
        if value == "" or (isinstance(value, str) and len(value) <= len("2030-12-24T18:00:00+01:00") and _parse(value)):
            return str(value)
        raise InvalidValue(Problem("", to_toml(value), f"must be {self.allowed}"))


def _parse(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        moment.timestamp()
    except (ValueError, OverflowError, OSError):
        return None
    return moment if len(text) > len("2030-12-24") else None


def _text(length: int) -> Text:
    return Text(f"at most {length} characters without line breaks", rf"{PRINTABLE[:-1]}{{0,{length}}}")


@dataclass(frozen=True, slots=True)
class StationSettings:
    """What viewers read about the stream."""

    title: str = setting("", _text(60), "Title of the stream, for viewers; empty: none.")
    line: str = setting("", _text(160), "One line about the stream, for viewers.")
    message: str = setting("", _text(300), "The owner's message to viewers, shown while the stream is not live.")
    next: str = setting("", Time(), "When the stream is planned to go live next; without an offset, in local time.")

    @property
    def next_unix(self) -> float | None:
        """The planned start in Unix seconds; None if there is none."""
        moment = _parse(self.next)
        return None if moment is None else moment.timestamp()
