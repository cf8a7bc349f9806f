"""Log lines about what comes from outside: escaped, cut, and never a flood."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict, deque

from broadcaster.ports import Clock

_LONGEST = 200
_LINES_A_SECOND = 10


def quoted(text: str) -> str:
    """Make text from outside fit for a log line: no control characters, no terminal tricks, at most 200 characters."""
    cut = text[:_LONGEST]
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in cut)[
        :_LONGEST
    ]


class OutsideLog:
    """At most ten lines a second of one kind; what was left out is counted, and told with the next line."""

    def __init__(self, logger: logging.Logger, clock: Clock) -> None:
        self._logger = logger
        self._clock = clock
        self._written: defaultdict[str, deque[float]] = defaultdict(deque)
        self._left_out: Counter[str] = Counter()

    def info(self, kind: str, text: str) -> None:
        """One change in the life of something outside."""
        self._write(logging.INFO, kind, text, None)

    def warning(self, kind: str, text: str, error: Exception | None = None) -> None:
        """Something that should not have happened; `error` brings its traceback."""
        self._write(logging.WARNING, kind, text, error)

    def _write(self, level: int, kind: str, text: str, error: Exception | None) -> None:
        if not self._may_write(kind):
            self._left_out[kind] += 1
            return
        left_out = self._left_out.pop(kind, 0)
        more = f" (and {left_out} more lines like this)" if left_out else ""
        self._logger.log(level, "%s%s", quoted(text), more, exc_info=error)

    def _may_write(self, kind: str) -> bool:
        """Whether fewer than ten lines of this kind were written in the last second; if so, this is one."""
        now, written = self._clock.monotonic(), self._written[kind]
        while written and written[0] <= now - 1:
            written.popleft()
        if len(written) >= _LINES_A_SECOND:
            return False
        written.append(now)
        return True
