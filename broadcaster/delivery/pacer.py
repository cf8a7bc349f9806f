"""How fast packets follow each other: an unpaced keyframe overruns Wi-Fi queues and freezes the picture."""

from __future__ import annotations

from broadcaster.media.rtp import MAX_PACKET
from broadcaster.stream.rendition import RateMeter

BURST = 16
"""Packets of a picture that are sent at once: an ordinary picture of a 4 Mbit/s stream is not paced at all."""

TICK = 0.005
"""Seconds between two steps of sending what was not sent at once."""

HEADROOM = 4.0
"""The pace as a multiple of the stream's rate: a keyframe ten times the ordinary size is sent within three frames."""

SLOWEST = 1_000_000
"""The lowest pace in bits per second, however low the stream's rate is."""

SENT_WITHIN = 0.15
"""Seconds within which even the largest picture is sent: our own pacing must not make a viewer look slow."""

_LONGEST_STEP = 4 * TICK
"""A late tick does not make up for all the time that it missed: the network would get a burst."""


def packets_due(bits_per_second: float, elapsed: float) -> float:
    """Return how many packets of full size a pace allows after `elapsed` seconds."""
    return bits_per_second * min(elapsed, _LONGEST_STEP) / 8 / MAX_PACKET


def pace_of(meter: RateMeter) -> float:
    """Return the pace in bits per second at which a viewer without congestion gets what waits."""
    return max(meter.rate * HEADROOM, meter.largest * 8 / SENT_WITHIN, SLOWEST)
