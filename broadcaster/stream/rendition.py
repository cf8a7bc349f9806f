"""A rendition: one encoding of the stream, with the keyframe cache, keyframe gate and rate meter that belong to it."""

from __future__ import annotations

from collections import deque

from broadcaster.model.stream import AccessUnit, Quality
from broadcaster.ports import VideoSource

MAX_FRESH_AGE = 0.15
"""Maximum age in seconds at which the cached keyframe serves a new viewer although another could be forced.

Catching up from an older keyframe at the usual pace takes longer than waiting for a forced one.
"""

CROWD = 50
"""Viewers from which new ones are served from the cache for longer, in proportion.

A keyframe forced for one of them costs as much as all those pictures for hundreds.
"""

MAX_FRESH_AGE_IN_CROWD = 1.0
"""Maximum age in seconds at which the cached keyframe serves a new viewer, however many there are."""

MAX_CACHE_DURATION = 2.0
"""Seconds of access units kept in the cache, for sources that cannot force keyframes."""

MAX_CACHE_SIZE = 2 * 1024 * 1024
"""Bytes kept in the cache."""

SHORTEST_INTERVAL = 0.5
"""Seconds between two forced keyframes."""

LONGEST_INTERVAL = 2.0
"""Seconds between two forced keyframes while pictures are sent late: more keyframes would make them later."""

ON_TIME = 0.2
"""Seconds that sending a picture to all viewers may take: pacing alone makes large ones take nearly as long."""

INTERVAL_GROWTH = 5.0
"""Seconds that `SHORTEST_INTERVAL` grows by for each second of delay beyond `ON_TIME`."""

INTERVAL_DECAY = 0.02
"""Seconds that the interval shrinks by with each picture that is sent on time: the delay is short right after pictures
have been skipped."""

SHORTEST_INTERVAL_PER_VIEWER = 2.0
"""Seconds between two keyframes forced for the same viewer, so that a single lossy connection cannot set the pace."""

LOWERED = 0.95
"""Fraction of the highest bit rate below which the encoder's counts as lowered."""

SHORTEST_PROBE_INTERVAL = 1.2
"""Seconds between two keyframes forced for bandwidth probes, all slow viewers together.

A recovered network is found soon, whatever the encoder's own keyframe interval.
"""

_PROBES = ""
"""The requester that all bandwidth probes share; no viewer has this id."""

_RATE_WINDOW = 2.0
"""Seconds over which the bit rate is measured: one default keyframe interval."""


def max_fresh_age(viewers: int) -> float:
    """Return the maximum age of a cached keyframe that serves a new viewer, with so many viewers."""
    return min(MAX_FRESH_AGE * max(1.0, viewers / CROWD), MAX_FRESH_AGE_IN_CROWD)


class KeyframeCache:
    """The last keyframe and the access units after it, up to `MAX_CACHE_DURATION` and `MAX_CACHE_SIZE`."""

    def __init__(self) -> None:
        self.units: list[AccessUnit] = []
        self._size = 0
        self._started = 0.0

    def add(self, unit: AccessUnit, now: float) -> None:
        """Take the next access unit; a keyframe restarts the cache, and an overflow empties it until the next one."""
        if unit.keyframe:
            self.clear()
            self._started = now
        elif not self.units:
            return
        self.units.append(unit)
        self._size += len(unit.data)
        if self._size > MAX_CACHE_SIZE or now - self._started > MAX_CACHE_DURATION:
            self.clear()

    def clear(self) -> None:
        """Drop everything up to the next keyframe."""
        self.units.clear()
        self._size = 0

    def is_fresh(self, now: float, viewers: int = 1) -> bool:
        """Return whether the cached keyframe is recent enough to start a new viewer with, of so many in all."""
        return bool(self.units) and now - self._started <= max_fresh_age(viewers)


class KeyframeGate:
    """Merges keyframe requests, so that few keyframes are forced.

    A keyframe costs ten times an ordinary picture, for every viewer. PLI, FIR, the `keyframe` message, new viewers and
    bandwidth probes are merged here, and lead to forced keyframes a minimum time apart.
    """

    def __init__(self) -> None:
        self.forced = 0
        self.interval = SHORTEST_INTERVAL
        self._waiting: set[str] = set()
        self._first_due = float("inf")
        self._forced_at = float("-inf")
        self._pending = False
        self._served_at: dict[str, float] = {}

    def request(self, viewer: str) -> None:
        """Note that `viewer` needs a keyframe."""
        if viewer not in self._waiting:  # hundreds may ask at each picture
            self._waiting.add(viewer)
            self._first_due = min(self._first_due, self._allowed_at(viewer))

    def request_probe(self) -> None:
        """Note that the bandwidth of a slow viewer could be probed with a keyframe."""
        self.request(_PROBES)

    def serves(self, viewer: str, now: float) -> bool:
        """Return whether a request of `viewer` now would get a keyframe at once, or the one already pending."""
        return self._pending or now >= max(self._forced_at + self.interval, self._allowed_at(viewer))

    def sent_late(self, delay: float) -> None:
        """Pictures are sent up to `delay` seconds late: force keyframes less often while they are."""
        grown = min(SHORTEST_INTERVAL + max(0.0, delay - ON_TIME) * INTERVAL_GROWTH, LONGEST_INTERVAL)
        self.interval = max(grown, self.interval - INTERVAL_DECAY)

    def forget(self, viewer: str) -> None:
        """Drop the request of a viewer that has left; its interval still counts should it return at once."""
        if viewer in self._waiting:
            self._waiting.remove(viewer)
            self._find_first()

    def keyframe_published(self) -> None:
        """A keyframe is being published: all requests are served."""
        self._waiting.clear()
        self._find_first()
        self._pending = False

    def poll(self, now: float) -> bool:
        """Return whether to force a keyframe now; the caller must do so when this is true.

        Requests stay until a keyframe is published, so a request that the encoder lost is repeated.
        """
        due = self.next_deadline()
        if due is None or now < due:
            return False
        served = {viewer: now for viewer in self._waiting if self._allowed_at(viewer) <= now}
        recent = {viewer: at for viewer, at in self._served_at.items() if now - at < SHORTEST_INTERVAL_PER_VIEWER}
        self._served_at = recent | served
        self._forced_at, self._pending = now, True
        self.forced += 1
        self._find_first()
        return True

    def next_deadline(self) -> float | None:
        """Return the earliest time at which `poll` may return true; None while there is no request."""
        return max(self._forced_at + self.interval, self._first_due) if self._waiting else None

    def _find_first(self) -> None:
        self._first_due = min(map(self._allowed_at, self._waiting), default=float("inf"))

    def _allowed_at(self, viewer: str) -> float:
        """Return when this viewer's own interval ends."""
        interval = SHORTEST_PROBE_INTERVAL if viewer == _PROBES else SHORTEST_INTERVAL_PER_VIEWER
        return self._served_at.get(viewer, float("-inf")) + interval


class RateMeter:
    """The measured bit rate of the access units, over the last two seconds."""

    def __init__(self) -> None:
        self._sizes: deque[tuple[float, int]] = deque()
        self._total = 0

    def add(self, size: int, now: float) -> None:
        """Count an access unit of `size` bytes."""
        self._sizes.append((now, size))
        self._total += size
        while self._sizes[0][0] < now - _RATE_WINDOW:
            self._total -= self._sizes.popleft()[1]

    @property
    def rate(self) -> float:
        """Bits per second; 0 until there are two access units."""
        if len(self._sizes) < 2:
            return 0.0
        span = self._sizes[-1][0] - self._sizes[0][0]
        return self._total * 8 / max(span, 0.2)

    @property
    def largest(self) -> int:
        """Bytes of the largest access unit in the window."""
        return max((size for _, size in self._sizes), default=0)


class Rendition:
    """One encoding of the stream: takes the access units of its source, and forces keyframes when they are needed.

    `sources` counts the sources that were attached.
    """

    def __init__(self, quality: Quality = Quality.FULL, bitrate: float = 0.0) -> None:
        """`bitrate` is the encoder's highest one, in bits per second; 0 if it is not known."""
        self.quality = quality
        self.bitrate = self.target_bitrate = bitrate
        self.cache = KeyframeCache()
        self.gate = KeyframeGate()
        self.meter = RateMeter()
        self.sources = 0
        self._source: VideoSource | None = None

    @property
    def is_lowered(self) -> bool:
        """Whether the encoder's bit rate is much lower than it could be, because of the viewers."""
        return self.target_bitrate < LOWERED * self.bitrate

    @property
    def can_force_keyframe(self) -> bool:
        """Whether there is a source, and it makes keyframes on request."""
        return self._source is not None and self._source.traits.can_force_keyframe

    def attach(self, source: VideoSource) -> None:
        """Take what follows from `source`, which begins with a keyframe of its own."""
        self.sources += 1
        self._source = source
        self.cache.clear()

    def add(self, unit: AccessUnit, now: float) -> None:
        """Take the next access unit, before it goes to the subscribers."""
        self.meter.add(len(unit.data), now)
        self.cache.add(unit, now)
        if unit.keyframe:
            self.gate.keyframe_published()

    def request_keyframe(self, viewer: str, now: float) -> None:
        """Force a keyframe for `viewer` as soon as the gate allows; does nothing where the source cannot."""
        if self.can_force_keyframe:
            self.gate.request(viewer)
            self.poll(now)

    def request_probe(self, now: float) -> None:
        """Force a keyframe for the bandwidth probes of slow viewers as soon as the gate allows."""
        if self.can_force_keyframe:
            self.gate.request_probe()
            self.poll(now)

    def poll(self, now: float) -> None:
        """Force the keyframe that is due; called for each access unit, which shows that the source is running."""
        if self._source is not None and self.gate.poll(now):
            self._source.request_keyframe(self.quality)
