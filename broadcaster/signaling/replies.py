"""What the daemon says: one function for each message, giving its JSON text."""

from __future__ import annotations

import json
from typing import Any

from broadcaster.model.stream import StreamStatus
from broadcaster.signaling.codes import ByeReason, ErrorCode
from broadcaster.signaling.timings import Timings

DAEMON_MESSAGES = ("welcome", "offer", "candidate", "stream", "viewers", "heartbeat", "bye", "error")
"""Every type that the daemon may send (`candidate` is reserved); compared with the page's table of names."""


def serialize_welcome(
    session: str, resume: str, resumed: bool, timings: Timings, status: StreamStatus, viewers: int
) -> str:
    """The session is open; `viewers` counts this one too."""
    heartbeat = {
        "ping_interval": timings.ping_interval,
        "pong_timeout": timings.pong_timeout,
        "idle": timings.idle,
        "server_timeout": timings.server_timeout,
    }
    return _serialize(
        "welcome",
        session=session,
        resume=resume,
        resumed=resumed,
        heartbeat=heartbeat,
        stream=stream_fields(status),
        viewers=viewers,
    )


def serialize_offer(id: int, sdp: str, ice_servers: list[Any], clock: tuple[int, float] | None) -> str:
    """A new peer connection; `clock` is a video RTP timestamp and its capture time in ms."""
    fields: dict[str, Any] = {"id": id, "sdp": sdp, "ice_servers": ice_servers}
    if clock is not None:
        fields["clock"] = {"rtp": clock[0], "at": clock[1]}
    return _serialize("offer", **fields)


def serialize_stream(status: StreamStatus) -> str:
    """The one stream has changed."""
    return _serialize("stream", **stream_fields(status))


def serialize_viewers(count: int) -> str:
    """How many sessions are open."""
    return _serialize("viewers", count=count)


def serialize_heartbeat(now: float, t: float | None = None, *, ask: bool = False) -> str:
    """Answer to a viewer's heartbeat, or, with `ask`, a question; `now` in monotonic seconds."""
    fields: dict[str, Any] = {"now": round(now * 1000, 3)}
    if t is not None:
        fields["t"] = t
    if ask:
        fields["ask"] = True
    return _serialize("heartbeat", **fields)


def serialize_bye(id: int, reason: ByeReason) -> str:
    """That peer connection is over; the session stays open."""
    return _serialize("bye", id=id, reason=reason)


def serialize_error(code: ErrorCode, message: str, *, field: str | None = None, limit: int | None = None) -> str:
    """What was wrong."""
    details = {name: value for name, value in (("field", field), ("limit", limit)) if value is not None}
    return _serialize("error", code=code, message=message, **details)


def stream_fields(status: StreamStatus) -> dict[str, Any]:
    """The stream as `welcome`, `stream` and `GET /api/status` show it."""
    fields: dict[str, Any] = {"state": status.state, "since": round(status.since, 3), "sound": status.sound}
    if status.reason is not None:
        fields["reason"] = status.reason
    return fields


def _serialize(type: str, **fields: Any) -> str:
    return json.dumps({"type": type, **fields}, separators=(",", ":"))
