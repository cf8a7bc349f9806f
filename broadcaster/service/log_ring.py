"""The last log lines, for the owner's page."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass

CAPACITY = 500
"""Lines that are kept."""
_MAX_LINE = 2000
"""Characters of a line that are kept; a traceback is one line."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """A log line: a number that only grows, Unix seconds, the level in lower case, and the text with its origin."""

    number: int
    at: float
    level: str
    text: str


class LogRing(logging.Handler):
    """Keeps the last lines; its formatter masks secrets, as that of the other handlers does."""

    def __init__(self) -> None:
        super().__init__()
        self.last = 0
        self._lines: deque[tuple[int, LogLine]] = deque(maxlen=CAPACITY)

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        self.last += 1
        text = self.format(record)[:_MAX_LINE]
        self._lines.append((record.levelno, LogLine(self.last, record.created, record.levelname.lower(), text)))

    def lines(self, level: int, after: int = 0) -> list[LogLine]:
        """Return the lines of this level (`logging.INFO`, …) and above with larger numbers than `after`."""
        return [line for number, line in self._lines.copy() if number >= level and line.number > after]


def installed_ring() -> LogRing:
    """Return the ring among the handlers of the log; an empty one if there is none."""
    handlers = logging.getLogger().handlers
    return next((handler for handler in handlers if isinstance(handler, LogRing)), None) or LogRing()
