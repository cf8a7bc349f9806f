"""Back-off before a source is opened again: 1, 2, 4 … 30 s."""

from __future__ import annotations

FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0
STEADY = 10.0
"""Seconds for which a source must have worked so that its next failure counts as the first one."""


def retry_delay(failures: int) -> float:
    """Return the seconds to wait after this many failures in a row (at least one)."""
    return min(FIRST_DELAY * 2.0 ** min(failures - 1, 16), LONGEST_DELAY)


class BackOff:
    """Counts the failures of one source.

    A source that starts and soon fails, repeatedly, backs off like one that does not start. A source that could not be
    opened for hours and then failed shortly after a start is retried soon.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._relapses = 0

    @property
    def delay(self) -> float:
        """Seconds to wait after the last failure."""
        return retry_delay(max(1, self._failures))

    def failed(self, worked: float | None) -> None:
        """Count a failure after `worked` seconds of operation; None if the source had not started."""
        if worked is None:
            self._failures += 1
            return
        self._relapses = 1 if worked >= STEADY else self._relapses + 1
        self._failures = self._relapses

    def reset(self) -> None:
        """Forget all failures."""
        self._failures = self._relapses = 0
