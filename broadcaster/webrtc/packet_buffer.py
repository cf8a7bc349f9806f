"""Encryption of a burst for one viewer after another: the innermost loop of the daemon."""

from __future__ import annotations

import struct
from itertools import repeat
from typing import Any

from broadcaster.media.packet_format import SEND_TIME_OFFSET, PacketFormat
from broadcaster.media.rtp import SEQUENCE_OFFSET, Burst
from broadcaster.webrtc.internals import Srtp, SrtpError, ffi, srtp_protect

_HIGH = bytes(number >> 8 for number in range(1 << 16)) * 2
_LOW = bytes(range(256)) * 512
"""High and low bytes of all sequence numbers, twice: those of consecutive packets are one slice, even at the wrap.
All high bytes of a batch are written at once, then all low bytes."""

_NUMBER = struct.Struct("!H")
_INT = struct.Struct("@i")
"""C's int."""


class PacketBuffer:
    """A buffer in which the packets of a burst are numbered and encrypted in place, for one viewer after another."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray())
        self._burst: Burst | None = None
        self._image = b""
        self._target = self.view
        self._numbers: list[tuple[int, memoryview, memoryview, int]] = []
        self._packets: list[Any] = []
        self._lengths: list[Any] = []

    def protect(
        self, srtp: Srtp, burst: Burst, packet_format: PacketFormat, sequence: int, send_time: bytes | None
    ) -> None:
        """Copy a burst to the start of `view`, number its packets from `sequence`, and encrypt them in place.

        `packet_format` has the burst's layout, and possibly other numbers. `send_time` is an abs-send-time element that
        replaces the burst's own, if given. Raises `SrtpError`.
        This is the innermost loop of the daemon: it runs for each packet and viewer.
        """
        if burst is not self._burst:
            self._load(burst)
        self._target[:] = self._image
        if packet_format != burst.packet_format:
            burst.renumber(self.view, packet_format)
        number = sequence & 0xFFFF
        for start, high, low, packets in self._numbers:
            if packets == 1:
                _NUMBER.pack_into(self.view, start, number & 0xFFFF)
            else:
                high[:], low[:] = _HIGH[number : number + packets], _LOW[number : number + packets]
            number += packets
        if send_time is not None:
            for offset in burst.offsets:
                self.view[offset + SEND_TIME_OFFSET : offset + SEND_TIME_OFFSET + 4] = send_time
        if any(map(srtp_protect, repeat(srtp.handle), self._packets, self._lengths)):
            raise SrtpError("srtp_protect failed")

    def _load(self, burst: Burst) -> None:
        """Prepare what is the same for all viewers of this burst.

        The lengths of its packets, which libsrtp changes, follow the packets in the buffer: one copy resets both.
        """
        start = -(-len(burst.data) // _INT.size) * _INT.size
        self._image = bytes(burst.data).ljust(start, b"\0") + b"".join(map(_INT.pack, burst.lengths))
        if len(self._image) > len(self.view):
            self.view = memoryview(bytearray(len(self._image)))
        view = self.view
        base = ffi.from_buffer(view)
        lengths = ffi.cast("int *", base + start)
        self._burst, self._target = burst, view[: len(self._image)]
        self._packets = [base + offset for offset in burst.offsets]
        self._lengths = [lengths + index for index in range(len(burst.lengths))]
        self._numbers = [
            (
                batch.start + SEQUENCE_OFFSET,
                view[batch.start + SEQUENCE_OFFSET : batch.end : batch.stride],
                view[batch.start + SEQUENCE_OFFSET + 1 : batch.end : batch.stride],
                batch.packets,
            )
            for batch in burst.batches
        ]
