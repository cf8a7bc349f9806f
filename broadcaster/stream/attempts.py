"""When to try whether a viewer's network carries more: after a calm time, which doubles with each failure."""

from __future__ import annotations

LONGEST_WAIT = 120.0
"""Seconds between two attempts at most, if the viewer suffers when one fails."""

LONGEST_PROBE_WAIT = 12.0
"""Seconds between two padding probes at most, which viewers do not notice: a network that is wide again is used within
20 s. libwebrtc probes every 5 s."""


class Attempts:
    """Attempts of one kind for one viewer; time is an argument, in seconds."""

    def __init__(self, first_wait: float) -> None:
        self._first_wait = first_wait
        self._wait = first_wait
        self._calm_since = float("inf")

    def is_due(self, now: float) -> bool:
        """Return whether to try now; call this as long as there is no congestion, else `interrupt`."""
        self._calm_since = min(self._calm_since, now)
        return now - self._calm_since >= self._wait

    def interrupt(self) -> None:
        """There is congestion, or nothing to try for: the calm time begins again."""
        self._calm_since = float("inf")

    def failed(self, now: float) -> None:
        """The last attempt has failed, and the viewer suffered: wait twice as long for the next one."""
        self._wait = min(self._wait * 2, LONGEST_WAIT)
        self._calm_since = now

    def probe_failed(self, now: float) -> None:
        """The last attempt was a probe that failed unnoticed: wait longer, within `LONGEST_PROBE_WAIT`."""
        self._wait = max(self._wait, min(self._wait * 2, LONGEST_PROBE_WAIT))
        self._calm_since = now

    def succeeded(self) -> None:
        """The last attempt has lasted: the next one may come soon again."""
        self._wait = self._first_wait
        self._calm_since = float("inf")
