"""What comes by UDP: the guard in front of a port, and RTCP from a viewer that is authentic."""

from __future__ import annotations

import asyncio
import atexit
import struct
from collections.abc import Iterator

from aioice.stun import COOKIE, Class, Message, Method

from broadcaster.delivery.congestion import CongestionController
from broadcaster.media.rtx import MAX_FRACTION, RtxBudget
from broadcaster.stream.rendition import SHORTEST_INTERVAL, KeyframeGate
from broadcaster.webrtc.feedback import Feedback, nacked_packets
from broadcaster.webrtc.reports import is_keyframe_request, parse_rtcp
from broadcaster.webrtc.udp_port import MAX_QUEUED_DATAGRAMS
from tests.rigs.filtered_port import PASSWORD, STRANGER, VIEWER, PortRig

OURS = 7
"""The SSRC of our video."""

PACKET = 1200
RESERVE = 100_000
"""Bytes that may be repeated at once, beyond the share."""
_LOOP = asyncio.new_event_loop()
atexit.register(_LOOP.close)


def pieces(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Cut into pieces, each with a number in front: number, length (both one byte), and the piece."""
    at = 0
    while at + 2 <= len(data):
        yield data[at], data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + data[at + 1]


def guard(data: bytes) -> None:
    """A stranger gets nothing in; the viewer, who holds our password, breaks nothing."""
    _LOOP.run_until_complete(_guard(data))


async def _guard(data: bytes) -> None:
    rig = PortRig()
    for number, piece in pieces(data):
        waiting, heard = rig.waiting, rig.connection.last_activity_at
        if number & 1:
            if rig.take(_stranger(number, piece), STRANGER) is not None:
                assert rig.connection.last_activity_at == heard
            assert rig.waiting == waiting
        else:
            rig.take(_viewer(rig, number, piece), VIEWER)
            assert rig.waiting <= MAX_QUEUED_DATAGRAMS
        rig.clock.now += 0.01
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _stranger(number: int, piece: bytes) -> bytes:
    """As it is, or behind a header of STUN's."""
    if not number & 2:
        return piece
    kind = (0x0001, 0x0011, 0x0101, 0x0111, 0x0003, 0x0103)[(number >> 2) % 6]
    return struct.pack("!HHI12s", kind, len(piece), COOKIE, b"transaction!") + piece


def _viewer(rig: PortRig, number: int, piece: bytes) -> bytes:
    """As it is, behind STUN's header, or in an attribute of an authenticated message."""
    if not number & 4:
        return _stranger(number, piece)
    message = Message(Method.BINDING, Class.INDICATION if number & 8 else Class.REQUEST)
    message.attributes["USERNAME"] = f"{rig.connection.local_username}:them"
    if number & 16:
        message.attributes["PRIORITY"] = int.from_bytes(piece[:4])
    if number & 32:
        message.attributes["ICE-CONTROLLING"] = int.from_bytes(piece[:8])
    if number & 64:
        message.attributes["USE-CANDIDATE"] = None
    message.attributes["DATA"] = piece
    message.add_message_integrity((PASSWORD if number & 128 else rig.connection.local_password).encode())
    return bytes(message)


def rtcp(data: bytes) -> None:
    """Whatever a viewer reports: keyframes stay apart, repetitions stay a share, figures stay figures."""
    feedback, gate, budget, slow = Feedback(OURS), KeyframeGate(), RtxBudget(), CongestionController()
    now, forced_at, repeated, sent = 1000.0, float("-inf"), 0, 0
    for number, piece in pieces(data):
        now += number / 256
        budget.sent(PACKET * number)
        sent += PACKET * number
        for packet in parse_rtcp(_finished(piece)):
            if is_keyframe_request(packet, OURS):
                gate.request("v1")
            repeated += sum(budget.take(lost, PACKET, now) for lost in nacked_packets(packet, OURS)) * PACKET
            report = feedback.update(packet, int(now * 2**32), number)
            if report is not None:
                slow.report(report, 2_500_000, now)
                _check(feedback)
        if gate.poll(now):
            assert now - forced_at >= SHORTEST_INTERVAL
            forced_at = now
    assert repeated <= sent * MAX_FRACTION + RESERVE


def _finished(piece: bytes) -> bytes:
    """With a header whose length is right, so that more gets through: of each kind that a viewer sends."""
    kinds = (200, 201, 202, 203, 205, 206, 204, 207)
    if len(piece) < 2 or piece[0] & 1:
        return piece
    body = piece[2:] + bytes(-len(piece[2:]) % 4)
    return struct.pack("!BBH", 0x80 | piece[0] >> 1 & 31, kinds[piece[1] & 7], len(body) // 4) + body


def _check(feedback: Feedback) -> None:
    assert 0 <= feedback.loss <= 1
    assert feedback.round_trip is None or 0 <= feedback.round_trip <= 10
    assert feedback.remb is None or feedback.remb >= 0
