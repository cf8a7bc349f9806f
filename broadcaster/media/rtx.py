"""Retransmission: the packets recently sent to a viewer, on an RTX stream (RFC 4588) or unchanged, and its budget."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from operator import attrgetter, itemgetter

from broadcaster.media.rtp import MAX_PACKET, RTP_HEADER, SEND_TIME_OFFSET, PacketFormat, RtpFrame, send_time_element

KEPT_SECONDS = 2.0
"""Seconds for which frames remain available: longer than a browser waits for a lost packet."""

SHARE = 0.3
"""Maximum retransmitted bytes, as a fraction of the bytes sent for the first time."""

COPIES = 2
"""Copies of each retransmission: losing a single one would cost the viewer another tenth of a second."""

PLENTY = 0.5
"""Fraction of the reserve below which only one copy is sent: every lost packet once comes before any packet twice."""

KEPT_BYTES = 1 << 20
"""Protected packets kept at most for a viewer without RTX: two seconds of 4 Mbit/s."""

_RESERVE = 100_000
"""Maximum unused budget in bytes: enough to retransmit a lost keyframe at once."""

_FIRST_ROUND_TRIP = 0.02
"""Round-trip time in seconds until RTCP reports give the measured one."""

_MARKER = 0x80
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
        sent, oldest = self._sent, frame.send_time - KEPT_SECONDS
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
    """The unwrapped number of the last packet before `next` that has this 16-bit number."""
    return next - ((next - sequence) & 0xFFFF or 0x10000)


@dataclass(frozen=True, slots=True)
class _SentBurst:
    """Protected packets one behind the other; `offsets` has one more for the end."""

    first: int
    sent_at: float
    data: bytes
    offsets: tuple[int, ...]


class SentPackets:
    """The protected packets of one viewer that takes no RTX stream: it gets the same bytes again.

    They are kept, not protected again: what a packet contains was decided when it was sent (send time, extensions), and
    no other bytes may ever be protected under its number (RFC 7714 §8.1).
    """

    def __init__(self) -> None:
        self._bursts: deque[_SentBurst] = deque()
        self._bytes = 0
        self._next = 0

    def add(self, first: int, data: bytes, offsets: tuple[int, ...], now: float) -> None:
        """Packets from the number `first` on were sent, each of which begins at one of `offsets` in `data`."""
        self._bursts.append(_SentBurst(first, now, data, (*offsets, len(data))))
        self._bytes += len(data)
        self._next = first + len(offsets)
        while self._bursts and (self._bytes > KEPT_BYTES or self._bursts[0].sent_at < now - KEPT_SECONDS):
            self._bytes -= len(self._bursts.popleft().data)

    def find(self, sequence: int) -> bytes | None:
        """The packet that had this 16-bit number, if it is still kept."""
        unwrapped = _unwrap(sequence, self._next)
        index = bisect_right(self._bursts, unwrapped, key=attrgetter("first")) - 1
        if index < 0:
            return None
        burst = self._bursts[index]
        place = unwrapped - burst.first
        if place + 1 >= len(burst.offsets):
            return None
        return burst.data[burst.offsets[place] : burst.offsets[place + 1]]


@dataclass(frozen=True, slots=True)
class RtxStream:
    """The identity of the retransmission stream (RFC 4588 §4), the same for every viewer."""

    ssrc: int
    payload_type: int


def retransmission(
    stream: RtxStream, frame: RtpFrame, kind: PacketFormat, index: int, lost: int, sequence: int, now: float
) -> bytes:
    """Return packet `index` of `frame`, first sent as number `lost`, as packet `sequence` of the RTX stream.

    Header and extensions are copied, except that abs-send-time is `now`; the payload begins with the lost number.
    """
    image = frame.image(kind)
    offset, length = image.packets[index]
    packet = image.data[offset : offset + length]
    flags, type_and_marker, _, timestamp, _ = RTP_HEADER.unpack_from(packet)
    header = RTP_HEADER.pack(
        flags, stream.payload_type | type_and_marker & _MARKER, sequence & 0xFFFF, timestamp, stream.ssrc
    )
    extensions = packet[RTP_HEADER.size : _payload_offset(packet)]
    if kind.abs_send_time:
        element = SEND_TIME_OFFSET - RTP_HEADER.size
        extensions = extensions[:element] + send_time_element(kind.abs_send_time, now) + extensions[element + 4 :]
    return b"".join((header, extensions, struct.pack("!H", lost), packet[_payload_offset(packet) :]))


def _payload_offset(packet: bytes) -> int:
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
        self.round_trip = _FIRST_ROUND_TRIP
        self._allowance = float(_RESERVE)
        self._repeated: dict[int, float] = {}

    @property
    def is_spent(self) -> bool:
        """Whether the budget does not allow another packet of full size now."""
        return self._allowance < MAX_PACKET

    def sent(self, size: int) -> None:
        """Count `size` bytes sent for the first time."""
        self._allowance = min(self._allowance + size * SHARE, _RESERVE)

    def take(self, number: int, size: int, now: float, most: int = COPIES) -> int:
        """Return how many copies of packet `number` may be sent now, 0 to `most`, and deduct them from the budget."""
        if now - self._repeated.get(number, float("-inf")) < self.round_trip or self._allowance < size:
            self.refused += 1
            return 0
        self._forget(now)
        self._repeated.pop(number, None)
        self._repeated[number] = now
        copies = most if self._allowance >= _RESERVE * PLENTY else 1
        self._allowance -= copies * size
        self.packets += 1
        return copies

    def _forget(self, now: float) -> None:
        """Drop old entries of the record of retransmissions, which is in order of time."""
        while self._repeated:
            number, repeated_at = next(iter(self._repeated.items()))
            if now - repeated_at < KEPT_SECONDS:
                return
            del self._repeated[number]
