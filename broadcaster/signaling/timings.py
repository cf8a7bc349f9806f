"""Every time of signaling protocol 1 on one page, in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timings:
    """PROTOCOL.md's values; tests put shorter ones here.

    `ping_interval`, `pong_timeout`, `idle` and `server_timeout` are told in `welcome.heartbeat`; `idle` is
    the viewer's: after that long without sending anything it sends a heartbeat.
    """

    hello: float = 5
    """A connection says `hello` within this."""
    ping_interval: float = 3
    pong_timeout: float = 4
    idle: float = 5
    ask_after: float = 5.5
    """After this much silence the daemon asks for a heartbeat: a hidden tab, whose timers the browser slows
    down to one a minute, still answers from its message handler."""
    server_timeout: float = 7
    answer: float = 10
    """From the offer until the peer connection is connected."""
    restart: float = 2
    """Between two restarts that are heeded."""
    alive: float = 5
    """A peer connection is alive while an authenticated datagram came within this."""
    kept: float = 10
    """A session is kept this long without a WebSocket."""
    viewers: float = 1
    """Between two `viewers` messages."""
    farewell: float = 0.5
    """From our close frame until the connection is aborted."""
    peer: float = 5
    """The longest that one thing done to a peer connection may last."""
