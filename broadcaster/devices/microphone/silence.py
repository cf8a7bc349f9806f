"""Digital silence: a microphone that is muted, or whose wire is off, gives zeros; a room never does. Pure."""

from __future__ import annotations

LIMIT = 10.0
"""Seconds of nothing but zeros after which there is no sound."""


class Silence:
    """Watches for samples that are all zero."""

    def __init__(self) -> None:
        self._since: float | None = None

    def lasts(self, pcm: bytes, now: float) -> bool:
        """Whether, with these samples, there have been only zeros for `LIMIT`."""
        if pcm.count(0) != len(pcm):
            self._since = None
            return False
        if self._since is None:
            self._since = now
        return now - self._since >= LIMIT
