"""Input over UDP: datagrams at a filtered port, and RTCP from an authenticated viewer."""

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
from tests.rigs.filtered_port import PASSWORD, UNKNOWN, VIEWER, FilteredPortDriver

VIDEO_SSRC = 7
PACKET = 1200
RESERVE = 100_000
"""Bytes that may be retransmitted at once in addition to the fraction."""
_LOOP = asyncio.new_event_loop()
atexit.register(_LOOP.close)


def chunks(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Split `data` into numbered chunks: each has a number and a length (one byte each) in front."""
    at = 0
    while at + 2 <= len(data):
        yield data[at], data[at + 2 : at + 2 + data[at + 1]]
        at += 2 + data[at + 1]


def udp_port(data: bytes) -> None:
    """Check that datagrams of unknown senders are dropped, and that those of the viewer cause no exception."""
    _LOOP.run_until_complete(_udp_port(data))


async def _udp_port(data: bytes) -> None:
    driver = FilteredPortDriver()
    for number, chunk in chunks(data):
        queued, last_activity = driver.queued, driver.connection.last_activity_at
        if number & 1:
            if driver.take(_from_unknown_sender(number, chunk), UNKNOWN) is not None:
                assert driver.connection.last_activity_at == last_activity
            assert driver.queued == queued
        else:
            driver.take(_from_viewer(driver, number, chunk), VIEWER)
            assert driver.queued <= MAX_QUEUED_DATAGRAMS
        driver.clock.now += 0.01
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _from_unknown_sender(number: int, chunk: bytes) -> bytes:
    """Return the chunk as it is, or with a STUN header."""
    if not number & 2:
        return chunk
    kind = (0x0001, 0x0011, 0x0101, 0x0111, 0x0003, 0x0103)[(number >> 2) % 6]
    return struct.pack("!HHI12s", kind, len(chunk), COOKIE, b"transaction!") + chunk


def _from_viewer(driver: FilteredPortDriver, number: int, chunk: bytes) -> bytes:
    """Return the chunk as it is, with a STUN header, or in an attribute of an authenticated message."""
    if not number & 4:
        return _from_unknown_sender(number, chunk)
    message = Message(Method.BINDING, Class.INDICATION if number & 8 else Class.REQUEST)
    message.attributes["USERNAME"] = f"{driver.connection.local_username}:them"
    if number & 16:
        message.attributes["PRIORITY"] = int.from_bytes(chunk[:4])
    if number & 32:
        message.attributes["ICE-CONTROLLING"] = int.from_bytes(chunk[:8])
    if number & 64:
        message.attributes["USE-CANDIDATE"] = None
    message.attributes["DATA"] = chunk
    message.add_message_integrity((PASSWORD if number & 128 else driver.connection.local_password).encode())
    return bytes(message)


def rtcp(data: bytes) -> None:
    """Check that reports of a viewer never exceed the limits of keyframes, retransmissions and statistics."""
    feedback, gate, budget, congestion = Feedback(VIDEO_SSRC), KeyframeGate(), RtxBudget(), CongestionController()
    now, forced_at, retransmitted, sent = 1000.0, float("-inf"), 0, 0
    for number, chunk in chunks(data):
        now += number / 256
        budget.sent(PACKET * number)
        sent += PACKET * number
        for packet in parse_rtcp(_with_header(chunk)):
            if is_keyframe_request(packet, VIDEO_SSRC):
                gate.request("v1")
            retransmitted += sum(budget.take(lost, PACKET, now) for lost in nacked_packets(packet, VIDEO_SSRC)) * PACKET
            report = feedback.update(packet, int(now * 2**32), number)
            if report is not None:
                congestion.report(report, 2_500_000, now)
                _check_ranges(feedback)
        if gate.poll(now):
            assert now - forced_at >= SHORTEST_INTERVAL
            forced_at = now
    assert retransmitted <= sent * MAX_FRACTION + RESERVE


def _with_header(chunk: bytes) -> bytes:
    """Add a header of some RTCP type with the correct length, so that more input passes the parser."""
    types = (200, 201, 202, 203, 205, 206, 204, 207)
    if len(chunk) < 2 or chunk[0] & 1:
        return chunk
    body = chunk[2:] + bytes(-len(chunk[2:]) % 4)
    return struct.pack("!BBH", 0x80 | chunk[0] >> 1 & 31, types[chunk[1] & 7], len(body) // 4) + body


def _check_ranges(feedback: Feedback) -> None:
    assert 0 <= feedback.loss <= 1
    assert feedback.round_trip is None or 0 <= feedback.round_trip <= 10
    assert feedback.remb is None or feedback.remb >= 0
