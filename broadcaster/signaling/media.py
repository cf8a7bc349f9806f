"""The way without UDP: how the signaling offers it, and the messages of `/media`.

`/media` is a WebSocket that carries video and audio as fragmented MP4, for viewers whom UDP does not reach. The viewer
sends `open` with a ticket of its session, and `ack` for each binary message. The daemon sends `init` before each init
segment. All binary messages together are one fragmented MP4.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import DecodeError, Meta, Struct, json

from broadcaster.errors import BadMessage
from broadcaster.model.stream import Quality

MEDIA_SUBPROTOCOL = "broadcaster.media.v1"
MEDIA_URL = "media"
"""Relative to the page, like that of the signaling."""

_Count = Annotated[int, Meta(ge=0, le=2**53)]


class Media(Struct, frozen=True, tag="media"):
    """Signaling message of a viewer that asks for a new ticket."""


class MediaObject(Struct, frozen=True):
    """Where video and audio can be had without UDP, and the ticket that opens it."""

    url: str
    ticket: str


class MediaMessage(MediaObject, frozen=True, tag="media"):
    """Signaling message with a new ticket."""


class Open(Struct, frozen=True, tag="open"):
    """Opens the media connection of the session that got this ticket."""

    ticket: str


class Ack(Struct, frozen=True, tag="ack"):
    """So many binary messages have arrived."""

    count: _Count


class InitMessage(Struct, frozen=True, tag="init"):
    """An init segment follows; `base` is the capture time of its time zero, in ms of the daemon's monotonic clock."""

    mime: str
    base: float
    quality: Quality


_message = json.Decoder(Open | Ack)
_encoder = json.Encoder()


def parse_media_message(text: str | bytes) -> Open | Ack:
    """Read one message of a viewer. Raises `BadMessage`."""
    try:
        return _message.decode(text)
    except (DecodeError, UnicodeEncodeError, RecursionError) as error:
        raise BadMessage("type", "no message of this protocol") from error


def serialize_init(message: InitMessage) -> bytes:
    """Return the JSON text in UTF-8."""
    return _encoder.encode(message)
