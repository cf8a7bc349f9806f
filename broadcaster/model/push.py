"""Push targets: media servers to which the stream is sent, as status and log describe them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from broadcaster.model.stats import PeerStats


class PushState(StrEnum):
    """The state of a push target; `refused` lasts until the settings change."""

    DISABLED = "disabled"
    IDLE = "idle"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    WAITING = "waiting"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class PushStats:
    """Statistics of one push target for the operator.

    `server` is scheme, host and port of its URL. `http_status` is the last answer to our offer, in this attempt or an
    earlier one, 0 if there was none; `reason` is why it is not connected. `connections` counts attempts that succeeded.
    `retry_in` and `connected_for` are in seconds, None when they do not apply.
    """

    name: str
    server: str
    state: PushState
    http_status: int = 0
    reason: str = ""
    attempts: int = 0
    connections: int = 0
    retry_in: float | None = None
    connected_for: float | None = None
    peer: PeerStats | None = None
