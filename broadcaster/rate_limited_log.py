"""Log lines about what comes from outside: escaped, cut, and never a flood."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict, deque
from dataclasses import dataclass

from broadcaster.ports import Clock

_LONGEST = 200
_LINES_A_SECOND = 10
_TRACEBACKS_A_SECOND = 1
"""A traceback has dozens of lines, and one tells as much as ten."""


def quoted(text: str) -> str:
    """Make text from outside fit for a log line: no control characters, no terminal tricks, at most 200 characters."""
    cut = text[:_LONGEST]
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in cut)[
        :_LONGEST
    ]


class _EventLimiter:
    """So many a second of each kind; what is more than that is counted."""

    def __init__(self, a_second: int) -> None:
        self._most = a_second
        self._taken: defaultdict[str, deque[float]] = defaultdict(deque)
        self._left_out: Counter[str] = Counter()

    def take(self, kind: str, now: float) -> int | None:
        """How many of this kind were left out since the last one, if there may be one now; else None."""
        taken = self._taken[kind]
        while taken and taken[0] <= now - 1:
            taken.popleft()
        if len(taken) >= self._most:
            self._left_out[kind] += 1
            return None
        taken.append(now)
        return self._left_out.pop(kind, 0)


@dataclass(frozen=True, slots=True)
class Line:
    """A line for the log; `error` brings its traceback."""

    text: str
    error: BaseException | None


class LineLimiter:
    """What may be written of one kind: ten lines a second, one of them with the traceback of a bug."""

    def __init__(self) -> None:
        self._lines = _EventLimiter(_LINES_A_SECOND)
        self._tracebacks = _EventLimiter(_TRACEBACKS_A_SECOND)

    def line(self, kind: str, text: str, error: BaseException | None, now: float) -> Line | None:
        """Return the line to write, if it may be written; without its traceback it names the error."""
        left_out = self._lines.take(kind, now)
        if left_out is None:
            return None
        if error is not None and self._tracebacks.take(kind, now) is None:
            text, error = f"{text}: {type(error).__name__}: {error}", None
        more = f" (and {left_out} more lines like this)" if left_out else ""
        return Line(quoted(text) + more, error)


class RateLimitedLogger:
    """At most ten lines a second of one kind; what was left out is counted, and told with the next line."""

    def __init__(self, logger: logging.Logger, clock: Clock) -> None:
        self._logger = logger
        self._clock = clock
        self._bound = LineLimiter()

    def info(self, kind: str, text: str) -> None:
        """One change in the life of something outside."""
        self._write(logging.INFO, kind, text, None)

    def warning(self, kind: str, text: str, error: Exception | None = None) -> None:
        """Something that should not have happened; `error` brings its traceback, once a second."""
        self._write(logging.WARNING, kind, text, error)

    def error(self, kind: str, text: str, error: BaseException | None) -> None:
        """A bug of ours, which something outside has brought to light."""
        self._write(logging.ERROR, kind, text, error)

    def _write(self, level: int, kind: str, text: str, error: BaseException | None) -> None:
        line = self._bound.line(kind, text, error, self._clock.monotonic())
        if line is not None:
            self._logger.log(level, "%s", line.text, exc_info=line.error)
