"""RTP frames: the packets of one video or audio frame, built once and shared by all viewers.

All viewers share SSRC and timestamp. Viewers whose packets have another layout (size of the SRTP tag, header
extensions) get another serialization of a frame, one for each `PacketLayout`. What differs between viewers with the
same layout (payload type, extension ids, sequence number, key) is written by each viewer's sender into its own copy.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from broadcaster.media.h264 import payloads
from broadcaster.media.opus import is_stereo
from broadcaster.media.packet_format import MARKER, PAYLOAD_TYPE_OFFSET, PacketFormat, PacketLayout
from broadcaster.media.timestamps import AUDIO_RATE, VIDEO_RATE, AudioTimeline, RtpClock, absolute_send_time
from broadcaster.model.stream import AccessUnit, OpusFrame

RTP_HEADER = struct.Struct("!BBHLL")
"""RFC 3550 §5.1: flags, marker and payload type, sequence number, timestamp, SSRC."""

SEQUENCE_OFFSET = 2
"""Byte offset of the sequence number in a packet."""

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
_EXTENSION_HEADER = struct.Struct("!HH")
"""RFC 3550 §5.3.1: profile, and length in 32-bit words."""
_ONE_BYTE_PROFILE = 0xBEDE
_NO_DELAY = bytes(3)
"""playout-delay: minimum and maximum, 12 bits each, in units of 10 ms. With 0, browsers render each frame at once."""

_DELAY_ALLOWED = round(0.4 * 100).to_bytes(3, "big")
"""Maximum 0.4 s: enough for retransmissions, and more than the page requests. It adds about 15 ms of latency."""


@dataclass(frozen=True, slots=True)
class RtpStream:
    """The identity of one media stream, the same for every viewer; `mid` is that of our own offers."""

    ssrc: int
    mid: str


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

    `lengths` are without the tags; `octets` counts only payload bytes. `packet_format` is what `data` has, and
    `delay_offset` where each packet has its playout-delay element (0: nowhere). `ends_frame`: the last packet has the
    marker bit.
    """

    data: memoryview
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]
    batches: tuple[Batch, ...]
    octets: int
    packet_format: PacketFormat
    delay_offset: int
    ends_frame: bool

    def renumber(self, view: memoryview, packet_format: PacketFormat) -> None:
        """Make a copy of `data` at the start of `view` one of another format with the same layout."""
        patches = packet_format.patches(self.delay_offset)
        for batch in self.batches:
            for offset, byte in patches:
                view[batch.start + offset : batch.end : batch.stride] = bytes((byte,)) * batch.packets
        if self.ends_frame:
            view[self.offsets[-1] + PAYLOAD_TYPE_OFFSET] |= MARKER

    def packet(self, index: int, packet_format: PacketFormat) -> bytearray:
        """Return a copy of one packet in a format with the same layout."""
        offset = self.offsets[index]
        packet = bytearray(self.data[offset : offset + self.lengths[index]])
        packet_format.renumber(packet, self.delay_offset)
        return packet


@dataclass(frozen=True, slots=True)
class SerializedFrame:
    """The packets of a frame in one buffer, each followed by space for its SRTP tag.

    `packets` holds offset and length (without tag) of each packet, `header` the number of bytes before each
    payload. Sequence numbers in `data` are zero; its other numbers are those of `packet_format`, see `Burst`.
    """

    data: bytes
    packets: tuple[tuple[int, int], ...]
    header: int
    packet_format: PacketFormat
    delay_offset: int
    _bursts: dict[tuple[int, int], Burst] = field(default_factory=dict, repr=False)

    def burst(self, first: int, end: int) -> Burst:
        """Return the packets `first` to `end` (exclusive); cached, because it is the same for all viewers."""
        burst = self._bursts.get((first, end))
        if burst is None:
            burst = self._bursts[first, end] = self._cut(first, end)
        return burst

    def packet(self, index: int, packet_format: PacketFormat) -> bytearray:
        """Return a copy of one packet in a format with the same layout."""
        offset, length = self.packets[index]
        packet = bytearray(self.data[offset : offset + length])
        packet_format.renumber(packet, self.delay_offset)
        return packet

    def _cut(self, first: int, end: int) -> Burst:
        packets, tag = self.packets[first:end], self.packet_format.layout.tag
        start = packets[0][0]
        stop = packets[-1][0] + packets[-1][1] + tag
        offsets = tuple(offset - start for offset, _ in packets)
        lengths = tuple(length for _, length in packets)
        return Burst(
            memoryview(self.data)[start:stop],
            offsets,
            lengths,
            tuple(_batches(offsets, lengths, tag)),
            sum(lengths) - self.header * len(lengths),
            self.packet_format,
            self.delay_offset,
            ends_frame=end == len(self.packets),
        )


@dataclass(slots=True)
class RtpFrame:
    """The packets of one access unit or Opus frame: payloads, timestamp, and a serialization for each layout.

    `send_time` is what abs-send-time carries: seconds of any clock, as long as it is always the same one.
    """

    stream: RtpStream
    payloads: list[bytes]
    timestamp: int
    send_time: float
    keyframe: bool = False
    _serialized: dict[PacketLayout, SerializedFrame] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> int:
        """Payload bytes of all packets."""
        return sum(map(len, self.payloads))

    def __len__(self) -> int:
        """Return the number of packets."""
        return len(self.payloads)

    def serialize(self, packet_format: PacketFormat) -> SerializedFrame:
        """Return the packets of the frame in this format, or in another one with the same layout; cached."""
        serialized = self._serialized.get(packet_format.layout)
        if serialized is None:
            serialized = self._serialized[packet_format.layout] = self._build(packet_format)
        return serialized

    def _build(self, packet_format: PacketFormat) -> SerializedFrame:
        extensions, delay_offset = self._extensions(packet_format)
        flags = _VERSION | (_EXTENSION_FLAG if extensions else 0)
        tag = packet_format.layout.tag
        parts: list[bytes] = []
        packets: list[tuple[int, int]] = []
        offset = 0
        last = len(self.payloads) - 1
        for index, payload in enumerate(self.payloads):
            marker = MARKER if index == last else 0
            header = RTP_HEADER.pack(flags, packet_format.payload_type | marker, 0, self.timestamp, self.stream.ssrc)
            length = len(header) + len(extensions) + len(payload)
            parts += (header, extensions, payload, bytes(tag))
            packets.append((offset, length))
            offset += length + tag
        header_size = RTP_HEADER.size + len(extensions)
        return SerializedFrame(b"".join(parts), tuple(packets), header_size, packet_format, delay_offset)

    def _extensions(self, packet_format: PacketFormat) -> tuple[bytes, int]:
        """Return the header extension block (RFC 8285 §4.2) and the offset of playout-delay in a packet, or 0.

        The block is empty when no extension is negotiated. playout-delay stays valid until changed, and every viewer
        starts with a keyframe, so keyframes carry it. Where a delay is allowed, which is decided in mid-stream, every
        frame carries it.
        """
        layout, elements, delay_offset = packet_format.layout, b"", 0
        if layout.abs_send_time:
            elements += send_time_element(packet_format.abs_send_time, self.send_time)
        if layout.mid:
            mid = self.stream.mid.encode()
            elements += bytes([layout.mid << 4 | len(mid) - 1]) + mid
        if layout.playout_delay and (self.keyframe or layout.delay_allowed):
            delay_offset = RTP_HEADER.size + _EXTENSION_HEADER.size + len(elements)
            delay = _DELAY_ALLOWED if layout.delay_allowed else _NO_DELAY
            elements += bytes([packet_format.playout_delay << 4 | 2]) + delay
        if not elements:
            return b"", 0
        elements += bytes(-len(elements) % 4)
        return _EXTENSION_HEADER.pack(_ONE_BYTE_PROFILE, len(elements) // 4) + elements, delay_offset


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
