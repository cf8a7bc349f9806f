"""H.264 byte streams: NAL units, keyframes, and their RTP payloads (RFC 6184)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum

START_CODE = b"\x00\x00\x01"
"""H.264 Annex B §B.1; a preceding fourth zero byte counts as padding between NAL units."""


class NalType(IntEnum):
    """The NAL unit types used here: of H.264 table 7-1, and the packet types of RFC 6184 §5.2."""

    SLICE = 1
    IDR = 5
    SEI = 6
    SPS = 7
    PPS = 8
    AUD = 9
    FILLER = 12
    STAP_A = 24
    FU_A = 28


_TYPE_MASK = 0x1F
_NRI_MASK = 0x60
_FU_START = 0x80
_FU_END = 0x40
_OMITTED = frozenset({NalType.AUD, NalType.FILLER})
"""Access unit delimiters and filler carry no information that RTP does not."""


def nal_type(nal: bytes | memoryview) -> int:
    """Return the type of a NAL unit: a `NalType`, or another number from 0 to 31."""
    return nal[0] & _TYPE_MASK


def split_nal_units(stream: bytes) -> Iterator[memoryview]:
    """Yield the NAL units of an Annex B byte stream, without start codes and padding; empty ones are skipped."""
    view = memoryview(stream)
    start = stream.find(START_CODE)
    while start >= 0:
        start += len(START_CODE)
        following = stream.find(START_CODE, start)
        end = len(stream) if following < 0 else following
        while end > start and stream[end - 1] == 0:
            end -= 1
        if end > start:
            yield view[start:end]
        start = following


def is_keyframe(stream: bytes) -> bool:
    """Return whether an access unit is an IDR picture preceded by SPS and PPS, so that a decoder can start with it."""
    seen: set[int] = set()
    for nal in split_nal_units(stream):
        kind = nal_type(nal)
        if kind == NalType.IDR:
            return {NalType.SPS, NalType.PPS} <= seen
        seen.add(kind)
    return False


def payloads(stream: bytes, limit: int) -> list[bytes]:
    """Return the RTP payloads of one access unit, each of at most `limit` bytes (RFC 6184 §5.6 to §5.8).

    Parameter sets and SEI before the picture are aggregated into one STAP-A. Any other unit is sent as it is if it
    fits, else as FU-A fragments, all of which but the last have exactly `limit` bytes.
    """
    result: list[bytes] = []
    aggregated: list[memoryview] = []
    for nal in split_nal_units(stream):
        kind = nal_type(nal)
        if kind in _OMITTED:
            continue
        if kind in (NalType.SPS, NalType.PPS, NalType.SEI) and _stap_size([*aggregated, nal]) <= limit:
            aggregated.append(nal)
            continue
        result += _aggregate(aggregated)
        aggregated = []
        result += [bytes(nal)] if len(nal) <= limit else _fragments(nal, limit)
    return result + _aggregate(aggregated)


def _stap_size(nals: list[memoryview]) -> int:
    """Return the size of a STAP-A of `nals`: one header byte, and a 16-bit size before each (RFC 6184 §5.7.1)."""
    return 1 + sum(2 + len(nal) for nal in nals)


def _aggregate(nals: list[memoryview]) -> list[bytes]:
    """Return the payload for `nals`: one unchanged, several as a STAP-A with the highest of their NRI values."""
    if len(nals) < 2:
        return [bytes(nal) for nal in nals]
    nri = max(nal[0] & _NRI_MASK for nal in nals)
    parts = [bytes([nri | NalType.STAP_A])]
    for nal in nals:
        parts += [struct.pack("!H", len(nal)), bytes(nal)]
    return [b"".join(parts)]


def _fragments(nal: memoryview, limit: int) -> Iterator[bytes]:
    """Yield the FU-A payloads of a NAL unit (RFC 6184 §5.8): indicator and header replace its first byte."""
    indicator = nal[0] & ~_TYPE_MASK & 0xFF | NalType.FU_A
    type_bits = nal_type(nal)
    chunk = limit - 2
    for start in range(1, len(nal), chunk):
        header = type_bits | (_FU_START if start == 1 else 0) | (_FU_END if start + chunk >= len(nal) else 0)
        yield bytes([indicator, header]) + nal[start : start + chunk]
