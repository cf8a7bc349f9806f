"""Packet formats: how one viewer's RTP packets are laid out and numbered, as its SDP negotiated."""

from __future__ import annotations

from typing import NamedTuple

PAYLOAD_TYPE_OFFSET = 1
"""Byte offset of marker bit and payload type in a packet (RFC 3550 §5.1)."""

SEND_TIME_OFFSET = 16
"""Byte offset of the abs-send-time element, where negotiated: directly after the header of the extension block."""

MARKER = 0x80

Patch = tuple[int, int]
"""An offset in a packet, and the byte that belongs there."""


class PacketLayout(NamedTuple):
    """Everything that decides at which offset a packet has what: bytes of the SRTP tag, and which extensions it has.

    `mid` is the extension's id (0: not negotiated). With `delay_allowed`, for networks that lose packets, the browser
    may delay frames until lost packets are retransmitted.

    Viewers with equal layouts share a frame's serialization. This is a tuple because it is hashed for each burst, which
    costs only 10 ns more than hashing by identity; interned objects would need a table, which clients could fill.
    """

    tag: int
    mid: int = 0
    abs_send_time: bool = False
    playout_delay: bool = False
    delay_allowed: bool = False


class PacketFormat(NamedTuple):
    """The packet format negotiated with a viewer: the layout, and the numbers in it, extension ids among them.

    The order of formats keeps equal layouts together.
    """

    layout: PacketLayout
    payload_type: int
    abs_send_time: int = 0
    playout_delay: int = 0

    @classmethod
    def of(
        cls, tag: int, payload_type: int, *, mid: int = 0, abs_send_time: int = 0, playout_delay: int = 0
    ) -> PacketFormat:
        """Return the format with these extension ids (0: not negotiated)."""
        layout = PacketLayout(tag, mid, bool(abs_send_time), bool(playout_delay))
        return cls(layout, payload_type, abs_send_time, playout_delay)

    def with_delay_allowed(self) -> PacketFormat:
        """Return this format for a network that loses packets."""
        tag, mid, abs_send_time, playout_delay, _ = self.layout
        layout = PacketLayout(tag, mid, abs_send_time, playout_delay, delay_allowed=True)
        return PacketFormat(layout, self.payload_type, self.abs_send_time, self.playout_delay)

    def patches(self, delay_offset: int) -> list[Patch]:
        """Return the bytes in which packets of this format differ from others with the same layout.

        `delay_offset` is where a packet has its playout-delay element; 0: nowhere. The marker bit is not included.
        """
        patches = [(PAYLOAD_TYPE_OFFSET, self.payload_type)]
        if self.abs_send_time:
            patches.append((SEND_TIME_OFFSET, self.abs_send_time << 4 | 2))
        if delay_offset:
            patches.append((delay_offset, self.playout_delay << 4 | 2))
        return patches

    def renumber(self, packet: bytearray, delay_offset: int) -> None:
        """Make a packet of another format with the same layout one of this format."""
        marker = packet[PAYLOAD_TYPE_OFFSET] & MARKER
        for offset, byte in self.patches(delay_offset):
            packet[offset] = byte
        packet[PAYLOAD_TYPE_OFFSET] |= marker
