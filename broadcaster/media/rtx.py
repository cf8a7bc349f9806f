"""Retransmission: what was sent to a viewer, and a lost packet as its RTX stream repeats it (RFC 4588)."""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections import deque
from dataclasses import dataclass
from operator import itemgetter

from broadcaster.media.rtp import MAX_PACKET, RTP_HEADER, SEND_TIME_OFFSET, PacketFormat, RtpFrame, send_time_element

KEPT_SECONDS = 2.0
"""How long frames stay for retransmission: longer than a browser waits for a lost packet."""

SHARE = 0.3
"""Repetitions at most, as a share of the bytes that are sent for the first time."""

COPIES = 2
"""How often a lost packet is repeated at once: a repeat that is lost too costs the viewer another tenth of a second."""

PLENTY = 0.5
"""Share of the reserve below which there is one copy only: all that was lost once comes before anything comes twice."""

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
        unwrapped = self.next - ((self.next - sequence) & 0xFFFF or 0x10000)
        index = bisect_right(self._sent, unwrapped, key=itemgetter(0)) - 1
        if index < 0:
            return None
        first, frame = self._sent[index]
        offset = unwrapped - first
        return (frame, offset) if offset < len(frame) else None


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

    def take(self, number: int, size: int, now: float) -> int:
        """How often the packet `number` of `size` bytes may be repeated now, 0 to `COPIES`; this counts as done."""
        if now - self._repeated.get(number, float("-inf")) < self.round_trip or self._allowance < size:
            self.refused += 1
            return 0
        self._forget(now)
        self._repeated.pop(number, None)
        self._repeated[number] = now
        copies = COPIES if self._allowance >= _RESERVE * PLENTY else 1
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
