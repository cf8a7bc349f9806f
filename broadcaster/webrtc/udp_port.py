"""UDP ports that filter incoming datagrams, so that unknown senders cannot disturb a connection.

aioice alone accepts datagrams other than STUN from anyone, queues them without limit, and closes when one is empty.
"""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from typing import Any, cast

from aioice.ice import Connection, StunProtocol
from aioice.stun import COOKIE, Class, Message, parse_message

from broadcaster.auth.rate_limits import Rate, SlidingWindow
from broadcaster.ports import Clock
from broadcaster.signaling.candidates import FIRST_OPEN_PORT
from broadcaster.webrtc import internals

Address = tuple[str, int]

_STUN = range(0, 4)
_DTLS = range(20, 64)
_SRTP = range(128, 192)
"""First bytes of datagrams (RFC 7983 §7)."""

_COOKIE = struct.pack("!I", COOKIE)
"""Bytes 4 to 8 of every STUN message (RFC 8489 §5); aioice does not check them."""

MAX_DATAGRAM = 1500
"""Maximum bytes of a datagram: the MTU of Ethernet, and pylibsrtp's limit. aioice's time for a STUN message grows with
the square of its length, and it is spent before the sender is authenticated."""

MAX_QUEUED_DATAGRAMS = 512
"""Datagrams queued for aiortc; a viewer sends fewer than a hundred per second."""

MAX_REMOTE_ADDRESSES = 32
"""Addresses of one viewer at one port: aioice sends checks to each, wherever it points (RFC 8445 §19.5.1)."""

ERROR_RESPONSE_RATE = Rate(10, 1.0)
"""Responses to STUN requests that fail authentication, for all ports of a connection."""

CLOSE_TIMEOUT = 0.5
"""Seconds that a TURN server has to delete its allocation; aioice would retry for a minute, and it expires anyway."""


class DropReason(StrEnum):
    """Why a datagram was dropped."""

    EMPTY = "empty"
    UNKNOWN_PROTOCOL = "unknown protocol"
    MALFORMED = "malformed"
    OVERSIZED = "oversized"
    UNKNOWN_SENDER = "unknown sender"
    UNAUTHENTICATED = "unauthenticated"
    UNSOLICITED = "unsolicited"
    RATE_LIMITED = "rate limited"
    TOO_MANY_ADDRESSES = "too many addresses"
    PRIVILEGED_PORT = "privileged port"
    QUEUE_FULL = "queue full"


def drop_rtcp(data: bytes) -> DropReason:
    """Drop an SRTCP datagram, because there is no key for it yet."""
    return DropReason.UNAUTHENTICATED


class Reception:
    """What all ports of one connection share.

    `last_activity_at` is the monotonic time of the last authenticated datagram, or None; `dropped` counts the others.
    `rtcp_handler` takes SRTCP datagrams, and returns why it dropped one, or None.
    """

    def __init__(self, clock: Clock) -> None:
        self.last_activity_at: float | None = None
        self.dropped: Counter[DropReason] = Counter()
        self.rtcp_handler: Callable[[bytes], DropReason | None] = drop_rtcp
        self._clock = clock
        self._error_responses = SlidingWindow(ERROR_RESPONSE_RATE)

    def note_activity(self) -> None:
        """Record that an authenticated datagram arrived now."""
        self.last_activity_at = self._clock.monotonic()

    def may_send_error(self) -> bool:
        """Return whether one more error response may be sent now, and count it."""
        now = self._clock.monotonic()
        return not self._error_responses.is_exhausted(now) and self._error_responses.spend(now)


class FilteredUdpPort(StunProtocol):
    """A local UDP port, or the relayed port of a TURN server."""

    def __init__(self, receiver: Connection, reception: Reception) -> None:
        super().__init__(receiver)
        self._reception = reception
        self._known: set[Address] = set()

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """Pass on an acceptable datagram, count any other. Never raises."""
        dropped = self._take(cast(bytes, data), (addr[0], addr[1]))
        if dropped is not None:
            self._reception.dropped[dropped] += 1

    async def close(self) -> None:
        """Close the port within `CLOSE_TIMEOUT`, even if the TURN server does not respond."""
        closing = asyncio.create_task(super().close(), name="closing a port")
        await asyncio.wait([closing], timeout=CLOSE_TIMEOUT)
        internals.cancel_relay_close(self)
        await closing

    def _take(self, data: bytes, address: Address) -> DropReason | None:
        if not data:
            return DropReason.EMPTY
        if len(data) > MAX_DATAGRAM:
            return DropReason.OVERSIZED
        if data[0] in _STUN:
            return self._take_stun(data, address)
        if data[0] in _DTLS or data[0] in _SRTP:
            return self._take_media(data, address)
        return DropReason.UNKNOWN_PROTOCOL

    def _take_media(self, data: bytes, address: Address) -> DropReason | None:
        """Take DTLS and SRTCP from addresses that have authenticated by STUN.

        SRTCP goes directly to its handler, not through aioice's queue and aiortc's task, because every viewer sends
        several packets a second. Viewers send no media; an RTP packet fails authentication as SRTCP.
        """
        if address not in self._known:
            return DropReason.UNKNOWN_SENDER
        if data[0] in _SRTP:
            return self._reception.rtcp_handler(data)
        if internals.queued_datagrams(self.receiver) >= MAX_QUEUED_DATAGRAMS:
            return DropReason.QUEUE_FULL
        self.receiver.data_received(data, self.local_candidate.component)
        return None

    def _take_stun(self, data: bytes, address: Address) -> DropReason | None:
        message = parse_stun(data)
        if message is None:
            return DropReason.MALFORMED
        match message.message_class:
            case Class.REQUEST:
                return self._take_request(message, address)
            case Class.RESPONSE | Class.ERROR:
                return self._take_response(message, address)
        return None  # an indication keeps a NAT binding alive (RFC 8445 §11), and is not authenticated

    def _take_request(self, message: Message, address: Address) -> DropReason | None:
        if "USERNAME" not in message.attributes or not _is_authentic(message, self.receiver.local_password):
            if self._reception.may_send_error():
                self.receiver.request_received(message, address, self)
            return DropReason.UNAUTHENTICATED
        if "PRIORITY" not in message.attributes:  # required by RFC 8445 §7.1.1; aioice does not check it
            return DropReason.MALFORMED
        if address[1] < FIRST_OPEN_PORT:
            return DropReason.PRIVILEGED_PORT
        if not self._is_accepted(address):
            return DropReason.TOO_MANY_ADDRESSES
        self._authenticated(address)
        self.receiver.request_received(message, address, self)
        return None

    def _take_response(self, message: Message, address: Address) -> DropReason | None:
        transaction = self.transactions.get(message.transaction_id)
        if transaction is None:
            return DropReason.UNSOLICITED
        if _is_authentic(message, self.receiver.remote_password) and self._is_accepted(address):
            self._authenticated(address)
        transaction.response_received(message, address)
        return None

    def _is_accepted(self, address: Address) -> bool:
        return address in self._known or len(self._known) < MAX_REMOTE_ADDRESSES

    def _authenticated(self, address: Address) -> None:
        self._known.add(address)
        self._reception.note_activity()


def parse_stun(data: bytes) -> Message | None:
    """Return the STUN message, or None if it is malformed; aioice's parser raises several exceptions."""
    if data[4:8] != _COOKIE:
        return None
    try:
        return parse_message(data)
    except (ValueError, LookupError, struct.error):
        return None


def _is_authentic(message: Message, password: str | None) -> bool:
    """Return whether the message was signed with `password` (MESSAGE-INTEGRITY, RFC 8489 §9.1)."""
    return password is not None and message.check_message_integrity(password.encode())
