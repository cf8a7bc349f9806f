"""Random input in bulk without a fuzzer: some of it random bytes, most of it mutated real input."""

from __future__ import annotations

import json
import struct
from random import Random

from aioice.stun import COOKIE, Class, Message, Method

from tests.fuzz.targets import MESSAGES

_STUN_KINDS = (0x0001, 0x0011, 0x0101, 0x0111, 0x0003, 0x0113)
_ATTRIBUTES = (0x0001, 0x0006, 0x0008, 0x0009, 0x0012, 0x0013, 0x0020, 0x0024, 0x0025, 0x8022, 0x8028, 0x8029, 0x802A)
_FIELDS = ("id", "sdp", "candidate", "t", "token", "resume", "reason", "type")


def random_datagram(random: Random) -> bytes:
    """Return random bytes, or an invalid STUN, DTLS, SRTCP or RTP packet."""
    kind = random.randrange(6)
    if kind == 0:
        return random.randbytes(random.randrange(120))
    if kind == 1:
        return _mutated(_stun(random), random)
    if kind == 2:
        return _stun(random)
    if kind == 3:
        return _mutated(_dtls(random), random)
    first = 0x80 | random.randrange(4)
    second = random.choice((200, 201, 202, 203, 205, 206)) if kind == 4 else random.randrange(96, 128)
    return bytes([first, second]) + random.randbytes(random.randrange(1, 200))


def random_message(random: Random) -> str:
    """Return random text, random JSON, or a real message with a mutation."""
    kind = random.randrange(4)
    if kind == 0:
        return random.randbytes(random.randrange(200)).decode("utf-8", "replace")
    fields = dict(random.choice(MESSAGES))
    if kind == 1:
        fields = {name: _value(random, 3) for name in random.sample(_FIELDS, random.randrange(len(_FIELDS)))}
    if kind == 2:
        fields[random.choice(_FIELDS)] = _value(random, 3)
    text = json.dumps(fields, ensure_ascii=random.random() < 0.5)
    if kind == 3:
        text = _mutated(text.encode("utf-8", "replace"), random).decode("utf-8", "replace")
    return text.encode("utf-8", "replace").decode()


def _stun(random: Random) -> bytes:
    if random.random() < 0.2:
        message = Message(Method.BINDING, Class.REQUEST)
        message.attributes |= {"USERNAME": "abcd:them", "PRIORITY": 1, "ICE-CONTROLLED": 7}
        message.add_message_integrity(random.randbytes(16))
        return bytes(message)
    body = b""
    for _ in range(random.randrange(4)):
        value = random.randbytes(random.randrange(24))
        body += struct.pack("!HH", random.choice(_ATTRIBUTES), len(value)) + value + bytes(-len(value) % 4)
    return struct.pack("!HHI12s", random.choice(_STUN_KINDS), len(body), COOKIE, random.randbytes(12)) + body


def _dtls(random: Random) -> bytes:
    """Return a DTLS record of any content type (RFC 6347 §4.1)."""
    body = random.randbytes(random.randrange(1, 300))
    epoch, number = random.randrange(3), random.randrange(1 << 16)
    version = random.choice((0xFEFD, 0xFEFF))
    return struct.pack("!BHHHIH", random.randrange(20, 26), version, epoch, 0, number, len(body)) + body


def _mutated(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.randrange(4)):
        at = random.randrange(len(changed) + 1)
        changed[at : at + random.randrange(5)] = random.randbytes(random.randrange(5))
    return bytes(changed)


def _value(random: Random, depth: int) -> object:
    """Return any JSON value; edge cases are frequent."""
    plain: tuple[object, ...] = (
        None, True, 0, -1, 1, 2**53 + 1, 10**30, 1e308, 0.5, "", "x" * 300, "\ud800", "no-frames", random.random(),
    )  # fmt: skip
    if depth and random.random() < 0.3:
        return {random.choice(_FIELDS): _value(random, depth - 1) for _ in range(random.randrange(3))}
    if depth and random.random() < 0.2:
        return [_value(random, depth - 1) for _ in range(random.randrange(4))]
    return random.choice(plain)
