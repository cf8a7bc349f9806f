"""ICE over real sockets: unknown senders, port ranges, interfaces, STUN and TURN servers that do not respond."""

import asyncio
import contextlib
import errno
import gc
import logging
import os
import random
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import ifaddr
import pytest
from aioice.stun import Class, Message, Method, parse_message
from aiortc import RTCPeerConnection

from broadcaster.devices.clock import SystemClock
from broadcaster.errors import BroadcasterError
from broadcaster.ports import Peer
from broadcaster.settings import IceServer, IceSettings
from broadcaster.webrtc import internals
from broadcaster.webrtc.factory import AiortcPeerFactory
from broadcaster.webrtc.ice import GATHERING_TIMEOUT, IceConnection
from broadcaster.webrtc.interfaces import host_addresses
from broadcaster.webrtc.sockets import RECEIVE_BUFFER, SEND_BUFFER, open_socket
from broadcaster.webrtc.udp_port import ERROR_RESPONSE_RATE, DropReason
from tests.edges.webrtc_driver import Camera, Listener, WebRtcDriver, inbound, live

HELLO = bytes([22, 254, 253]) + bytes(200)
REPORT = bytes([0x81, 201]) + bytes(60)


def peers(driver: WebRtcDriver, ice: IceSettings) -> AiortcPeerFactory:
    """Return a peer factory for the driver's stream with these settings."""
    return AiortcPeerFactory(driver.fanout, driver.packetizer, SystemClock(), with_audio=True, ice=ice)


@contextlib.asynccontextmanager
async def live_with(ice: IceSettings) -> AsyncIterator[WebRtcDriver]:
    """Publish a stream to peer connections with these settings."""
    async with live() as driver:
        driver.peers = peers(driver, ice)
        yield driver


def create(ice: IceSettings) -> Peer:
    """Return a peer connection without a live stream."""
    return peers(WebRtcDriver(Camera()), ice).create("v1", Listener())


def candidates(sdp: str) -> list[tuple[str, int, str]]:
    """Return address, port and type of each candidate."""
    lines = [line.split() for line in sdp.splitlines() if line.startswith("a=candidate:")]
    return [(parts[4], int(parts[5]), parts[7]) for parts in lines]


def connection(peer) -> IceConnection:
    ice = internals.ice_connection(peer._transport)
    assert isinstance(ice, IceConnection)
    return ice


def send_as_viewer(pc: RTCPeerConnection, datagrams: list[bytes]) -> None:
    """Send from the socket of that viewer to the address from which it receives media."""
    pair = internals.nominated_pair(pc.getTransceivers()[0].receiver.transport.transport._connection)
    # Not by its transport, which does not send empty datagrams.
    with pair.protocol.transport.get_extra_info("socket").dup() as own:
        for data in datagrams:
            own.sendto(data, pair.remote_addr)


def junk(number: int) -> bytes:
    """Return one of several kinds of datagrams that an unknown sender may send."""
    message = Message(Method.BINDING, Class.REQUEST)
    kinds = [
        b"",
        random.randbytes(40),
        HELLO,
        REPORT,
        b"\0\1\0\0" + random.randbytes(30),
        bytes(message),
        b"\x40" * 1400,
    ]
    return kinds[number % len(kinds)]


async def test_datagrams_of_unknown_senders_cause_no_loss():
    caught: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: caught.append(context))
    async with live() as driver:
        ours, theirs, listener = await driver.join()
        targets = candidates(theirs.remoteDescription.sdp)
        await asyncio.sleep(0.3)
        before = inbound(theirs)["video"][0]
        with contextlib.ExitStack() as sockets:
            senders = [(sockets.enter_context(open_socket(a, range(0))), (a, port)) for a, port, _ in targets]
            for number in range(3000):
                sender, target = senders[number % len(senders)]
                with contextlib.suppress(BlockingIOError):
                    sender.sendto(junk(number // len(senders)), target)
                if number % 30 == 0:
                    await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        received = inbound(theirs)
        assert received["video"][1] == received["audio"][1] == 0
        assert received["video"][0] > before + 20
        assert ours.is_listening(time.monotonic())
        assert not listener.lost.is_set()
        dropped = connection(ours).dropped
        assert set(dropped) >= {
            DropReason.EMPTY,
            DropReason.UNKNOWN_PROTOCOL,
            DropReason.UNKNOWN_SENDER,
            DropReason.MALFORMED,
            DropReason.UNAUTHENTICATED,
        }
        assert sum(dropped.values()) > 1000
        await theirs.close()
        await ours.close()
    assert not caught


async def test_error_responses_are_rate_limited():
    async with live() as driver:
        ours, theirs, _ = await driver.join()
        (host, port, _), *_ = candidates(theirs.remoteDescription.sdp)
        with open_socket(host, range(0)) as unknown:
            for _ in range(100):
                unknown.sendto(bytes(Message(Method.BINDING, Class.REQUEST)), (host, port))
            await asyncio.sleep(0.2)
            responses = []
            with contextlib.suppress(BlockingIOError):
                while True:
                    responses.append(parse_message(unknown.recv(2000)))
        assert len(responses) == ERROR_RESPONSE_RATE.limit
        assert {response.error_code for response in responses} == {400}
        await theirs.close()
        await ours.close()


@pytest.mark.parametrize(
    "data",
    [b"", HELLO, REPORT, REPORT + bytes(1600), HELLO + bytes(1600)],
    ids=["empty", "forged DTLS", "forged SRTCP", "long SRTCP", "long DTLS"],
)
async def test_malformed_datagrams_from_the_viewers_address_do_not_end_the_connection(data):
    """aiortc closes on an empty datagram, and on SRTP longer than its maximum."""
    async with live() as driver:
        ours, theirs, listener = await driver.join()
        send_as_viewer(theirs, [data] * 20)
        await asyncio.sleep(0.3)
        before = inbound(theirs)["video"][0]
        await asyncio.sleep(0.2)
        assert inbound(theirs)["video"][0] > before
        assert inbound(theirs)["video"][1] == 0
        assert not listener.lost.is_set()
        await theirs.close()
        await ours.close()


def free_udp_ports(count: int) -> range:
    """Return that many consecutive ports that are free on every address."""
    while True:
        first = random.randrange(30000, 60000)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(open_socket("0.0.0.0", range(port, port + 1)))
            return range(first, first + count)


async def test_ports_are_from_the_range_and_an_exhausted_range_fails_only_that_offer():
    ports = free_udp_ports(2)
    async with live_with(IceSettings(ports=ports)) as driver:
        ours, theirs, _ = await driver.join("v1")
        second = driver.peers.create("v2", Listener())
        used = {port for _, port, _ in candidates(theirs.remoteDescription.sdp)}
        used |= {port for _, port, _ in candidates((await second.offer()).sdp)}
        assert used == set(ports)
        third = driver.peers.create("v3", Listener())
        with pytest.raises(BroadcasterError, match=rf"ice\.ports \({ports[0]}-{ports[1]}\) is in use"):
            await third.offer()
        await third.close()
        received = inbound(theirs)
        await second.close()
        again = driver.peers.create("v4", Listener())
        assert candidates((await again.offer()).sdp)
        await again.close()
        await asyncio.sleep(0.2)
        assert inbound(theirs)["video"][0] > received["video"][0]
        await theirs.close()
        await ours.close()


async def test_failed_offer_leaves_no_tasks_or_descriptors():
    ports = free_udp_ports(1)
    with contextlib.ExitStack() as others:
        for address in host_addresses(ifaddr.get_adapters(), ("lo",)).offered:
            others.enter_context(open_socket(address, ports))
        factory = peers(WebRtcDriver(Camera()), IceSettings(ports=ports, interfaces=("lo",)))
        gc.collect()
        before = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
        for _ in range(5):
            peer = factory.create("v1", Listener())
            with pytest.raises(BroadcasterError):
                await peer.offer()
            await peer.close()
        assert (len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())) == before


async def test_only_named_interfaces_are_offered_and_a_missing_one_is_logged(caplog):
    peer = create(IceSettings(interfaces=("lo",)))
    assert {host for host, _, _ in candidates((await peer.offer()).sdp)} <= {"127.0.0.1", "::1"}
    await peer.close()
    with caplog.at_level(logging.WARNING):
        peer = create(IceSettings(interfaces=("eth77",)))
        offer = await peer.offer()
        await peer.close()
    assert {host for host, _, _ in candidates(offer.sdp)} == {"127.0.0.1"}
    assert {"127.0.0.1", *host_addresses(ifaddr.get_adapters(), ()).offered} <= offer.addresses
    assert "no address on eth77" in caplog.text


async def test_loopback_is_offered_without_a_network(monkeypatch):
    monkeypatch.setattr("ifaddr.get_adapters", list)
    peer = create(IceSettings())
    assert {host for host, _, _ in candidates((await peer.offer()).sdp)} == {"127.0.0.1"}
    await peer.close()


async def test_shortage_of_descriptors_is_reported_with_its_reason(monkeypatch):
    def fail():
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr("ifaddr.get_adapters", fail)
    peer = create(IceSettings())
    with pytest.raises(BroadcasterError, match="gathered: Too many open files"):
        await peer.offer()
    await peer.close()


def test_sockets_have_the_largest_allowed_buffers():
    allowed = int(Path("/proc/sys/net/core/wmem_max").read_text())
    with open_socket("127.0.0.1", range(0)) as opened:
        # The kernel reports twice the requested size, because it includes its own overhead (socket(7)).
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * min(SEND_BUFFER, allowed)
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * RECEIVE_BUFFER
        assert not opened.getblocking()


class StunServer(asyncio.DatagramProtocol):
    """Reports the same mapped address to everyone."""

    mapped = ("203.0.113.9", 4242)

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data, addr) -> None:
        request = parse_message(data)
        response = Message(Method.BINDING, Class.RESPONSE, transaction_id=request.transaction_id)
        response.attributes["XOR-MAPPED-ADDRESS"] = self.mapped
        self.transport.sendto(bytes(response), addr)


async def test_server_reflexive_candidate_is_offered_and_is_no_own_address():
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(StunServer, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    peer = create(IceSettings((IceServer((f"stun:127.0.0.1:{port}",)),), interfaces=("lo",)))
    offer = await peer.offer()
    assert ("203.0.113.9", 4242, "srflx") in candidates(offer.sdp)
    assert "203.0.113.9" not in offer.addresses
    assert offer.ice_servers == ({"urls": [f"stun:127.0.0.1:{port}"]},)
    await peer.close()
    transport.close()


async def test_unresponsive_servers_delay_the_offer_by_a_second_and_are_logged(caplog):
    with open_socket("127.0.0.1", range(0)) as silent:
        port = silent.getsockname()[1]
        servers = (IceServer((f"stun:127.0.0.1:{port}",)), IceServer((f"turn:127.0.0.1:{port}",), "me", "hush"))
        peer = create(IceSettings(servers, interfaces=("lo",)))
        began = time.monotonic()
        offer = await peer.offer()
        assert GATHERING_TIMEOUT <= time.monotonic() - began < GATHERING_TIMEOUT + 4
        assert {kind for _, _, kind in candidates(offer.sdp)} == {"host"}
        await peer.close()
    assert "no candidate from TURN server 127.0.0.1: no answer within 1 s" in caplog.text
    assert "no candidate from STUN server 127.0.0.1 from 127.0.0.1: no answer" in caplog.text
    assert "hush" not in caplog.text


async def test_cancelled_gathering_leaves_no_tasks_or_descriptors():
    with open_socket("127.0.0.1", range(0)) as silent:
        port = silent.getsockname()[1]
        factory = peers(
            WebRtcDriver(Camera()),
            IceSettings((IceServer((f"turn:127.0.0.1:{port}",), "me", "hush"),), interfaces=("lo",)),
        )
        before = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
        peer = factory.create("v1", Listener())
        offering = asyncio.create_task(peer.offer())
        await asyncio.sleep(0.1)
        offering.cancel()
        await asyncio.gather(offering, return_exceptions=True)
        await peer.close()
        await asyncio.sleep(0.1)
        assert (len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())) == before
