"""All fuzzed surfaces by name, each with seeds: real input from which the fuzzer starts."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.fuzz import datagrams, media, push, signaling, texts
from tests.unit.player_offers import OFFERS
from tests.unit.signaling_samples import CHROMIUM, PION

CANDIDATE = "candidate:1 1 udp 1677729535 192.0.2.7 50000 typ srflx raddr 192.168.1.9 rport 50000 generation 0"
MESSAGES: Sequence[dict[str, object]] = (
    {"type": "answer", "id": 1, "sdp": CHROMIUM},
    {"type": "candidate", "id": 1, "candidate": {"candidate": CANDIDATE, "sdpMid": "0", "sdpMLineIndex": 0}},
    {"type": "candidate", "id": 1, "candidate": None},
    {"type": "heartbeat", "t": 12.5},
    {"type": "restart", "id": 1, "reason": "no-frames"},
    {"type": "keyframe"},
    {"type": "hello", "token": "x", "resume": "y"},
    {"type": "later", "x": [1, {"y": "\ud83d\ude00"}]},
    {"type": "media"},
    {"type": "bye"},
)


@dataclass(frozen=True, slots=True)
class Target:
    """A surface: `take` raises an exception only if our code has a defect."""

    take: Callable[[bytes], None]
    seeds: Sequence[bytes]


def _chunk(number: int, data: bytes) -> bytes:
    return bytes([number, len(data)]) + data


_LINES = [json.dumps(message).encode() for message in MESSAGES]
_REPORT = bytes(8) + bytes([0, 0, 0, 7, 64]) + bytes(19)
TARGETS = {
    "messages": Target(signaling.messages, [*_LINES, b"\n".join(_LINES)]),
    "answer": Target(signaling.answer, [CHROMIUM.encode(), PION.encode()]),
    "player_offer": Target(signaling.player_offer, [offer.encode() for offer in OFFERS.values()]),
    "candidate": Target(signaling.candidate, [CANDIDATE.encode(), b"candidate:1 1 udp 1 fd00::9 2000 typ host"]),
    "link": Target(signaling.link, [b"guest", b"A" * 60]),
    "udp_port": Target(
        datagrams.udp_port,
        [b"".join(_chunk(number, bytes([22, 254, 253]) + bytes(20)) for number in (20, 0, 1, 52, 84, 148))],
    ),
    "rtcp": Target(
        datagrams.rtcp,
        [
            _chunk(255, b"\x02\x01" + _REPORT),
            _chunk(255, b"\x02\x04" + bytes(7) + b"\x07\0\1\xff\xff") * 4,
            _chunk(99, b"\x02\x05" + bytes(8)) + _chunk(9, b"\x1e\x05" + bytes(8) + b"REMB\1\3\xff\xff\0\0\0\7"),
        ],
    ),
    "h264": Target(
        texts.h264,
        [b"\x20\0\0\0\1\x67\x42\xe0\x1f\xaa\0\0\1\x68\xce\x38\x80\0\0\1\x65" + bytes(range(1, 90)), b"\x09\0\0\1\x61"],
    ),
    "mp4": Target(media.mp4, [media.MOVIE]),
    "muxer": Target(media.muxer, [media.FILM]),
    "recording": Target(media.recording, [media.RECORDING]),
    "media": Target(media.messages, [media.ACKS, b'{"type":"open","ticket":"x"}']),
    "whip_answer": Target(push.whip_answer, push.SEEDS),
    "settings": Target(
        texts.settings,
        [
            b'[video]\nfps = 30\n[web]\nhosts = ["a.b"]\n',
            b"ice.ports=5000-5010\n",
            b'[[push]]\nname="a"\nurl="https://a/b"\n',
        ],
    ),
    "headers": Target(texts.headers, [b"pi.local:8080\nhttp://pi.local:8080", b"[::1]:80\n192.0.2.1, 10.0.0.2:99"]),
    "sound_cards": Target(
        texts.sound_cards,
        [
            b" 1 [Device         ]: USB-Audio - USB PnP Sound Device\n                      C-Media\n"
            b"\x0001-00: USB Audio : USB Audio : playback 1 : capture 1\n",
            b"CHANNELS: [1 2]\n",
            b"arecord: main:831: audio open error: Device or resource busy\n",
        ],
    ),
}
