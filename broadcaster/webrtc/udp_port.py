"""The guard in front of each UDP port: strangers are heard by nobody, and cannot break what they knock at.

aioice hands on every datagram that is not STUN, whoever sent it, to a queue without end, and closes on an empty one.
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
"""First bytes (RFC 7983 §7)."""

_COOKIE = struct.pack("!I", COOKIE)
"""Bytes 4 to 8 of every STUN message (RFC 8489 §5); aioice does not look at them."""

LONGEST = 1500
"""Bytes of a datagram: an Ethernet frame, and as much as pylibsrtp takes without raising. aioice takes longer for STUN
the longer it is, squared, and before it knows who speaks."""

MAX_WAITING = 512
"""Datagrams that wait for aiortc; a viewer sends fewer than a hundred a second."""

MAX_ADDRESSES = 32
"""Addresses that one viewer may have at one port of ours: aioice checks each, wherever it points (RFC 8445 §19.5.1)."""

REFUSALS = Rate(10, 1.0)
"""Answers to STUN requests that do not authenticate, for all ports of a connection."""


CLOSING_LIMIT = 0.5
"""Seconds that a TURN server has to take its allocation back; aioice would ask for a minute, and it expires anyway."""


class DropReason(StrEnum):
    """Why a datagram was not taken."""

    EMPTY = "empty"
    FOREIGN = "foreign"
    MALFORMED = "malformed"
    OVERSIZED = "oversized"
    STRANGER = "stranger"
    UNAUTHENTICATED = "unauthenticated"
    UNASKED = "unasked"
    FLOOD = "flood"
    CROWD = "crowd"
    MISDIRECTED = "misdirected"
    OVERFLOW = "overflow"


def refuse_rtcp(data: bytes) -> DropReason:
    """Take no SRTCP datagram: there is no key for it."""
    return DropReason.UNAUTHENTICATED


class Reception:
    """What came in over all ports of one connection.

    `heard_at` is the monotonic time of the last sign of life that was authentic, or None; `dropped` counts the rest;
    `take_rtcp` gets SRTCP datagrams, and says why it did not take one, or None.
    """

    def __init__(self, clock: Clock) -> None:
        self.heard_at: float | None = None
        self.dropped: Counter[DropReason] = Counter()
        self.take_rtcp: Callable[[bytes], DropReason | None] = refuse_rtcp
        self._clock = clock
        self._refusals = SlidingWindow(REFUSALS)

    def hear(self) -> None:
        """Note a sign of life."""
        self.heard_at = self._clock.monotonic()

    def may_refuse(self) -> bool:
        """Whether one more stranger may be told that it is one."""
        now = self._clock.monotonic()
        return not self._refusals.is_exhausted(now) and self._refusals.spend(now)


class FilteredUdpPort(StunProtocol):
    """One UDP port of ours, or a TURN server's that relays to us."""

    def __init__(self, receiver: Connection, reception: Reception) -> None:
        super().__init__(receiver)
        self._reception = reception
        self._known: set[Address] = set()

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """Hand on what is meant for us; count the rest. Never raises."""
        dropped = self._take(cast(bytes, data), (addr[0], addr[1]))
        if dropped is not None:
            self._reception.dropped[dropped] += 1

    async def close(self) -> None:
        """Close it soon, whether a TURN server still answers or not."""
        closing = asyncio.create_task(super().close(), name="closing a port")
        await asyncio.wait([closing], timeout=CLOSING_LIMIT)
        internals.give_up_relay(self)
        await closing

    def _take(self, data: bytes, address: Address) -> DropReason | None:
        if not data:
            return DropReason.EMPTY
        if len(data) > LONGEST:
            return DropReason.OVERSIZED
        if data[0] in _STUN:
            return self._take_stun(data, address)
        if data[0] in _DTLS or data[0] in _SRTP:
            return self._take_media(data, address)
        return DropReason.FOREIGN

    def _take_media(self, data: bytes, address: Address) -> DropReason | None:
        """DTLS and SRTCP, from those who have shown that they hold our password.

        A viewer's reports come several times a second: they do not take the way through aioice's queue and aiortc's
        task. Viewers send no media, and RTP is not authentic as RTCP.
        """
        if address not in self._known:
            return DropReason.STRANGER
        if data[0] in _SRTP:
            return self._reception.take_rtcp(data)
        if internals.waiting(self.receiver) >= MAX_WAITING:
            return DropReason.OVERFLOW
        self.receiver.data_received(data, self.local_candidate.component)
        return None

    def _take_stun(self, data: bytes, address: Address) -> DropReason | None:
        message = _parse(data)
        if message is None:
            return DropReason.MALFORMED
        match message.message_class:
            case Class.REQUEST:
                return self._take_request(message, address)
            case Class.RESPONSE | Class.ERROR:
                return self._take_response(message, address)
        return None  # an indication keeps a NAT's mapping alive (RFC 8445 §11), and is not authenticated

    def _take_request(self, message: Message, address: Address) -> DropReason | None:
        if "USERNAME" not in message.attributes or not _holds(message, self.receiver.local_password):
            if self._reception.may_refuse():
                self.receiver.request_received(message, address, self)
            return DropReason.UNAUTHENTICATED
        if "PRIORITY" not in message.attributes:  # aioice relies on it (RFC 8445 §7.1.1)
            return DropReason.MALFORMED
        if address[1] < FIRST_OPEN_PORT:
            return DropReason.MISDIRECTED
        if not self._has_room(address):
            return DropReason.CROWD
        self._hear(address)
        self.receiver.request_received(message, address, self)
        return None

    def _take_response(self, message: Message, address: Address) -> DropReason | None:
        transaction = self.transactions.get(message.transaction_id)
        if transaction is None:
            return DropReason.UNASKED
        if _holds(message, self.receiver.remote_password) and self._has_room(address):
            self._hear(address)
        transaction.response_received(message, address)
        return None

    def _has_room(self, address: Address) -> bool:
        return address in self._known or len(self._known) < MAX_ADDRESSES

    def _hear(self, address: Address) -> None:
        self._known.add(address)
        self._reception.hear()


def _parse(data: bytes) -> Message | None:
    """A STUN message, or None if it is none; aioice's parser stumbles over lengths and texts in its own ways."""
    if data[4:8] != _COOKIE:
        return None
    try:
        return parse_message(data)
    except (ValueError, LookupError, struct.error):
        return None


def _holds(message: Message, password: str | None) -> bool:
    """Whether its sender holds that password (RFC 8489 §9.1)."""
    return password is not None and message.check_message_integrity(password.encode())
