"""Heartbeat of one WebSocket: ping frames, and a timeout between messages.

Ping frames are not enough: the network stack of a browser answers them even for a page whose script hangs, and a page
cannot see them.
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
class RequestHeartbeat:
    """Send a `heartbeat` with `ask`."""


@dataclass(frozen=True, slots=True)
class HeartbeatMissed:
    """The connection is dead."""

    reason: str


HeartbeatAction = SendPing | RequestHeartbeat | HeartbeatMissed


class HeartbeatMonitor:
    """Monitors one WebSocket from `welcome` on."""

    def __init__(self, now: float, timings: Timings) -> None:
        self._timings = timings
        self._next_ping = now + timings.ping_interval
        self._pings: deque[tuple[bytes, float]] = deque()
        self._count = 0
        self._received_at = now
        self._requested = False

    def message_received(self, now: float) -> None:
        """A message arrived: restart the countdown to `server_timeout`."""
        self._received_at = now
        self._requested = False

    def pong(self, payload: bytes) -> bool:
        """Take a pong; it answers its ping and all before it (RFC 6455 §5.5.3). False when it is unsolicited."""
        if not any(payload == sent for sent, _ in self._pings):
            return False
        while self._pings.popleft()[0] != payload:
            pass
        return True

    def step(self, now: float) -> list[HeartbeatAction]:
        """Return what is due now."""
        missed = self._missed(now)
        if missed is not None:
            return [missed]
        due: list[HeartbeatAction] = []
        if now >= self._next_ping:
            due.append(self._ping(now))
        if not self._requested and now >= self._received_at + self._timings.ask_after:
            self._requested = True
            due.append(RequestHeartbeat())
        return due

    def next_deadline(self) -> float:
        """When `step` is due again."""
        silence = self._timings.server_timeout if self._requested else self._timings.ask_after
        return min(self._next_ping, self._pong_deadline(), self._received_at + silence)

    def _missed(self, now: float) -> HeartbeatMissed | None:
        if now >= self._pong_deadline():
            return HeartbeatMissed(f"no pong in {self._timings.pong_timeout:g} s")
        if now >= self._received_at + self._timings.server_timeout:
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
