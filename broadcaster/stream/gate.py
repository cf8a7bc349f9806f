"""The keyframe gate: many ask for a keyframe, few are made.

A keyframe costs ten times an ordinary picture, for every viewer. So PLI, FIR, the `keyframe` message,
newcomers and skips meet here, are merged, and lead to forced keyframes a minimum time apart.
"""

from __future__ import annotations

SHORTEST_INTERVAL = 0.5
"""Seconds between two forced keyframes."""

SHORTEST_INTERVAL_OF_ONE = 2.0
"""Seconds between two keyframes forced for the same viewer: one with a bad network or mind cannot set the pace."""

SHORTEST_TRIAL_INTERVAL = 1.2
"""Seconds between two keyframes forced to try slow viewers, all of them together: with the time that a keyframe takes,
a network that is well again is found out within 2 s, however far apart the encoder's own keyframes are."""

_SLOW = ""
"""Whose place in the books the slow viewers share; no viewer has this name."""


class KeyframeGate:
    """Merges requests; `poll` says when to force a keyframe, `passed` that one has come by."""

    def __init__(self) -> None:
        self.forced = 0
        self._waiting: set[str] = set()
        self._forced_at = float("-inf")
        self._being_made = False
        self._served_at: dict[str, float] = {}

    def request(self, viewer: str) -> None:
        """`viewer` needs a keyframe."""
        self._waiting.add(viewer)

    def request_trial(self) -> None:
        """A slow viewer could be tried with a keyframe."""
        self._waiting.add(_SLOW)

    def serves(self, viewer: str, now: float) -> bool:
        """Whether `viewer`, should it ask now, gets a keyframe at once, or the one that is being made for others."""
        return self._being_made or now >= self._allowed_at(viewer)

    def forget(self, viewer: str) -> None:
        """`viewer` is gone; should it be back in a moment, what it had still counts."""
        self._waiting.discard(viewer)

    def passed(self) -> None:
        """A keyframe goes to everybody now: nobody waits any more."""
        self._waiting.clear()
        self._being_made = False

    def poll(self, now: float) -> bool:
        """Whether to force a keyframe now; True counts as done.

        Who waits stays waiting until a keyframe has `passed`: a request that the encoder lost is repeated.
        """
        due = self.next_deadline()
        if due is None or now < due:
            return False
        served = {viewer: now for viewer in self._waiting if self._allowed_at(viewer) <= now}
        lately = {viewer: at for viewer, at in self._served_at.items() if now - at < SHORTEST_INTERVAL_OF_ONE}
        self._served_at = lately | served
        self._forced_at, self._being_made = now, True
        self.forced += 1
        return True

    def next_deadline(self) -> float | None:
        """When `poll` is worth calling: the first moment that the waiting viewers allow; None if nobody waits."""
        if not self._waiting:
            return None
        return min(map(self._allowed_at, self._waiting))

    def _allowed_at(self, viewer: str) -> float:
        interval = SHORTEST_TRIAL_INTERVAL if viewer == _SLOW else SHORTEST_INTERVAL_OF_ONE
        return max(self._forced_at + SHORTEST_INTERVAL, self._served_at.get(viewer, float("-inf")) + interval)
