"""Drives a signaling session: events and time in, actions out."""

import json
from dataclasses import dataclass
from typing import Any

from broadcaster.model.stream import AudioState, Quality, StreamState, StreamStatus
from broadcaster.signaling.actions import (
    Action,
    Log,
    Ping,
    Send,
)
from broadcaster.signaling.messages import serialize
from broadcaster.signaling.protocol import Timings
from broadcaster.signaling.session import Session
from tests.unit.signaling_samples import CHROMIUM, OFFER


@dataclass(frozen=True)
class Offered:
    sdp: str = OFFER
    ice_servers: tuple[dict[str, str], ...] = ({"urls": "stun:192.0.2.9"},)
    clock: tuple[int, float] | None = (90000, 12.5)
    addresses: frozenset[str] = frozenset({"192.0.2.1"})


CANDIDATE = "candidate:1 1 udp 1677729535 192.0.2.7 50000 typ host"


def status(state: StreamState, *, has_small: bool = False) -> StreamStatus:
    return StreamStatus(state, 1.0, AudioState.ON, has_small=has_small)


class SessionDriver:
    """Drives a session with the WebSocket 1; `last` are the actions of the last event."""

    def __init__(self, state: StreamState = StreamState.LIVE, *, has_small: bool = False) -> None:
        self.now = 100.0
        self.is_active = False
        self.session = Session("v1", "secret", Timings(), status(state, has_small=has_small), self.now)
        self.record(self.session.attach(1, 1, self.now))

    def record(self, actions: list[Action]) -> None:
        self.last = actions

    def receive(self, type: str, socket: int = 1, **fields: object) -> list[Action]:
        self.record(self.session.receive(socket, json.dumps({"type": type, **fields}), self.now))
        return self.last

    def stream(self, state: StreamState) -> list[Action]:
        self.record(self.session.stream_changed(status(state), self.now))
        return self.last

    def quality(self, quality: Quality) -> list[Action]:
        self.record(self.session.quality_changed(quality))
        return self.last

    def offered(self, id: int = 1) -> list[Action]:
        self.record(self.session.offered(id, Offered(), self.now))
        return self.last

    def connect(self, id: int = 1) -> None:
        self.offered(id)
        self.receive("answer", id=id, sdp=CHROMIUM)
        self.record(self.session.connected(id, self.now))
        self.is_active = True

    def advance(self, seconds: float) -> list[Action]:
        """Step at every deadline within the next seconds; return all actions."""
        until, actions = self.now + seconds, []
        while (deadline := self.session.next_deadline()) <= until:
            self.now = max(self.now, deadline)
            actions += self.session.step(self.now, self.now if self.is_active else None)
        self.now = until
        self.record(actions)
        return actions

    def advance_with_heartbeats(self, seconds: float) -> list[Action]:
        """As `advance`, with a viewer that answers pings and sends a heartbeat every two seconds."""
        actions: list[Action] = []
        for _ in range(int(seconds)):
            for action in self.advance(1.0):
                actions.append(action)
                if isinstance(action, Ping):
                    self.session.pong(1, action.payload, self.now)
            self.session.receive(1, '{"type":"heartbeat"}', self.now) if self.now % 2 < 1 else None
        return actions


def messages(actions: list[Action]) -> list[dict[str, Any]]:
    return [json.loads(serialize(action.message)) for action in actions if isinstance(action, Send)]


def message_types(actions: list[Action]) -> list[str]:
    return [message["type"] for message in messages(actions)]


def effects(actions: list[Action]) -> list[Action]:
    """Return the actions without messages, pings and log lines."""
    return [action for action in actions if not isinstance(action, Send | Log | Ping)]
