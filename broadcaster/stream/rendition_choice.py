"""The choice of one viewer's rendition: the small one before skipping pictures, and back when the network allows.

The viewer's bandwidth estimate cannot decide about the return: browsers let it grow to one and a half times what they
receive, which is less than the full rendition needs. So the return is tried with padding (`padding_probe`). A return
that fails doubles the wait for the next attempt, and so does padding that does not get through, within a limit.
"""

from __future__ import annotations

from collections import deque
from typing import Protocol

from broadcaster.model.stream import Quality, QualityPreference
from broadcaster.stream.attempts import Attempts

FIRST_WAIT = 6.0
"""Seconds without congestion on the small rendition before the first attempt to return."""

RELAPSE = 30.0
"""Congestion within this many seconds of a return means that the return has failed."""

CHANGES_WITHIN = 60.0
"""Seconds within which changes are counted."""

MAX_CHANGES = 4
"""Changes within `CHANGES_WITHIN` after which there is no return: with it and the next fall, they are six at most."""

HEADROOM = 1.3
"""The bandwidth estimate, as a multiple of the small rendition's rate, without which an attempt would be in vain.

It can exceed what is received by half (libwebrtc), so on a wide network it does.
"""


class Renditions(Protocol):
    """The renditions of the stream, as the send queue of one viewer sees them."""

    @property
    def has_small(self) -> bool:
        """Whether the small rendition can be had."""

    @property
    def small_bitrate(self) -> float:
        """The highest bit rate of the small rendition."""

    @property
    def full_bitrate_goal(self) -> float:
        """The full rendition's highest bit rate, if this viewer alone keeps it lower; else 0."""

    def rate(self, quality: Quality) -> float:
        """Return the measured bit rate of a rendition."""

    def need_keyframe(self, quality: Quality) -> None:
        """The viewer cannot go on without a keyframe of this rendition."""

    def need_probe(self, quality: Quality) -> None:
        """The viewer is slow, and the next bandwidth probe could begin with a keyframe of this rendition."""

    def chosen(self, quality: Quality) -> None:
        """The viewer is to get this rendition from now on; the small one must be encoded for it."""


class RenditionChoice:
    """Decides which rendition a viewer gets; time is an argument, in seconds."""

    def __init__(self) -> None:
        self.quality = Quality.FULL
        self.preference = QualityPreference.AUTO
        self._attempts = Attempts(FIRST_WAIT)
        self._returned_at = float("-inf")
        self._changes: deque[float] = deque()

    def start(self, preference: QualityPreference, last: Quality) -> None:
        """Begin with the viewer's choice; with `auto`, with the rendition that it got over its last connection."""
        self.preference = preference
        self.quality = last if preference is QualityPreference.AUTO else Quality(preference)

    def prefer(self, preference: QualityPreference, now: float) -> None:
        """Take the viewer's choice; `auto` goes on with what the viewer has."""
        self.preference = preference
        if preference is not QualityPreference.AUTO:
            self._change(Quality(preference), now)

    def congested(self, now: float) -> bool:
        """The network cannot carry what is sent; return whether the viewer gets the small rendition instead."""
        self._attempts.interrupt()
        if self.quality is Quality.SMALL or self.preference is QualityPreference.FULL:
            return False
        if now - self._returned_at < RELAPSE:
            self._attempts.failed(now)
        else:
            self._attempts.succeeded()
        self._change(Quality.SMALL, now)
        return True

    def reset(self, now: float) -> None:
        """There is no small rendition any more."""
        self._change(Quality.FULL, now)

    def is_attempt_due(self, *, is_well: bool, estimate: int | None, rate: float, now: float) -> bool:
        """Return whether to try whether the network carries the full rendition.

        `estimate` is the viewer's bandwidth estimate, `rate` the highest bit rate of the small one; `is_well`: the
        viewer keeps up with it.
        """
        if not is_well or self.quality is Quality.FULL or self.preference is not QualityPreference.AUTO:
            self._attempts.interrupt()
            return False
        has_headroom = estimate is None or estimate >= HEADROOM * rate
        return self._attempts.is_due(now) and has_headroom and self._recent_changes(now) <= MAX_CHANGES

    def attempt_ended(self, *, passed: bool, now: float) -> None:
        """The attempt has shown whether the network carries the full rendition, and the viewer noticed nothing."""
        if not passed:
            self._attempts.probe_failed(now)
        elif self.quality is Quality.SMALL:
            self._attempts.interrupt()
            self._returned_at = now
            self._change(Quality.FULL, now)

    def _recent_changes(self, now: float) -> int:
        while self._changes and now - self._changes[0] >= CHANGES_WITHIN:
            self._changes.popleft()
        return len(self._changes)

    def _change(self, quality: Quality, now: float) -> None:
        if quality is not self.quality:
            self.quality = quality
            self._changes.append(now)
            self._recent_changes(now)
