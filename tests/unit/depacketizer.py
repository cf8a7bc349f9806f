"""Depacketization of H.264 for tests: RTP payloads of one access unit to an Annex B byte stream."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from broadcaster.media.h264 import START_CODE, NalType, nal_type


def depacketize(parts: list[bytes]) -> bytes:
    """Return the Annex B byte stream of one access unit's payloads: the inverse of `payloads`. Raises ValueError."""
    nals: list[bytearray] = []
    for part in parts:
        kind = nal_type(part) if part else -1
        if kind == NalType.STAP_A:
            nals += _deaggregate(part)
        elif kind == NalType.FU_A:
            _defragment(part, nals)
        elif 1 <= kind <= 23:
            nals.append(bytearray(part))
        else:
            raise ValueError(f"not an RTP payload of H.264: type {kind}")
    return b"".join(b"\x00" + START_CODE + nal for nal in nals)


def _deaggregate(part: bytes) -> Iterator[bytearray]:
    offset = 1
    while offset + 2 <= len(part):
        (size,) = struct.unpack_from("!H", part, offset)
        offset += 2
        if size == 0 or offset + size > len(part):
            raise ValueError("STAP-A is truncated")
        yield bytearray(part[offset : offset + size])
        offset += size


def _defragment(part: bytes, nals: list[bytearray]) -> None:
    if len(part) < 3:
        raise ValueError("FU-A is truncated")
    if part[1] & 0x80:
        nals.append(bytearray([part[0] & ~0x1F & 0xFF | part[1] & 0x1F]))
    if not nals:
        raise ValueError("FU-A without a start")
    nals[-1] += part[2:]
