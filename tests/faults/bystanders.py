"""Those who watch while something goes wrong beside them: it costs them no packet, and no time.

They must say that they are there, as browsers do: who is not heard for five seconds gets no pictures by design.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from tests.rigs.healthy import HealthyViewer
from tests.rigs.stalls import Stalls, stalls

LONGEST_PAUSE = 0.5
"""Seconds between two packets of video. Sequence numbers alone do not tell: pictures left out take none."""


class Unnoticed:
    """What the viewers got; `stalled` is what this process did not get meanwhile."""

    def __init__(self, viewers: tuple[HealthyViewer, ...], stalled: Stalls) -> None:
        self.stalled = stalled
        self.gaps = 0
        self.longest_pause = 0.0
        self._viewers = viewers
        for viewer in viewers:
            viewer.forget_pauses()

    def check(self) -> None:
        """Look, and fail if they noticed."""
        self.gaps = sum(viewer.gaps for viewer in self._viewers)
        self.longest_pause = max(viewer.longest_pause for viewer in self._viewers)
        assert self.gaps == 0
        forgiven = f"{self}; this process stood still for {self.stalled.longest * 1000:.0f} ms at a time"
        assert self.longest_pause < LONGEST_PAUSE + self.stalled.longest, forgiven

    def __str__(self) -> str:
        return f"{self.gaps} gaps, longest pause {self.longest_pause * 1000:.0f} ms"


@contextlib.asynccontextmanager
async def unnoticed(*viewers: HealthyViewer) -> AsyncIterator[Unnoticed]:
    """What happens inside goes by these viewers, who have a picture; afterwards what this gives has the figures."""
    async with stalls() as stalled:
        seen = Unnoticed(viewers, stalled)
        yield seen
        seen.check()
