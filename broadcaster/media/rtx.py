"""Retransmission to one viewer: the packets sent recently, on an RTX stream (RFC 4588) or unchanged, and a budget."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from operator import attrgetter, itemgetter

from broadcaster.media.packet_format import MARKER, SEND_TIME_OFFSET, PacketFormat
from broadcaster.media.rtp import MAX_PACKET, RTP_HEADER, SEQUENCE_OFFSET, Burst, RtpFrame, send_time_element

HISTORY_SECONDS = 2.0
"""Seconds for which sent frames remain available: longer than a browser waits for a lost packet."""

HISTORY_PACKETS = 1000
"""Packets that remain available without RTX: libsrtp protects a number again within aiortc's window of 1024 only."""

MAX_FRACTION = 0.3
"""Maximum retransmitted bytes, as a fraction of the bytes sent for the first time."""

COPIES = 2
"""Copies of each retransmission: losing a single copy would cost the viewer another 0.1 s."""

_SINGLE_COPY_BELOW = 0.5
"""Fraction of the maximum budget below which one copy is sent: each lost packet once has priority over copies."""

_MAX_BUDGET = 100_000
"""Maximum unused budget in bytes: enough to retransmit a lost keyframe at once."""

_INITIAL_ROUND_TRIP = 0.02
"""Round-trip time in seconds until RTCP reports give the measured one."""

_EXTENSION_FLAG = 0x10
_EXTENSION_HEADER = 4


class SentFrames:
    """The frames recently sent to one viewer, indexed by sequence number; all viewers share the frames themselves.

    Callers use 16-bit sequence numbers; internally each frame is stored with the unwrapped number of its first packet.
    """

    def __init__(self, first_sequence: int) -> None:
        self.next = first_sequence
        self._sent: deque[tuple[int, RtpFrame]] = deque()

    def begin(self, frame: RtpFrame) -> None:
        """Record `frame`, whose packets take the next sequence numbers."""
        sent, oldest = self._sent, frame.send_time - HISTORY_SECONDS
        while sent and sent[0][1].send_time < oldest:
            sent.popleft()
        sent.append((self.next, frame))
        self.next += len(frame.payloads)

    def find(self, sequence: int) -> tuple[RtpFrame, int] | None:
        """Return the frame and the packet index that had this 16-bit number; None if it is no longer available."""
        unwrapped = _unwrap(sequence, self.next)
        index = bisect_right(self._sent, unwrapped, key=itemgetter(0)) - 1
        if index < 0:
            return None
        first, frame = self._sent[index]
        offset = unwrapped - first
        return (frame, offset) if offset < len(frame) else None


def _unwrap(sequence: int, next: int) -> int:
    """Return the unwrapped number of the latest packet before `next` that has this 16-bit number."""
    return next - ((next - sequence) & 0xFFFF or 0x10000)


@dataclass(slots=True)  # not frozen: that would take three times as long to create
class _SentBurst:
    """A burst that was sent: the unwrapped number of its first packet, and the abs-send-time that replaced its own."""

    first: int
    sent_at: float
    burst: Burst
    packet_format: PacketFormat
    send_time: bytes | None


class SentPackets:
    """The packets recently sent to one viewer without RTX: the same packets are sent again.

    Their plaintexts are shared with other viewers, and built again exactly as they were: protecting one under its old
    number gives the same bytes. Different plaintexts must never be protected under one sequence number (RFC 7714 §8.1).
    """

    def __init__(self) -> None:
        self._bursts: deque[_SentBurst] = deque()
        self._next = 0

    def add(self, first: int, burst: Burst, packet_format: PacketFormat, send_time: bytes | None, now: float) -> None:
        """Remember a burst sent in this format; `first` is the unwrapped number of its first packet."""
        bursts = self._bursts
        bursts.append(_SentBurst(first, now, burst, packet_format, send_time))
        self._next = first + len(burst.offsets)
        while bursts[0].sent_at < now - HISTORY_SECONDS or bursts[0].first < self._next - HISTORY_PACKETS:
            bursts.popleft()

    def find(self, sequence: int) -> bytes | None:
        """Return the unprotected packet that had this 16-bit number; None if it is no longer available."""
        unwrapped = _unwrap(sequence, self._next)
        index = bisect_right(self._bursts, unwrapped, key=attrgetter("first")) - 1
        if index < 0:
            return None
        sent = self._bursts[index]
        number = unwrapped - sent.first
        if number >= len(sent.burst.offsets):
            return None
        packet = sent.burst.packet(number, sent.packet_format)
        struct.pack_into("!H", packet, SEQUENCE_OFFSET, unwrapped & 0xFFFF)
        if sent.send_time is not None:
            packet[SEND_TIME_OFFSET : SEND_TIME_OFFSET + 4] = sent.send_time
        return bytes(packet)


@dataclass(frozen=True, slots=True)
class RtxStream:
    """The identity of the retransmission stream (RFC 4588 §4), the same for every viewer."""

    ssrc: int
    payload_type: int


def retransmission(
    stream: RtxStream, frame: RtpFrame, packet_format: PacketFormat, index: int, lost: int, sequence: int, now: float
) -> bytes:
    """Return packet `index` of `frame`, first sent as number `lost`, as packet `sequence` of the RTX stream.

    Header and extensions are copied, except that abs-send-time is `now`; the payload begins with the lost number.
    """
    packet = frame.serialize(packet_format).packet(index, packet_format)
    flags, type_and_marker, _, timestamp, _ = RTP_HEADER.unpack_from(packet)
    header = RTP_HEADER.pack(
        flags, stream.payload_type | type_and_marker & MARKER, sequence & 0xFFFF, timestamp, stream.ssrc
    )
    extensions = packet[RTP_HEADER.size : _payload_offset(packet)]
    if packet_format.abs_send_time:
        start = SEND_TIME_OFFSET - RTP_HEADER.size
        element = send_time_element(packet_format.abs_send_time, now)
        extensions = extensions[:start] + element + extensions[start + len(element) :]
    return b"".join((header, extensions, struct.pack("!H", lost), packet[_payload_offset(packet) :]))


def _payload_offset(packet: bytes | bytearray) -> int:
    """Return the offset of the payload: after the fixed header and, if there is one, the extension block."""
    if not packet[0] & _EXTENSION_FLAG:
        return RTP_HEADER.size
    (words,) = struct.unpack_from("!H", packet, RTP_HEADER.size + 2)
    return RTP_HEADER.size + _EXTENSION_HEADER + 4 * int(words)


class RtxBudget:
    """Limits retransmission to a fraction of the sent bytes, and to once per packet and round trip.

    The limit is needed because one NACK of 1200 bytes can request five thousand packets. `packets` counts those
    retransmitted, `refused` those that the budget did not allow.
    """

    def __init__(self) -> None:
        self.packets = 0
        self.refused = 0
        self.round_trip = _INITIAL_ROUND_TRIP
        self._available = float(_MAX_BUDGET)
        self._retransmitted_at: dict[int, float] = {}

    @property
    def is_spent(self) -> bool:
        """Whether the budget does not allow another packet of full size now."""
        return self._available < MAX_PACKET

    def sent(self, size: int) -> None:
        """Count `size` bytes sent for the first time."""
        available = self._available + size * MAX_FRACTION
        self._available = available if available < _MAX_BUDGET else _MAX_BUDGET

    def take(self, sequence: int, size: int, now: float, max_copies: int = COPIES) -> int:
        """Return how many copies of a packet may be sent now, 0 to `max_copies`, and deduct them from the budget."""
        if now - self._retransmitted_at.get(sequence, float("-inf")) < self.round_trip or self._available < size:
            self.refused += 1
            return 0
        self._forget_old(now)
        self._retransmitted_at.pop(sequence, None)
        self._retransmitted_at[sequence] = now
        copies = max_copies if self._available >= _MAX_BUDGET * _SINGLE_COPY_BELOW else 1
        self._available -= copies * size
        self.packets += 1
        return copies

    def _forget_old(self, now: float) -> None:
        """Remove old entries of `_retransmitted_at`, which is in order of time."""
        while self._retransmitted_at:
            sequence, retransmitted_at = next(iter(self._retransmitted_at.items()))
            if now - retransmitted_at < HISTORY_SECONDS:
                return
            del self._retransmitted_at[sequence]
