"""Duration and channels of Opus packets, from their first byte (RFC 6716 §3.1)."""

from __future__ import annotations

_FRAME_SAMPLES = ((480, 960, 1920, 2880),) * 3 + ((480, 960, 480, 960),) + ((120, 240, 480, 960),) * 4
"""Samples per frame, indexed by the upper three and the lower two bits of the configuration (RFC 6716 table 2)."""

_STEREO = 0x04


def packet_samples(packet: bytes) -> int:
    """Return a packet's duration in samples at 48 kHz (RFC 6716 §3.1); 0 if it is malformed."""
    if not packet:
        return 0
    configuration, code = packet[0] >> 3, packet[0] & 3
    samples = _FRAME_SAMPLES[configuration >> 2][configuration & 3]
    if code == 3:
        return samples * (packet[1] & 0x3F) if len(packet) > 1 else 0
    return samples * (1 if code == 0 else 2)


def is_stereo(packet: bytes) -> bool:
    """Return whether the packet has two channels."""
    return bool(packet) and bool(packet[0] & _STEREO)
