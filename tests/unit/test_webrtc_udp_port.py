"""The datagram guard: who gets in, and that nothing which comes breaks it."""

import asyncio
import os
import struct

import pytest
from aioice.stun import COOKIE, Class, Message, Method, TransactionFailed
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.webrtc.udp_port import (
    ERROR_RESPONSE_RATE,
    MAX_DATAGRAM,
    MAX_QUEUED_DATAGRAMS,
    MAX_REMOTE_ADDRESSES,
    DropReason,
)
from tests.rigs.filtered_port import STRANGER, VIEWER, PortRig

HELLO = bytes([22, 254, 253]) + bytes(60)  # how a DTLS handshake begins
REPORT = bytes([0x81, 201]) + bytes(30)  # how an RTCP receiver report begins
MEDIA = bytes([0x80, 101]) + bytes(30)  # how an RTP packet begins


@pytest.fixture
async def rig() -> PortRig:
    return PortRig()


def test_numbers_fit_each_other():
    assert MAX_QUEUED_DATAGRAMS * MAX_DATAGRAM < 1 << 20


async def test_an_authenticated_check_lets_an_address_in_and_no_other(rig):
    assert rig.take(HELLO) == rig.take(REPORT) == DropReason.UNKNOWN_SENDER
    assert rig.connection.last_activity_at is None
    assert rig.take(rig.request()) is None
    assert rig.connection.last_activity_at == rig.clock.now
    assert rig.take(HELLO) is None
    for other in (STRANGER, (VIEWER[0], VIEWER[1] + 1), ("192.0.2.8", VIEWER[1])):
        assert rig.take(HELLO, other) == DropReason.UNKNOWN_SENDER
    assert rig.waiting == 1


async def test_srtcp_goes_straight_to_who_can_tell_whether_it_is_authentic(rig):
    heard: list[bytes] = []

    def take(data: bytes) -> DropReason | None:
        heard.append(data)
        return None if data == REPORT else DropReason.UNAUTHENTICATED

    rig.connection.set_rtcp_handler(take)
    assert rig.take(REPORT) == DropReason.UNKNOWN_SENDER
    rig.take(rig.request())
    assert rig.take(REPORT) is None
    assert rig.take(MEDIA) == DropReason.UNAUTHENTICATED
    assert rig.take(REPORT + bytes(MAX_DATAGRAM)) == DropReason.OVERSIZED
    assert heard == [REPORT, MEDIA]
    assert rig.waiting == 0


async def test_before_anybody_listens_no_srtcp_is_authentic(rig):
    rig.take(rig.request())
    assert rig.take(REPORT) == DropReason.UNAUTHENTICATED


async def test_who_is_known_at_one_port_is_a_stranger_at_another(rig):
    rig.take(rig.request())
    rig.port = rig.make_port()
    assert rig.take(HELLO) == DropReason.UNKNOWN_SENDER


async def test_ipv6_addresses_come_with_more_than_host_and_port(rig):
    rig.port.datagram_received(rig.request(), ("2001:db8::7", 40000, 0, 0))
    assert rig.take(HELLO, ("2001:db8::7", 40000, 7, 0)) is None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", DropReason.EMPTY),
        (b"\x40\x00\x00\x00", DropReason.UNKNOWN_PROTOCOL),
        (b"GET / HTTP/1.1\r\n", DropReason.UNKNOWN_PROTOCOL),
        (b"\x10junk", DropReason.UNKNOWN_PROTOCOL),
        (b"\xff" * 20, DropReason.UNKNOWN_PROTOCOL),
        (b"\x00", DropReason.MALFORMED),
        (b"\x00\x01" + bytes(18), DropReason.MALFORMED),
        (struct.pack("!HHI12s", 0x03FF, 0, COOKIE, bytes(12)), DropReason.MALFORMED),
        (struct.pack("!HHI12s", 0x0101, 0, COOKIE, bytes(12)), DropReason.UNSOLICITED),
        (HELLO + bytes(MAX_DATAGRAM), DropReason.OVERSIZED),
        (REPORT + bytes(MAX_DATAGRAM), DropReason.OVERSIZED),
    ],
)
async def test_what_nobody_needs_is_dropped_even_from_the_viewer(rig, data, why):
    rig.take(rig.request())
    assert rig.take(data) == why
    assert rig.waiting == 0


@pytest.mark.parametrize(
    "attribute",
    [
        struct.pack("!HH", 0x0024, 2) + b"ab\0\0",  # PRIORITY of two bytes: struct.error in the parser
        struct.pack("!HH", 0x0006, 4) + b"\xff\xfe\xfd\xfc",  # USERNAME that is no UTF-8
        struct.pack("!HH", 0x0020, 8) + b"\0\x09" + bytes(6),  # an address of no family
        struct.pack("!HH", 0x0024, 400),  # longer than the message
        struct.pack("!HHI", 0x8028, 4, 0),  # a wrong fingerprint
    ],
)
async def test_what_breaks_the_parser_is_only_dropped(rig, attribute):
    message = struct.pack("!HHI12s", 0x0001, len(attribute), COOKIE, bytes(12)) + attribute
    assert rig.take(message) == DropReason.MALFORMED
    assert not rig.wire.sent


async def test_a_check_without_priority_does_not_reach_ice(rig):
    message = Message(Method.BINDING, Class.REQUEST)
    message.attributes["USERNAME"] = f"{rig.connection.local_username}:them"
    message.add_message_integrity(rig.connection.local_password.encode())
    assert rig.take(bytes(message)) == DropReason.MALFORMED
    assert not rig.wire.sent


async def test_strangers_are_refused_a_few_times_a_second_and_then_ignored(rig):
    for port in range(1000):
        assert rig.take(rig.request("x" * 22), (STRANGER[0], port)) == DropReason.UNAUTHENTICATED
    assert len(rig.wire.sent) == ERROR_RESPONSE_RATE.limit
    assert rig.connection.last_activity_at is None
    rig.clock.now += ERROR_RESPONSE_RATE.seconds
    rig.take(bytes(Message(Method.BINDING, Class.REQUEST)), STRANGER)
    assert len(rig.wire.sent) == ERROR_RESPONSE_RATE.limit + 1
    assert rig.take(HELLO, STRANGER) == DropReason.UNKNOWN_SENDER


async def test_the_viewer_is_answered_while_strangers_are_not(rig):
    for _ in range(ERROR_RESPONSE_RATE.limit + 1):
        rig.take(rig.request("x" * 22), STRANGER)
    sent = len(rig.wire.sent)
    assert rig.take(rig.request()) is None
    assert rig.wire.sent[sent:][0][1] == VIEWER


async def test_what_is_too_long_is_not_even_read(rig, monkeypatch):
    """aioice checks each fingerprint over all that is before it, and a stranger can send thousands."""
    monkeypatch.setattr("broadcaster.webrtc.udp_port.parse_message", lambda data: pytest.fail("it was read"))
    assert rig.take(rig.request() + bytes(MAX_DATAGRAM), STRANGER) == DropReason.OVERSIZED
    assert rig.take(rig.request() + bytes(MAX_DATAGRAM)) == DropReason.OVERSIZED


async def test_nobody_watches_from_the_port_of_a_service(rig):
    """A viewer who forges where it comes from would aim our checks there."""
    sent = len(rig.wire.sent)
    assert rig.take(rig.request(), (STRANGER[0], 1023)) == DropReason.PRIVILEGED_PORT
    assert rig.take(HELLO, (STRANGER[0], 1023)) == DropReason.UNKNOWN_SENDER
    assert len(rig.wire.sent) == sent
    assert rig.take(rig.request(), (STRANGER[0], 1024)) is None


async def test_one_viewer_has_so_many_addresses_and_no_more(rig):
    for number in range(MAX_REMOTE_ADDRESSES):
        assert rig.take(rig.request(), (VIEWER[0], 50000 + number)) is None
    sent = len(rig.wire.sent)
    assert rig.take(rig.request()) == DropReason.TOO_MANY_ADDRESSES
    assert rig.take(rig.request(), (VIEWER[0], 50000)) is None
    assert len(rig.wire.sent) == sent + 1


async def test_what_nobody_fetches_does_not_pile_up(rig):
    rig.take(rig.request())
    taken = [rig.take(HELLO) for _ in range(MAX_QUEUED_DATAGRAMS + 10)]
    assert taken == [None] * MAX_QUEUED_DATAGRAMS + [DropReason.QUEUE_FULL] * 10
    assert rig.waiting == MAX_QUEUED_DATAGRAMS


async def check(rig: PortRig) -> tuple[asyncio.Task, bytes]:
    """Let the port send a check of ours to the viewer."""
    ours = Message(Method.BINDING, Class.REQUEST)
    task = asyncio.create_task(rig.port.request(ours, VIEWER, integrity_key=b"t" * 22))
    await asyncio.sleep(0)
    return task, rig.wire.sent[-1][0]


async def test_the_answer_to_our_own_check_lets_its_sender_in(rig):
    task, sent = await check(rig)
    assert rig.take(rig.answer(sent, "t" * 22)) is None
    assert (await task)[1] == VIEWER
    assert rig.connection.last_activity_at == rig.clock.now
    assert rig.take(HELLO) is None
    assert rig.take(rig.answer(sent, "t" * 22)) == DropReason.UNSOLICITED


async def test_a_forged_answer_changes_nothing(rig):
    task, sent = await check(rig)
    rig.take(rig.answer(sent, "x" * 22), STRANGER)
    assert rig.take(HELLO, STRANGER) == DropReason.UNKNOWN_SENDER
    assert rig.connection.last_activity_at is None
    rig.take(rig.answer(sent, "t" * 22, Class.ERROR))
    with pytest.raises(TransactionFailed):
        await task


async def test_the_answer_of_a_stun_server_lets_nobody_in(rig):
    query = Message(Method.BINDING, Class.REQUEST)
    task = asyncio.create_task(rig.port.request(query, STRANGER))
    await asyncio.sleep(0)
    assert rig.take(rig.answer(rig.wire.sent[-1][0], "x" * 22), STRANGER) is None
    await task
    assert rig.take(HELLO, STRANGER) == DropReason.UNKNOWN_SENDER
    assert rig.connection.last_activity_at is None


async def test_an_indication_is_neither_answered_nor_a_sign_of_life(rig):
    assert rig.take(bytes(Message(Method.BINDING, Class.INDICATION))) is None
    assert rig.connection.last_activity_at is None
    assert not rig.wire.sent


_TYPES = st.sampled_from([1, 3, 6, 8, 9, 0xD, 0x12, 0x13, 0x14, 0x20, 0x24, 0x25, 0x8022, 0x8028, 0x8029, 0x802A])
_ATTRIBUTE = st.tuples(_TYPES | st.integers(0, 0xFFFF), st.binary(max_size=24), st.integers(-4, 4))


def stun(kind: int, attributes: list[tuple[int, bytes, int]]) -> bytes:
    """A STUN message whose header is right, and whose attributes lie about their length now and then."""
    body = b"".join(
        struct.pack("!HH", number, max(0, len(value) + lie)) + value + bytes(-len(value) % 4)
        for number, value, lie in attributes
    )
    return struct.pack("!HHI12s", kind, len(body), COOKIE, b"transaction!") + body


_DATAGRAM = (
    st.binary(max_size=80)
    | st.builds(stun, st.sampled_from([0x001, 0x011, 0x101, 0x111, 0x003]), st.lists(_ATTRIBUTE, max_size=4))
    | st.builds(lambda first, rest: bytes([first]) + rest, st.integers(0, 255), st.binary(max_size=40))
)


async def test_no_stranger_breaks_it_or_gets_in(rig):
    @given(st.lists(_DATAGRAM, max_size=8))
    def scenario(datagrams: list[bytes]) -> None:
        for data in datagrams:
            rig.take(data, STRANGER)
            assert rig.waiting == 0
            assert rig.connection.last_activity_at is None

    scenario()
    assert len(rig.wire.sent) <= ERROR_RESPONSE_RATE.limit  # the clock stands still
    assert {DropReason.EMPTY, DropReason.UNKNOWN_PROTOCOL, DropReason.MALFORMED, DropReason.UNKNOWN_SENDER} <= set(
        rig.connection.dropped
    )


async def test_no_viewer_breaks_it(rig):
    """What holds our password may still be nonsense."""

    @given(st.lists(_ATTRIBUTE, max_size=3), st.booleans())
    def scenario(attributes: list[tuple[int, bytes, int]], with_priority: bool) -> None:
        message = Message(Method.BINDING, Class.REQUEST, transaction_id=os.urandom(12))
        message.attributes["USERNAME"] = f"{rig.connection.local_username}:them"
        if with_priority:
            message.attributes["PRIORITY"] = 7
        for number, value, _ in attributes:
            message.attributes["NONCE" if number % 2 else "DATA"] = value
        message.add_message_integrity(rig.connection.local_password.encode())
        assert rig.take(bytes(message)) == (None if with_priority else DropReason.MALFORMED)

    scenario()
