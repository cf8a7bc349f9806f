"""How long to wait before a source is opened again: 1, 2, 4 … 30 s."""

from __future__ import annotations

FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0
STEADY = 10.0
"""Seconds for which a source must have worked so that its next failure counts as the first one."""


def retry_delay(failures: int) -> float:
    """Seconds to wait after that many failures in a row (one or more)."""
    return min(FIRST_DELAY * 2.0 ** min(failures - 1, 16), LONGEST_DELAY)


class BackOff:
    """Counts the failures of one source.

    A source that starts well and fails soon afterwards, time and again, backs off like one that does not start; but one
    that could not be opened for hours and then failed after a short start is tried again soon.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._relapses = 0

    @property
    def delay(self) -> float:
        """Seconds to wait after the last failure."""
        return retry_delay(max(1, self._failures))

    def failed(self, worked: float | None) -> None:
        """The source failed, after having worked for so many seconds; None if it had not started."""
        if worked is None:
            self._failures += 1
            return
        self._relapses = 1 if worked >= STEADY else self._relapses + 1
        self._failures = self._relapses

    def reset(self) -> None:
        """The next failure is the first one."""
        self._failures = self._relapses = 0
