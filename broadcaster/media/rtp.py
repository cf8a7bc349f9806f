"""RTP frames: the packets of one picture or sound frame, made once and shared by all viewers.

All viewers share SSRC, payload type and timestamp. What differs between two *kinds* of viewers (the room for
the SRTP tag, the header extensions in the answer) gives each kind its own image of the frame; what differs
between two viewers of a kind (sequence number, key) is written by each viewer's sender into its own copy.
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
"""Where the sequence number stands in a packet."""

SEND_TIME_OFFSET = 16
"""Where the abs-send-time element stands, if the viewer wants one: right behind the header of the extensions."""

MAX_PACKET = 1200
"""Bytes of one SRTP packet at most: passes through VPNs and IPv6 tunnels unfragmented."""

_MAX_TAG = 16
_MAX_EXTENSIONS = 4 + 12
"""One-byte extension header (RFC 8285 §4.2), then mid (2), abs-send-time (4) and playout-delay (4), padded."""

_RTX_NUMBER = 2
"""A retransmission begins with the number of the lost packet (RFC 4588 §4)."""

MAX_PAYLOAD = MAX_PACKET - RTP_HEADER.size - _MAX_EXTENSIONS - _RTX_NUMBER - _MAX_TAG
"""The same for every kind of viewer, so that every fragment of a picture but the last has one size."""

_VERSION = 0x80
_EXTENSION_FLAG = 0x10
_MARKER = 0x80
_ONE_BYTE_PROFILE = 0xBEDE
_NO_DELAY = bytes(3)
"""playout-delay: minimum and maximum of 12 bits each, in units of 10 ms. With 0 browsers show each picture at once."""

_PATIENT_DELAY = round(0.4 * 100).to_bytes(3, "big")
"""Up to 0.4 s, for repeats of lost packets: longer than the page asks for. It makes a picture some 15 ms later."""


@dataclass(frozen=True, slots=True)
class RtpStream:
    """The identity of one media stream, the same for every viewer."""

    ssrc: int
    payload_type: int
    mid: str


class PacketFormat(NamedTuple):
    """What a viewer's answer asks of the packets: bytes for the SRTP tag, and extension ids (0 = not wanted).

    `patient` is for networks that lose packets: pictures may be held back until those are repeated.
    Viewers with equal formats share a frame's image. A tuple, because each burst looks its image up: hashing one costs
    10 ns more than an object's identity, and there is no table of all formats for clients to fill.
    """

    tag: int
    mid: int = 0
    abs_send_time: int = 0
    playout_delay: int = 0
    patient: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Bytes `start` to `end` of a burst that one system call can send: `packets` of `stride` bytes with their tags.

    The kernel cuts them (UDP GSO): all are equal, but the last may be shorter.
    """

    start: int
    end: int
    stride: int
    packets: int


@dataclass(frozen=True, slots=True)
class Burst:
    """Packets of a frame that are sent together; offsets count from the burst's first byte.

    `lengths` are without the tags, `octets` counts the bytes of payload alone.
    """

    data: memoryview
    offsets: tuple[int, ...]
    lengths: tuple[int, ...]
    batches: tuple[Batch, ...]
    octets: int


@dataclass(frozen=True, slots=True)
class SerializedFrame:
    """The packets of a frame, one behind the other, each followed by room for its SRTP tag.

    `packets` holds offset and length (without tag) of each, `header` is the length of what stands before each
    payload. Sequence numbers in `data` are zero.
    """

    data: bytes
    packets: tuple[tuple[int, int], ...]
    header: int
    tag: int
    _bursts: dict[tuple[int, int], Burst] = field(default_factory=dict, repr=False)

    def burst(self, first: int, end: int) -> Burst:
        """The packets from `first` up to, without, `end`; made at the first call, the same for all viewers."""
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
    """One access unit's or Opus frame's packets: payloads, timestamp, and an image for each kind of viewer.

    `send_time` is the moment, in seconds of any one clock, that abs-send-time states.
    """

    stream: RtpStream
    payloads: list[bytes]
    timestamp: int
    send_time: float
    keyframe: bool = False
    _images: dict[PacketFormat, SerializedFrame] = field(default_factory=dict, repr=False)

    @property
    def size(self) -> int:
        """Bytes of payload."""
        return sum(map(len, self.payloads))

    def __len__(self) -> int:
        """How many packets it has."""
        return len(self.payloads)

    def image(self, kind: PacketFormat) -> SerializedFrame:
        """The frame as viewers of `kind` get it; made at the first call."""
        image = self._images.get(kind)
        if image is None:
            image = self._images[kind] = self._build(kind)
        return image

    def _build(self, kind: PacketFormat) -> SerializedFrame:
        extensions = self._extensions(kind)
        flags = _VERSION | (_EXTENSION_FLAG if extensions else 0)
        room = bytes(kind.tag)
        parts: list[bytes] = []
        packets: list[tuple[int, int]] = []
        offset = 0
        last = len(self.payloads) - 1
        for index, payload in enumerate(self.payloads):
            marker = _MARKER if index == last else 0
            header = RTP_HEADER.pack(flags, self.stream.payload_type | marker, 0, self.timestamp, self.stream.ssrc)
            length = len(header) + len(extensions) + len(payload)
            parts += (header, extensions, payload, room)
            packets.append((offset, length))
            offset += length + kind.tag
        return SerializedFrame(b"".join(parts), tuple(packets), RTP_HEADER.size + len(extensions), kind.tag)

    def _extensions(self, kind: PacketFormat) -> bytes:
        """The header extension block (RFC 8285 §4.2), empty when the viewer wants none.

        playout-delay holds until changed, and every viewer starts with a keyframe: there it stands. Where it is not
        the one that a viewer started with, it stands everywhere.
        """
        elements = b""
        if kind.abs_send_time:
            elements += send_time_element(kind.abs_send_time, self.send_time)
        if kind.mid:
            mid = self.stream.mid.encode()
            elements += bytes([kind.mid << 4 | len(mid) - 1]) + mid
        if kind.playout_delay and (self.keyframe or kind.patient):
            elements += bytes([kind.playout_delay << 4 | 2]) + (_PATIENT_DELAY if kind.patient else _NO_DELAY)
        if not elements:
            return b""
        elements += bytes(-len(elements) % 4)
        return struct.pack("!HH", _ONE_BYTE_PROFILE, len(elements) // 4) + elements


def send_time_element(number: int, send_time: float) -> bytes:
    """The abs-send-time element of the extension block: four bytes, `number` being its id."""
    return bytes([number << 4 | 2]) + absolute_send_time(send_time).to_bytes(3, "big")


def _batches(offsets: Sequence[int], lengths: Sequence[int], tag: int) -> Iterator[Batch]:
    """Runs of equal packets, each ended by at most one shorter; a longer one begins the next run."""
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
    """Makes RTP frames of one video and one audio stream, both on the same capture clock.

    `stereo` says whether the audio is likely to have two channels: the latest packet has, or there was none yet.
    """

    def __init__(self, video: RtpStream, audio: RtpStream) -> None:
        self.video = video
        self.audio = audio
        self.stereo = True
        self.video_clock = RtpClock(VIDEO_RATE, random.getrandbits(32))
        self.audio_clock = RtpClock(AUDIO_RATE, random.getrandbits(32))
        self._audio_timeline = AudioTimeline(self.audio_clock)

    def picture(self, unit: AccessUnit, now: float) -> RtpFrame | None:
        """The RTP frame of an access unit, to be sent at `now`; None when there is nothing in it to send."""
        parts = payloads(unit.data, MAX_PAYLOAD)
        if not parts:
            return None
        return RtpFrame(self.video, parts, self.video_clock.at(unit.captured), now, unit.keyframe)

    def sound(self, frame: OpusFrame, now: float) -> RtpFrame:
        """The RTP frame of an Opus frame, to be sent at `now`; always one packet (RFC 7587 §4.2)."""
        self.stereo = is_stereo(frame.data)
        return RtpFrame(self.audio, [frame.data], self._audio_timeline.at(frame.captured), now)
