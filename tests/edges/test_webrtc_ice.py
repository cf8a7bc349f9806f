"""The ICE room over real sockets: strangers at the ports, port ranges, interfaces, servers that do not answer."""

import asyncio
import contextlib
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
from tests.edges.webrtc_rig import Camera, Listener, WebRtcRig, inbound, on_air

HELLO = bytes([22, 254, 253]) + bytes(200)
REPORT = bytes([0x81, 201]) + bytes(60)


def peers(rig: WebRtcRig, ice: IceSettings) -> AiortcPeerFactory:
    """Peer connections of that stream which obey these settings."""
    return AiortcPeerFactory(rig.fanout, rig.packetizer, SystemClock(), with_audio=True, ice=ice)


@contextlib.asynccontextmanager
async def on_air_with(ice: IceSettings) -> AsyncIterator[WebRtcRig]:
    """A rig that plays to peer connections which obey these settings."""
    async with on_air() as rig:
        rig.peers = peers(rig, ice)
        yield rig


def create(ice: IceSettings) -> Peer:
    """One peer connection of a stream that is off air."""
    return peers(WebRtcRig(Camera()), ice).create("v1", Listener())


def candidates(sdp: str) -> list[tuple[str, int, str]]:
    """Address, port and type of each."""
    lines = [line.split() for line in sdp.splitlines() if line.startswith("a=candidate:")]
    return [(parts[4], int(parts[5]), parts[7]) for parts in lines]


def connection(peer) -> IceConnection:
    found = internals.ice_connection(peer._transport)
    assert isinstance(found, IceConnection)
    return found


def send_as_viewer(pc: RTCPeerConnection, datagrams: list[bytes]) -> None:
    """Send from the very socket of that viewer to where it gets its media from."""
    pair = internals.nominated_pair(pc.getTransceivers()[0].receiver.transport.transport._connection)
    # Not by its transport, which leaves out empty datagrams.
    with pair.protocol.transport.get_extra_info("socket").dup() as own:
        for data in datagrams:
            own.sendto(data, pair.remote_addr)


def junk(number: int) -> bytes:
    """What a stranger may send, one kind after the other."""
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


async def test_strangers_at_our_ports_make_no_gap():
    caught: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: caught.append(context))
    async with on_air() as rig:
        ours, theirs, listener = await rig.join()
        targets = candidates(theirs.remoteDescription.sdp)
        await asyncio.sleep(0.3)
        before = (await inbound(theirs))["video"][0]
        with contextlib.ExitStack() as sockets:
            strangers = [(sockets.enter_context(open_socket(a, range(0))), (a, port)) for a, port, _ in targets]
            for number in range(3000):
                stranger, target = strangers[number % len(strangers)]
                with contextlib.suppress(BlockingIOError):
                    stranger.sendto(junk(number // len(strangers)), target)
                if number % 30 == 0:
                    await asyncio.sleep(0.01)
        await asyncio.sleep(0.2)
        received = await inbound(theirs)
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


async def test_strangers_are_told_so_a_few_times_a_second():
    async with on_air() as rig:
        ours, theirs, _ = await rig.join()
        (host, port, _), *_ = candidates(theirs.remoteDescription.sdp)
        with open_socket(host, range(0)) as stranger:
            for _ in range(100):
                stranger.sendto(bytes(Message(Method.BINDING, Class.REQUEST)), (host, port))
            await asyncio.sleep(0.2)
            answers = []
            with contextlib.suppress(BlockingIOError):
                while True:
                    answers.append(parse_message(stranger.recv(2000)))
        assert len(answers) == ERROR_RESPONSE_RATE.limit
        assert {answer.error_code for answer in answers} == {400}
        await theirs.close()
        await ours.close()


@pytest.mark.parametrize(
    "data",
    [b"", HELLO, REPORT, REPORT + bytes(1600), HELLO + bytes(1600)],
    ids=["empty", "foreign DTLS", "foreign SRTCP", "long SRTCP", "long DTLS"],
)
async def test_what_comes_under_the_viewers_own_address_does_not_end_it(data):
    """aiortc closes on an empty datagram, and on SRTP that is longer than a packet can be."""
    async with on_air() as rig:
        ours, theirs, listener = await rig.join()
        send_as_viewer(theirs, [data] * 20)
        await asyncio.sleep(0.3)
        before = (await inbound(theirs))["video"][0]
        await asyncio.sleep(0.2)
        assert (await inbound(theirs))["video"][0] > before
        assert (await inbound(theirs))["video"][1] == 0
        assert not listener.lost.is_set()
        await theirs.close()
        await ours.close()


def free_udp_ports(count: int) -> range:
    """That many ports in a row which nobody has on any address."""
    while True:
        first = random.randrange(30000, 60000)
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(open_socket("0.0.0.0", range(port, port + 1)))
            return range(first, first + count)


async def test_ports_come_from_the_range_and_a_full_one_ends_that_offer_only():
    ports = free_udp_ports(2)
    async with on_air_with(IceSettings(ports=ports)) as rig:
        ours, theirs, _ = await rig.join("v1")
        second = rig.peers.create("v2", Listener())
        used = {port for _, port, _ in candidates(theirs.remoteDescription.sdp)}
        used |= {port for _, port, _ in candidates((await second.offer()).sdp)}
        assert used == set(ports)
        third = rig.peers.create("v3", Listener())
        with pytest.raises(BroadcasterError, match=rf"ice\.ports \({ports[0]}-{ports[1]}\) is in use"):
            await third.offer()
        await third.close()
        received = await inbound(theirs)
        await second.close()
        again = rig.peers.create("v4", Listener())
        assert candidates((await again.offer()).sdp)
        await again.close()
        await asyncio.sleep(0.2)
        assert (await inbound(theirs))["video"][0] > received["video"][0]
        await theirs.close()
        await ours.close()


async def test_a_refused_offer_leaves_nothing_behind():
    ports = free_udp_ports(1)
    with contextlib.ExitStack() as others:
        for address in host_addresses(ifaddr.get_adapters(), ("lo",)).offered:
            others.enter_context(open_socket(address, ports))
        made = peers(WebRtcRig(Camera()), IceSettings(ports=ports, interfaces=("lo",)))
        gc.collect()
        before = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
        for _ in range(5):
            peer = made.create("v1", Listener())
            with pytest.raises(BroadcasterError):
                await peer.offer()
            await peer.close()
        assert (len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())) == before


async def test_only_the_named_interfaces_are_offered_and_a_missing_one_is_said(caplog):
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


async def test_without_a_network_the_machine_shows_the_stream_to_itself(monkeypatch):
    monkeypatch.setattr("ifaddr.get_adapters", list)
    peer = create(IceSettings())
    assert {host for host, _, _ in candidates((await peer.offer()).sdp)} == {"127.0.0.1"}
    await peer.close()


def test_sockets_have_the_buffers_that_the_kernel_allows():
    allowed = int(Path("/proc/sys/net/core/wmem_max").read_text())
    with open_socket("127.0.0.1", range(0)) as opened:
        # The kernel counts its own overhead too, and shows twice what was asked for (socket(7)).
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * min(SEND_BUFFER, allowed)
        assert opened.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * RECEIVE_BUFFER
        assert not opened.getblocking()


class StunServer(asyncio.DatagramProtocol):
    """Answers that everybody comes from one address."""

    mapped = ("203.0.113.9", 4242)

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data, addr) -> None:
        query = parse_message(data)
        answer = Message(Method.BINDING, Class.RESPONSE, transaction_id=query.transaction_id)
        answer.attributes["XOR-MAPPED-ADDRESS"] = self.mapped
        self.transport.sendto(bytes(answer), addr)


async def test_a_stun_server_adds_its_candidate_which_is_not_an_address_of_ours():
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


async def test_servers_that_do_not_answer_hold_the_offer_for_a_second_and_are_named(caplog):
    with open_socket("127.0.0.1", range(0)) as silent:
        port = silent.getsockname()[1]
        servers = (IceServer((f"stun:127.0.0.1:{port}",)), IceServer((f"turn:127.0.0.1:{port}",), "me", "hush"))
        peer = create(IceSettings(servers, interfaces=("lo",)))
        began = time.monotonic()
        offer = await peer.offer()
        assert GATHERING_TIMEOUT <= time.monotonic() - began < GATHERING_TIMEOUT + 0.5
        assert {kind for _, _, kind in candidates(offer.sdp)} == {"host"}
        await peer.close()
    assert "nothing from TURN server 127.0.0.1: no answer within 1 s" in caplog.text
    assert "nothing from STUN server 127.0.0.1 from 127.0.0.1: no answer" in caplog.text
    assert "hush" not in caplog.text


async def test_a_viewer_that_leaves_while_servers_are_asked_leaves_nothing_behind():
    with open_socket("127.0.0.1", range(0)) as silent:
        port = silent.getsockname()[1]
        made = peers(
            WebRtcRig(Camera()),
            IceSettings((IceServer((f"turn:127.0.0.1:{port}",), "me", "hush"),), interfaces=("lo",)),
        )
        before = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
        peer = made.create("v1", Listener())
        offering = asyncio.create_task(peer.offer())
        await asyncio.sleep(0.1)
        offering.cancel()
        await asyncio.gather(offering, return_exceptions=True)
        await peer.close()
        await asyncio.sleep(0.1)
        assert (len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())) == before
