"""Checks that viewers receive video without interruption while a fault affects others.

The viewers must send receiver reports, as browsers do: a viewer that is silent for five seconds is not sent any video.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from tests.rigs.healthy import HealthyViewer
from tests.rigs.stalls import Stalls, stalls

LONGEST_PAUSE = 0.5
"""Seconds between two video packets. Sequence numbers alone are not enough: skipped frames use none."""


class Continuity:
    """What the viewers received; `stalled` is for how long this process did not run meanwhile."""

    def __init__(self, viewers: tuple[HealthyViewer, ...], stalled: Stalls) -> None:
        self.stalled = stalled
        self.gaps = 0
        self.longest_pause = 0.0
        self._viewers = viewers
        for viewer in viewers:
            viewer.reset_pauses()

    def check(self) -> None:
        """Assert that there was no gap and no long pause."""
        self.gaps = sum(viewer.gaps for viewer in self._viewers)
        self.longest_pause = max(viewer.longest_pause for viewer in self._viewers)
        assert self.gaps == 0
        details = f"{self}; this process stalled for up to {self.stalled.longest * 1000:.0f} ms"
        assert self.longest_pause < LONGEST_PAUSE + self.stalled.longest, details

    def __str__(self) -> str:
        return f"{self.gaps} gaps, longest pause {self.longest_pause * 1000:.0f} ms"


@contextlib.asynccontextmanager
async def uninterrupted(*viewers: HealthyViewer) -> AsyncIterator[Continuity]:
    """Assert that these viewers, who already receive video, are not affected by what happens inside the block."""
    async with stalls() as stalled:
        continuity = Continuity(viewers, stalled)
        yield continuity
        continuity.check()
