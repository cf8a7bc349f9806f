"""Walks over all viewers in small batches, between which the event loop runs."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from broadcaster.delivery.send_queue import SendQueue

log = logging.getLogger(__name__)

VIEWERS_AT_ONCE = 16
"""Viewers served before the event loop runs: about a millisecond of sending."""

ON_TIME = 3
"""Walks that may wait: a picture, audio and a tick can come together. For each one more,
`VIEWERS_AT_ONCE` more viewers are served at once: new viewers that connect then wait, not all those that watch."""

MOST_AT_ONCE = 4 * VIEWERS_AT_ONCE
"""Viewers served at once at most: about five milliseconds."""

Visit = Callable[[SendQueue], None]


@dataclass(slots=True)
class Walk:
    """A visit to each of the viewers that were subscribed when it began."""

    visit: Visit
    viewers: Iterator[tuple[str, SendQueue]]
    is_finished: bool = False


class Walks:
    """Carries out one walk after the other, so that every viewer gets everything in order.

    `viewers` are all send queues by viewer. `broke` is called for a viewer whose visit raised an exception, and the
    others are not affected. STUN, RTCP and signaling are served in between.
    """

    def __init__(self, viewers: dict[str, SendQueue], broke: Callable[[str, SendQueue], None]) -> None:
        self._viewers = viewers
        self._broke = broke
        self._walks: deque[Walk] = deque()
        self._is_scheduled = False

    @property
    def is_busy(self) -> bool:
        """Whether a walk is not finished."""
        return bool(self._walks)

    def begin(self, visit: Visit, viewers: Iterable[tuple[str, SendQueue]] | None = None) -> Walk:
        """Visit all viewers, or these, as soon as the walks before are finished."""
        walk = Walk(visit, iter(tuple(self._viewers.items() if viewers is None else viewers)))
        self._walks.append(walk)
        if not self._is_scheduled:
            self._go_on()
        return walk

    def visit(self, viewer: str, queue: SendQueue, visit: Visit) -> None:
        """Visit one viewer, if it is still there; an exception ends that viewer only."""
        if self._viewers.get(viewer) is not queue:
            return
        try:
            visit(queue)
        except Exception:
            log.exception("%s: sending failed; closing its connection", viewer)
            self._broke(viewer, queue)

    def _go_on(self) -> None:
        self._is_scheduled = False
        while self._walks:
            walk = self._walks[0]
            at_once = min(VIEWERS_AT_ONCE * max(1, len(self._walks) - ON_TIME + 1), MOST_AT_ONCE)
            batch = list(islice(walk.viewers, at_once))
            for viewer, queue in batch:
                self.visit(viewer, queue, walk.visit)
            if len(batch) < at_once:
                walk.is_finished = True
                self._walks.popleft()
            if self._walks:
                self._is_scheduled = True
                asyncio.get_running_loop().call_soon(self._go_on)
                return
