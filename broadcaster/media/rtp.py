"""RTP frames: the packets of one video or audio frame, built once and shared by all viewers.

All viewers share SSRC, payload type and timestamp. Viewers that negotiated different packet formats (size of the
SRTP tag, header extensions) get different serializations of a frame, one for each `PacketFormat`. What differs
between viewers with the same format (sequence number, key) is written by each viewer's sender into its own copy.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from broadcaster.media.h264 import payloads
from broadcaster.media.opus import is_stereo
from broadcaster.media.timestamps import AUDIO_RATE, VIDEO_RATE, AudioTimeline, RtpClock, absolute_send_time
from broadcaster.model.stream import AccessUnit, OpusFrame

RTP_HEADER = struct.Struct("!BBHLL")
"""RFC 3550 §5.1: flags, marker and payload type, sequence number, timestamp, SSRC."""

SEQUENCE_OFFSET = 2
"""Byte offset of the sequence number in a packet."""

SEND_TIME_OFFSET = 16
"""Byte offset of the abs-send-time element, where negotiated: directly after the header of the extension block."""

MAX_PACKET = 1200
"""Maximum size of an SRTP packet in bytes: passes through VPNs and IPv6 tunnels unfragmented."""

_MAX_TAG = 16
"""Bytes of the longest SRTP authentication tag, that of AES-GCM (RFC 7714 §5.2)."""

_MAX_EXTENSIONS = 4 + 12
"""One-byte extension header (RFC 8285 §4.2), then mid (2), abs-send-time (4) and playout-delay (4), padded."""

_RTX_SEQUENCE = 2
"""Bytes of the original sequence number, with which the payload of a retransmission begins (RFC 4588 §4)."""

MAX_PAYLOAD = MAX_PACKET - RTP_HEADER.size - _MAX_EXTENSIONS - _RTX_SEQUENCE - _MAX_TAG
"""Maximum payload in bytes. It is the same for every packet format: all fragments but the last have this size."""

_VERSION = 0x80
_EXTENSION_FLAG = 0x10
_MARKER = 0x80
_ONE_BYTE_PROFILE = 0xBEDE
_NO_DELAY = bytes(3)
"""playout-delay: minimum and maximum, 12 bits each, in units of 10 ms. With 0, browsers render each frame at once."""

_DELAY_ALLOWED = round(0.4 * 100).to_bytes(3, "big")
"""Maximum 0.4 s: enough for retransmissions, and more than the page requests. It adds about 15 ms of latency."""


@dataclass(frozen=True, slots=True)
class RtpStream:
    """The identity of one media stream, the same for every viewer."""

    ssrc: int
    payload_type: int
    mid: str


class PacketFormat(NamedTuple):
    """The packet layout negotiated with a viewer: bytes of the SRTP tag, and extension ids (0 = not negotiated).

    With `delay_allowed`, for networks that lose packets, the browser may delay frames until lost packets are
    retransmitted.

    Viewers with equal formats share a frame's serialization. This is a tuple because it is hashed for each burst, which
    costs only 10 ns more than hashing by identity; interned objects would need a table, which clients could fill.
    """

    tag: int
    mid: int = 0
    abs_send_time: int = 0
    playout_delay: int = 0
    delay_allowed: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Bytes `start` to `end` of a burst, sent by one system call: `packets` packets of `stride` bytes, tags included.

    The kernel splits them (UDP GSO): all have the same size, except that the last may be shorter.
    """

    start: int
    end: int
    stride: int
    packets: int


@dataclass(frozen=True, slots=True)
class Burst:
    """Consecutive packets of a frame that are sent together; offsets are relative to the burst's first byte.

    `lengths` are without the tags; `octets` counts only payload bytes.
    """

    data: memoryview
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]
    batches: tuple[Batch, ...]
    octets: int


@dataclass(frozen=True, slots=True)
class SerializedFrame:
    """The packets of a frame in one buffer, each followed by space for its SRTP tag.

    `packets` holds offset and length (without tag) of each packet, `header` the number of bytes before each
    payload. Sequence numbers in `data` are zero.
    """

    data: bytes
    packets: tuple[tuple[int, int], ...]
    header: int
    tag: int
    _bursts: dict[tuple[int, int], Burst] = field(default_factory=dict, repr=False)

    def burst(self, first: int, end: int) -> Burst:
        """Return the packets `first` to `end` (exclusive); cached, because it is the same for all viewers."""
        burst = self._bursts.get((first, end))
        if burst is None:
            burst = self._bursts[first, end] = self._cut(first, end)
        return burst

    def _cut(self, first: int, end: int) -> Burst:
        packets = self.packets[first:end]
        start = packets[0][0]
        stop = packets[-1][0] + packets[-1][1] + self.tag
        offsets = tuple(offset - start for offset, _ in packets)
        lengths = tuple(length for _, length in packets)
        octets = sum(lengths) - self.header * len(lengths)
        batches = tuple(_batches(offsets, lengths, self.tag))
        return Burst(memoryview(self.data)[start:stop], offsets, lengths, batches, octets)


@dataclass(slots=True)
class RtpFrame:
    """The packets of one access unit or Opus frame: payloads, timestamp, and a serialization for each packet format.

    `send_time` is what abs-send-time carries: seconds of any clock, as long as it is always the same one.
    """

    stream: RtpStream
    payloads: list[bytes]
    timestamp: int
    send_time: float
    keyframe: bool = False
    _serialized: dict[PacketFormat, SerializedFrame] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> int:
        """Payload bytes of all packets."""
        return sum(map(len, self.payloads))

    def __len__(self) -> int:
        """Return the number of packets."""
        return len(self.payloads)

    def serialize(self, packet_format: PacketFormat) -> SerializedFrame:
        """Return the packets of the frame in this format; cached, because viewers share them."""
        serialized = self._serialized.get(packet_format)
        if serialized is None:
            serialized = self._serialized[packet_format] = self._build(packet_format)
        return serialized

    def _build(self, packet_format: PacketFormat) -> SerializedFrame:
        extensions = self._extensions(packet_format)
        flags = _VERSION | (_EXTENSION_FLAG if extensions else 0)
        tag = bytes(packet_format.tag)
        parts: list[bytes] = []
        packets: list[tuple[int, int]] = []
        offset = 0
        last = len(self.payloads) - 1
        for index, payload in enumerate(self.payloads):
            marker = _MARKER if index == last else 0
            header = RTP_HEADER.pack(flags, self.stream.payload_type | marker, 0, self.timestamp, self.stream.ssrc)
            length = len(header) + len(extensions) + len(payload)
            parts += (header, extensions, payload, tag)
            packets.append((offset, length))
            offset += length + packet_format.tag
        return SerializedFrame(b"".join(parts), tuple(packets), RTP_HEADER.size + len(extensions), packet_format.tag)

    def _extensions(self, packet_format: PacketFormat) -> bytes:
        """Return the header extension block (RFC 8285 §4.2); empty when none is negotiated.

        playout-delay stays valid until changed, and every viewer starts with a keyframe, so keyframes carry it.
        Where a delay is allowed, which is decided in mid-stream, every frame carries it.
        """
        elements = b""
        if packet_format.abs_send_time:
            elements += send_time_element(packet_format.abs_send_time, self.send_time)
        if packet_format.mid:
            mid = self.stream.mid.encode()
            elements += bytes([packet_format.mid << 4 | len(mid) - 1]) + mid
        if packet_format.playout_delay and (self.keyframe or packet_format.delay_allowed):
            delay = _DELAY_ALLOWED if packet_format.delay_allowed else _NO_DELAY
            elements += bytes([packet_format.playout_delay << 4 | 2]) + delay
        if not elements:
            return b""
        elements += bytes(-len(elements) % 4)
        return struct.pack("!HH", _ONE_BYTE_PROFILE, len(elements) // 4) + elements


def send_time_element(id: int, send_time: float) -> bytes:
    """Return the abs-send-time element of the extension block: four bytes; `id` is the negotiated one."""
    return bytes([id << 4 | 2]) + absolute_send_time(send_time).to_bytes(3, "big")


def _batches(offsets: Sequence[int], lengths: Sequence[int], tag: int) -> Iterator[Batch]:
    """Yield runs of packets of equal size, of which only the last may be shorter; a longer packet starts a new run."""
    first = 0
    while first < len(lengths):
        end = first + 1
        while end < len(lengths) and lengths[end] == lengths[first]:
            end += 1
        if end < len(lengths) and lengths[end] < lengths[first]:
            end += 1
        yield Batch(offsets[first], offsets[end - 1] + lengths[end - 1] + tag, lengths[first] + tag, end - first)
        first = end


class Packetizer:
    """Builds RTP frames of one video and one audio stream, both on the same capture clock.

    `stereo`: whether the latest Opus packet had two channels; true before the first one.
    """

    def __init__(self, video: RtpStream, audio: RtpStream) -> None:
        self.video = video
        self.audio = audio
        self.stereo = True
        self.video_clock = RtpClock(VIDEO_RATE, random.getrandbits(32))
        self.audio_clock = RtpClock(AUDIO_RATE, random.getrandbits(32))
        self._audio_timeline = AudioTimeline(self.audio_clock)

    def packetize_video(self, unit: AccessUnit, now: float) -> RtpFrame | None:
        """Return the RTP frame of an access unit sent at `now`; None when it contains nothing to send."""
        nal_payloads = payloads(unit.data, MAX_PAYLOAD)
        if not nal_payloads:
            return None
        return RtpFrame(self.video, nal_payloads, self.video_clock.at(unit.captured), now, unit.keyframe)

    def packetize_audio(self, frame: OpusFrame, now: float) -> RtpFrame:
        """Return the RTP frame of an Opus frame sent at `now`; always one packet (RFC 7587 §4.2)."""
        self.stereo = is_stereo(frame.data)
        return RtpFrame(self.audio, [frame.data], self._audio_timeline.at(frame.captured), now)
