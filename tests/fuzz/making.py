"""Input by the million, without a fuzzer: some of it random, most of it real input gone wrong."""

from __future__ import annotations

import json
import struct
from random import Random

from aioice.stun import COOKIE, Class, Message, Method

from tests.fuzz.targets import MESSAGES

_STUN_KINDS = (0x0001, 0x0011, 0x0101, 0x0111, 0x0003, 0x0113)
_ATTRIBUTES = (0x0001, 0x0006, 0x0008, 0x0009, 0x0012, 0x0013, 0x0020, 0x0024, 0x0025, 0x8022, 0x8028, 0x8029, 0x802A)
_FIELDS = ("id", "sdp", "candidate", "t", "token", "resume", "reason", "type")


def make_datagram(chance: Random) -> bytes:
    """Random bytes, STUN, DTLS, SRTCP or RTP, each with something wrong."""
    kind = chance.randrange(6)
    if kind == 0:
        return chance.randbytes(chance.randrange(120))
    if kind == 1:
        return _mutated(_stun(chance), chance)
    if kind == 2:
        return _stun(chance)
    if kind == 3:
        return _mutated(_dtls(chance), chance)
    first = 0x80 | chance.randrange(4)
    second = chance.choice((200, 201, 202, 203, 205, 206)) if kind == 4 else chance.randrange(96, 128)
    return bytes([first, second]) + chance.randbytes(chance.randrange(1, 200))


def make_message(chance: Random) -> str:
    """Random text, random JSON, or a real message with something wrong."""
    kind = chance.randrange(4)
    if kind == 0:
        return chance.randbytes(chance.randrange(200)).decode("utf-8", "replace")
    fields = dict(chance.choice(MESSAGES))
    if kind == 1:
        fields = {name: _value(chance, 3) for name in chance.sample(_FIELDS, chance.randrange(len(_FIELDS)))}
    if kind == 2:
        fields[chance.choice(_FIELDS)] = _value(chance, 3)
    text = json.dumps(fields, ensure_ascii=chance.random() < 0.5)
    if kind == 3:
        text = _mutated(text.encode("utf-8", "replace"), chance).decode("utf-8", "replace")
    return text.encode("utf-8", "replace").decode()


def _stun(chance: Random) -> bytes:
    if chance.random() < 0.2:
        message = Message(Method.BINDING, Class.REQUEST)
        message.attributes |= {"USERNAME": "abcd:them", "PRIORITY": 1, "ICE-CONTROLLED": 7}
        message.add_message_integrity(chance.randbytes(16))
        return bytes(message)
    body = b""
    for _ in range(chance.randrange(4)):
        value = chance.randbytes(chance.randrange(24))
        body += struct.pack("!HH", chance.choice(_ATTRIBUTES), len(value)) + value + bytes(-len(value) % 4)
    return struct.pack("!HHI12s", chance.choice(_STUN_KINDS), len(body), COOKIE, chance.randbytes(12)) + body


def _dtls(chance: Random) -> bytes:
    """A record of any content type (RFC 6347 §4.1)."""
    body = chance.randbytes(chance.randrange(1, 300))
    epoch, number = chance.randrange(3), chance.randrange(1 << 16)
    version = chance.choice((0xFEFD, 0xFEFF))
    return struct.pack("!BHHHIH", chance.randrange(20, 26), version, epoch, 0, number, len(body)) + body


def _mutated(data: bytes, chance: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(changed) + 1)
        changed[at : at + chance.randrange(5)] = chance.randbytes(chance.randrange(5))
    return bytes(changed)


def _value(chance: Random, depth: int) -> object:
    """Any JSON value, with a liking for edges."""
    plain: tuple[object, ...] = (
        None, True, 0, -1, 1, 2**53 + 1, 10**30, 1e308, 0.5, "", "x" * 300, "\ud800", "no-frames", chance.random(),
    )  # fmt: skip
    if depth and chance.random() < 0.3:
        return {chance.choice(_FIELDS): _value(chance, depth - 1) for _ in range(chance.randrange(3))}
    if depth and chance.random() < 0.2:
        return [_value(chance, depth - 1) for _ in range(chance.randrange(4))]
    return chance.choice(plain)
