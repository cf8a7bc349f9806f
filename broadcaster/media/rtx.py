"""Retransmission: what was sent to a viewer, and lost packets again, on an RTX stream (RFC 4588) or as they were."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from operator import attrgetter, itemgetter

from broadcaster.media.rtp import MAX_PACKET, RTP_HEADER, SEND_TIME_OFFSET, PacketFormat, RtpFrame, send_time_element

KEPT_SECONDS = 2.0
"""How long frames stay for retransmission: longer than a browser waits for a lost packet."""

SHARE = 0.3
"""Repetitions at most, as a share of the bytes that are sent for the first time."""

COPIES = 2
"""How often a lost packet is repeated at once: a repeat that is lost too costs the viewer another tenth of a second."""

PLENTY = 0.5
"""Share of the reserve below which there is one copy only: all that was lost once comes before anything comes twice."""

KEPT_BYTES = 1 << 20
"""Protected packets kept at most for a viewer without RTX: two seconds of 4 Mbit/s."""

_RESERVE = 100_000
"""Bytes of budget saved up at most: a lost keyframe can be repeated at once."""

_FIRST_ROUND_TRIP = 0.02
"""Seconds, until reports tell the real one."""

_MARKER = 0x80
_EXTENSION_FLAG = 0x10
_EXTENSION_HEADER = 4


class SentFrames:
    """One viewer's list that finds a packet by its sequence number; the frames themselves are shared by all.

    Sequence numbers go in and out as 16 bits and are kept unwrapped: each frame with that of its first packet.
    """

    def __init__(self, first_sequence: int) -> None:
        self.next = first_sequence
        self._sent: deque[tuple[int, RtpFrame]] = deque()

    def begin(self, frame: RtpFrame) -> None:
        """`frame` begins: its packets have the next numbers, one after the other."""
        sent, oldest = self._sent, frame.send_time - KEPT_SECONDS
        while sent and sent[0][1].send_time < oldest:
            sent.popleft()
        sent.append((self.next, frame))
        self.next += len(frame.payloads)

    def find(self, sequence: int) -> tuple[RtpFrame, int] | None:
        """The frame and the packet in it that had this 16-bit number, if it is still kept."""
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
    """The packet `index` of `frame` again, that had the number `lost`, as number `sequence` of the RTX stream.

    Header and extensions are repeated, abs-send-time is `now`'s, and the payload begins with the lost number.
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
    """Where the payload begins: behind the fixed header and, if there is one, the extension block."""
    if not packet[0] & _EXTENSION_FLAG:
        return RTP_HEADER.size
    (words,) = struct.unpack_from("!H", packet, RTP_HEADER.size + 2)
    return RTP_HEADER.size + _EXTENSION_HEADER + 4 * int(words)


class RtxBudget:
    """How much may be repeated: a share of what is sent, and each packet once in a round trip.

    One NACK of 1200 bytes can ask for five thousand packets. `packets` were repeated, `refused` were not.
    """

    def __init__(self) -> None:
        self.packets = 0
        self.refused = 0
        self.round_trip = _FIRST_ROUND_TRIP
        self._allowance = float(_RESERVE)
        self._repeated: dict[int, float] = {}

    @property
    def is_spent(self) -> bool:
        """Whether a full packet could not be repeated now, whichever it is."""
        return self._allowance < MAX_PACKET

    def sent(self, size: int) -> None:
        """So many bytes were sent for the first time."""
        self._allowance = min(self._allowance + size * SHARE, _RESERVE)

    def take(self, number: int, size: int, now: float, most: int = COPIES) -> int:
        """How often the packet `number` of `size` bytes may be repeated now, 0 to `most`; this counts as done."""
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
        """Keep the record of repetitions short: it is in the order of time."""
        while self._repeated:
            number, repeated_at = next(iter(self._repeated.items()))
            if now - repeated_at < KEPT_SECONDS:
                return
            del self._repeated[number]
