"""The daemon's two watches over one WebSocket: ping frames, and the silence between messages.

Two, because a browser's network stack answers pings even for a page whose script hangs, and because a
page cannot see ping frames at all.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from broadcaster.signaling.protocol import Timings


@dataclass(frozen=True, slots=True)
class SendPing:
    """Send a WebSocket ping with this payload."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class AskHeartbeat:
    """Ask the viewer for a heartbeat message."""


@dataclass(frozen=True, slots=True)
class HeartbeatMissed:
    """The connection is dead, for the reason in words."""

    reason: str


Beat = SendPing | AskHeartbeat | HeartbeatMissed


class HeartbeatWatch:
    """Watches one WebSocket from the moment its session opens."""

    def __init__(self, now: float, timings: Timings) -> None:
        self._timings = timings
        self._next_ping = now + timings.ping_interval
        self._pings: deque[tuple[bytes, float]] = deque()
        self._count = 0
        self._heard_at = now
        self._asked = False

    def heard(self, now: float) -> None:
        """A message came: the countdown to `server_timeout` starts again."""
        self._heard_at = now
        self._asked = False

    def pong(self, payload: bytes) -> bool:
        """Take a pong: it answers its ping and all before it (RFC 6455 §5.5.3). False: it answers none of ours."""
        if not any(payload == sent for sent, _ in self._pings):
            return False
        while self._pings.popleft()[0] != payload:
            pass
        return True

    def step(self, now: float) -> list[Beat]:
        """What is due now."""
        missed = self._missed(now)
        if missed is not None:
            return [missed]
        due: list[Beat] = []
        if now >= self._next_ping:
            due.append(self._ping(now))
        if not self._asked and now >= self._heard_at + self._timings.ask_after:
            self._asked = True
            due.append(AskHeartbeat())
        return due

    def next_deadline(self) -> float:
        """When `step` is due again."""
        silence = self._timings.server_timeout if self._asked else self._timings.ask_after
        return min(self._next_ping, self._pong_deadline(), self._heard_at + silence)

    def _missed(self, now: float) -> HeartbeatMissed | None:
        if now >= self._pong_deadline():
            return HeartbeatMissed(f"no pong in {self._timings.pong_timeout:g} s")
        if now >= self._heard_at + self._timings.server_timeout:
            return HeartbeatMissed(f"no message in {self._timings.server_timeout:g} s")
        return None

    def _pong_deadline(self) -> float:
        return self._pings[0][1] + self._timings.pong_timeout if self._pings else float("inf")

    def _ping(self, now: float) -> SendPing:
        self._count += 1
        payload = self._count.to_bytes(4, "big")
        self._pings.append((payload, now))
        self._next_ping = now + self._timings.ping_interval
        return SendPing(payload)
