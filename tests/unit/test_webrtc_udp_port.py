"""The filter of UDP ports: which senders it admits, and that no datagram makes it raise."""

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
from tests.rigs.filtered_port import UNKNOWN, VIEWER, FilteredPortDriver

HELLO = bytes([22, 254, 253]) + bytes(60)  # the start of a DTLS handshake
REPORT = bytes([0x81, 201]) + bytes(30)  # the start of an RTCP receiver report
MEDIA = bytes([0x80, 101]) + bytes(30)  # the start of an RTP packet


@pytest.fixture
async def driver() -> FilteredPortDriver:
    return FilteredPortDriver()


def test_queued_datagrams_take_limited_memory():
    assert MAX_QUEUED_DATAGRAMS * MAX_DATAGRAM < 1 << 20


async def test_authenticated_check_admits_only_its_own_address(driver):
    assert driver.take(HELLO) == driver.take(REPORT) == DropReason.UNKNOWN_SENDER
    assert driver.connection.last_activity_at is None
    assert driver.take(driver.request()) is None
    assert driver.connection.last_activity_at == driver.clock.now
    assert driver.take(HELLO) is None
    for other in (UNKNOWN, (VIEWER[0], VIEWER[1] + 1), ("192.0.2.8", VIEWER[1])):
        assert driver.take(HELLO, other) == DropReason.UNKNOWN_SENDER
    assert driver.queued == 1


async def test_srtcp_goes_directly_to_the_handler(driver):
    received: list[bytes] = []

    def handle(data: bytes) -> DropReason | None:
        received.append(data)
        return None if data == REPORT else DropReason.UNAUTHENTICATED

    driver.connection.set_rtcp_handler(handle)
    assert driver.take(REPORT) == DropReason.UNKNOWN_SENDER
    driver.take(driver.request())
    assert driver.take(REPORT) is None
    assert driver.take(MEDIA) == DropReason.UNAUTHENTICATED
    assert driver.take(REPORT + bytes(MAX_DATAGRAM)) == DropReason.OVERSIZED
    assert received == [REPORT, MEDIA]
    assert driver.queued == 0


async def test_srtcp_is_dropped_without_a_handler(driver):
    driver.take(driver.request())
    assert driver.take(REPORT) == DropReason.UNAUTHENTICATED


async def test_address_is_known_only_at_the_port_that_it_used(driver):
    driver.take(driver.request())
    driver.port = driver.make_port()
    assert driver.take(HELLO) == DropReason.UNKNOWN_SENDER


async def test_ipv6_flow_and_scope_are_ignored(driver):
    driver.port.datagram_received(driver.request(), ("2001:db8::7", 40000, 0, 0))
    assert driver.take(HELLO, ("2001:db8::7", 40000, 7, 0)) is None


@pytest.mark.parametrize(
    ("data", "reason"),
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
async def test_unusable_datagrams_are_dropped_even_from_the_viewer(driver, data, reason):
    driver.take(driver.request())
    assert driver.take(data) == reason
    assert driver.queued == 0


@pytest.mark.parametrize(
    "attribute",
    [
        struct.pack("!HH", 0x0024, 2) + b"ab\0\0",  # PRIORITY of two bytes: struct.error in the parser
        struct.pack("!HH", 0x0006, 4) + b"\xff\xfe\xfd\xfc",  # USERNAME that is not UTF-8
        struct.pack("!HH", 0x0020, 8) + b"\0\x09" + bytes(6),  # unknown address family
        struct.pack("!HH", 0x0024, 400),  # longer than the message
        struct.pack("!HHI", 0x8028, 4, 0),  # wrong fingerprint
    ],
)
async def test_stun_that_makes_the_parser_raise_is_dropped(driver, attribute):
    message = struct.pack("!HHI12s", 0x0001, len(attribute), COOKIE, bytes(12)) + attribute
    assert driver.take(message) == DropReason.MALFORMED
    assert not driver.transport.sent


async def test_check_without_priority_is_dropped(driver):
    message = Message(Method.BINDING, Class.REQUEST)
    message.attributes["USERNAME"] = f"{driver.connection.local_username}:them"
    message.add_message_integrity(driver.connection.local_password.encode())
    assert driver.take(bytes(message)) == DropReason.MALFORMED
    assert not driver.transport.sent


async def test_error_responses_are_rate_limited(driver):
    for port in range(1000):
        assert driver.take(driver.request("x" * 22), (UNKNOWN[0], port)) == DropReason.UNAUTHENTICATED
    assert len(driver.transport.sent) == ERROR_RESPONSE_RATE.limit
    assert driver.connection.last_activity_at is None
    driver.clock.now += ERROR_RESPONSE_RATE.seconds
    driver.take(bytes(Message(Method.BINDING, Class.REQUEST)), UNKNOWN)
    assert len(driver.transport.sent) == ERROR_RESPONSE_RATE.limit + 1
    assert driver.take(HELLO, UNKNOWN) == DropReason.UNKNOWN_SENDER


async def test_viewer_is_answered_while_unknown_senders_are_rate_limited(driver):
    for _ in range(ERROR_RESPONSE_RATE.limit + 1):
        driver.take(driver.request("x" * 22), UNKNOWN)
    sent = len(driver.transport.sent)
    assert driver.take(driver.request()) is None
    assert driver.transport.sent[sent:][0][1] == VIEWER


async def test_oversized_datagram_is_not_parsed(driver, monkeypatch):
    """aioice computes a CRC for each fingerprint attribute, and one message can contain thousands."""
    monkeypatch.setattr("broadcaster.webrtc.udp_port.parse_message", lambda data: pytest.fail("it was parsed"))
    assert driver.take(driver.request() + bytes(MAX_DATAGRAM), UNKNOWN) == DropReason.OVERSIZED
    assert driver.take(driver.request() + bytes(MAX_DATAGRAM)) == DropReason.OVERSIZED


async def test_check_from_a_privileged_port_is_dropped(driver):
    """A viewer could direct our checks at a service by a forged source address."""
    sent = len(driver.transport.sent)
    assert driver.take(driver.request(), (UNKNOWN[0], 1023)) == DropReason.PRIVILEGED_PORT
    assert driver.take(HELLO, (UNKNOWN[0], 1023)) == DropReason.UNKNOWN_SENDER
    assert len(driver.transport.sent) == sent
    assert driver.take(driver.request(), (UNKNOWN[0], 1024)) is None


async def test_number_of_remote_addresses_is_limited(driver):
    for number in range(MAX_REMOTE_ADDRESSES):
        assert driver.take(driver.request(), (VIEWER[0], 50000 + number)) is None
    sent = len(driver.transport.sent)
    assert driver.take(driver.request()) == DropReason.TOO_MANY_ADDRESSES
    assert driver.take(driver.request(), (VIEWER[0], 50000)) is None
    assert len(driver.transport.sent) == sent + 1


async def test_queue_of_datagrams_is_limited(driver):
    driver.take(driver.request())
    results = [driver.take(HELLO) for _ in range(MAX_QUEUED_DATAGRAMS + 10)]
    assert results == [None] * MAX_QUEUED_DATAGRAMS + [DropReason.QUEUE_FULL] * 10
    assert driver.queued == MAX_QUEUED_DATAGRAMS


async def check(driver: FilteredPortDriver) -> tuple[asyncio.Task, bytes]:
    """Send a check to the viewer; return the task that awaits the response, and the request."""
    request = Message(Method.BINDING, Class.REQUEST)
    task = asyncio.create_task(driver.port.request(request, VIEWER, integrity_key=b"t" * 22))
    await asyncio.sleep(0)
    return task, driver.transport.sent[-1][0]


async def test_response_to_our_check_admits_its_sender(driver):
    task, sent = await check(driver)
    assert driver.take(driver.response(sent, "t" * 22)) is None
    assert (await task)[1] == VIEWER
    assert driver.connection.last_activity_at == driver.clock.now
    assert driver.take(HELLO) is None
    assert driver.take(driver.response(sent, "t" * 22)) == DropReason.UNSOLICITED


async def test_forged_response_admits_nobody(driver):
    task, sent = await check(driver)
    driver.take(driver.response(sent, "x" * 22), UNKNOWN)
    assert driver.take(HELLO, UNKNOWN) == DropReason.UNKNOWN_SENDER
    assert driver.connection.last_activity_at is None
    driver.take(driver.response(sent, "t" * 22, Class.ERROR))
    with pytest.raises(TransactionFailed):
        await task


async def test_response_of_a_stun_server_admits_nobody(driver):
    query = Message(Method.BINDING, Class.REQUEST)
    task = asyncio.create_task(driver.port.request(query, UNKNOWN))
    await asyncio.sleep(0)
    assert driver.take(driver.response(driver.transport.sent[-1][0], "x" * 22), UNKNOWN) is None
    await task
    assert driver.take(HELLO, UNKNOWN) == DropReason.UNKNOWN_SENDER
    assert driver.connection.last_activity_at is None


async def test_indication_is_neither_answered_nor_activity(driver):
    assert driver.take(bytes(Message(Method.BINDING, Class.INDICATION))) is None
    assert driver.connection.last_activity_at is None
    assert not driver.transport.sent


_TYPES = st.sampled_from([1, 3, 6, 8, 9, 0xD, 0x12, 0x13, 0x14, 0x20, 0x24, 0x25, 0x8022, 0x8028, 0x8029, 0x802A])
_ATTRIBUTE = st.tuples(_TYPES | st.integers(0, 0xFFFF), st.binary(max_size=24), st.integers(-4, 4))


def stun(kind: int, attributes: list[tuple[int, bytes, int]]) -> bytes:
    """Return a STUN message with a valid header, and attributes some of which have a wrong length."""
    body = b"".join(
        struct.pack("!HH", number, max(0, len(value) + excess)) + value + bytes(-len(value) % 4)
        for number, value, excess in attributes
    )
    return struct.pack("!HHI12s", kind, len(body), COOKIE, b"transaction!") + body


_DATAGRAM = (
    st.binary(max_size=80)
    | st.builds(stun, st.sampled_from([0x001, 0x011, 0x101, 0x111, 0x003]), st.lists(_ATTRIBUTE, max_size=4))
    | st.builds(lambda first, rest: bytes([first]) + rest, st.integers(0, 255), st.binary(max_size=40))
)


async def test_datagrams_of_unknown_senders_never_raise_or_admit_them(driver):
    @given(st.lists(_DATAGRAM, max_size=8))
    def scenario(datagrams: list[bytes]) -> None:
        for data in datagrams:
            driver.take(data, UNKNOWN)
            assert driver.queued == 0
            assert driver.connection.last_activity_at is None

    scenario()
    assert len(driver.transport.sent) <= ERROR_RESPONSE_RATE.limit  # the clock does not advance
    assert {DropReason.EMPTY, DropReason.UNKNOWN_PROTOCOL, DropReason.MALFORMED, DropReason.UNKNOWN_SENDER} <= set(
        driver.connection.dropped
    )


async def test_authenticated_checks_never_raise(driver):
    """Messages signed with our password may be malformed in other respects."""

    @given(st.lists(_ATTRIBUTE, max_size=3), st.booleans())
    def scenario(attributes: list[tuple[int, bytes, int]], with_priority: bool) -> None:
        message = Message(Method.BINDING, Class.REQUEST, transaction_id=os.urandom(12))
        message.attributes["USERNAME"] = f"{driver.connection.local_username}:them"
        if with_priority:
            message.attributes["PRIORITY"] = 7
        for number, value, _ in attributes:
            message.attributes["NONCE" if number % 2 else "DATA"] = value
        message.add_message_integrity(driver.connection.local_password.encode())
        assert driver.take(bytes(message)) == (None if with_priority else DropReason.MALFORMED)

    scenario()
