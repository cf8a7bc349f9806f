"""Rate-limited log lines about remote clients and other outside sources: escaped and cut."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict, deque
from dataclasses import dataclass

from broadcaster.ports import Clock

_MAX_LENGTH = 200
_LINES_PER_SECOND = 10
_TRACEBACKS_PER_SECOND = 1
"""A traceback has dozens of lines, and the next ones would add nothing."""


def quoted(text: str) -> str:
    """Return untrusted text escaped for a log line: no control characters or terminal sequences, 200 characters."""
    cut = text[:_MAX_LENGTH]
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in cut)[
        :_MAX_LENGTH
    ]


class _EventLimiter:
    """Limits events of each kind to `per_second`, and counts those above the limit."""

    def __init__(self, per_second: int) -> None:
        self._limit = per_second
        self._recent: defaultdict[str, deque[float]] = defaultdict(deque)
        self._suppressed: Counter[str] = Counter()

    def take(self, kind: str, now: float) -> int | None:
        """Return how many events of this kind were suppressed since the last one; None if this one is."""
        recent = self._recent[kind]
        while recent and recent[0] <= now - 1:
            recent.popleft()
        if len(recent) >= self._limit:
            self._suppressed[kind] += 1
            return None
        recent.append(now)
        return self._suppressed.pop(kind, 0)


@dataclass(frozen=True, slots=True)
class Line:
    """A log line; `error` is logged with its traceback."""

    text: str
    error: BaseException | None


class LineLimiter:
    """Limits lines of each kind: ten per second, one of them with a traceback."""

    def __init__(self) -> None:
        self._lines = _EventLimiter(_LINES_PER_SECOND)
        self._tracebacks = _EventLimiter(_TRACEBACKS_PER_SECOND)

    def line(self, kind: str, text: str, error: BaseException | None, now: float) -> Line | None:
        """Return the line to log; None if it is suppressed. Without its traceback, it names the error."""
        suppressed = self._lines.take(kind, now)
        if suppressed is None:
            return None
        if error is not None and self._tracebacks.take(kind, now) is None:
            text, error = f"{text}: {type(error).__name__}: {error}", None
        more = f" (and {suppressed} more lines like this)" if suppressed else ""
        return Line(quoted(text) + more, error)


class RateLimitedLogger:
    """Logs at most ten lines per second of each kind; the next line tells how many were suppressed."""

    def __init__(self, logger: logging.Logger, clock: Clock) -> None:
        self._logger = logger
        self._clock = clock
        self._limiter = LineLimiter()

    def info(self, kind: str, text: str) -> None:
        """Log an ordinary event."""
        self._write(logging.INFO, kind, text, None)

    def warning(self, kind: str, text: str, error: Exception | None = None) -> None:
        """Log an event that should not happen; with the traceback of `error` at most once per second."""
        self._write(logging.WARNING, kind, text, error)

    def error(self, kind: str, text: str, error: BaseException | None) -> None:
        """Log a bug of the broadcaster that an outside event has triggered."""
        self._write(logging.ERROR, kind, text, error)

    def _write(self, level: int, kind: str, text: str, error: BaseException | None) -> None:
        line = self._limiter.line(kind, text, error, self._clock.monotonic())
        if line is not None:
            self._logger.log(level, "%s", line.text, exc_info=line.error)
