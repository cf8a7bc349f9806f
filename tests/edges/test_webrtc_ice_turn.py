"""A real TURN server (coturn): daemon and viewer relay with the temporary credentials of the offer."""

import asyncio
import contextlib
import shutil
import socket
import sys
import time
from dataclasses import dataclass

import ifaddr
import pytest
from aiortc import RTCConfiguration, RTCIceServer, RTCPeerConnection, RTCSessionDescription
from aiortc.rtcconfiguration import RTCIceTransportPolicy

from broadcaster.devices.clock import SystemClock
from broadcaster.settings import IceServer, IceSettings
from broadcaster.signaling.candidates import filter_candidate
from broadcaster.webrtc import internals
from broadcaster.webrtc.ice import gather
from broadcaster.webrtc.interfaces import LOOPBACK, host_addresses
from broadcaster.webrtc.servers import turn_credentials
from broadcaster.webrtc.sockets import open_socket
from broadcaster.webrtc.udp_port import DropReason
from tests.edges.push_rig import pushing
from tests.edges.test_webrtc_ice import (
    HELLO,
    candidates,
    connection,
    create,
    free_udp_ports,
    live_with,
    send_as_viewer,
)
from tests.edges.webrtc_driver import Listener, WebRtcDriver, inbound, without_candidates
from tests.rigs.whip_server import WhipServer

pytestmark = pytest.mark.skipif(shutil.which("turnserver") is None, reason="no turnserver here: apt install coturn")

SECRET = "north-wind"
RELAY = "127.0.0.2"
"""The relay has a different address, so that its candidates can be distinguished from ours."""


@dataclass
class Turn:
    """A running TURN server that accepts credentials derived from the secret."""

    url: str
    process: asyncio.subprocess.Process


@pytest.fixture
async def turn(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((RELAY, 0))
        port = probe.getsockname()[1]
    server = await asyncio.create_subprocess_exec(
        "turnserver", "-n", "--no-cli", "--no-tls", "--no-dtls", "--allow-loopback-peers", "--log-file=stdout",
        f"--listening-ip={RELAY}", f"--relay-ip={RELAY}", f"--listening-port={port}", "--realm=example.org",
        "--use-auth-secret", f"--static-auth-secret={SECRET}", f"--userdb={tmp_path}/db", f"--pidfile={tmp_path}/pid",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    reading = asyncio.create_task(_echo(server.stdout))
    await _until_listening(port)
    yield Turn(f"turn:{RELAY}:{port}", server)
    with contextlib.suppress(ProcessLookupError):
        server.terminate()
    await server.wait()
    await reading


async def _echo(log: asyncio.StreamReader) -> None:
    """Print the server's log, for the output of a failed test."""
    async for line in log:
        sys.stdout.write(line.decode(errors="replace"))


async def _until_listening(port: int) -> None:
    async with asyncio.timeout(10):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(RELAY, port)
                writer.close()
                return
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def relayed_only(url: str):
    """Publish a stream that only the relay can carry, because every port of the configured range is in use."""
    ports = free_udp_ports(1)
    with contextlib.ExitStack() as others:
        for address in host_addresses(ifaddr.get_adapters(), ()).offered or [LOOPBACK]:
            others.enter_context(open_socket(address, ports))
        async with live_with(IceSettings((IceServer((url,)),), SECRET, ports=ports)) as driver:
            yield driver


async def join(driver: WebRtcDriver, configuration: RTCConfiguration | None = None):
    """Connect a viewer, by default one that uses only relayed candidates."""
    listener = Listener()
    ours = driver.peers.create("v1", listener)
    offer = await ours.offer()
    theirs = RTCPeerConnection(configuration or viewer_configuration(offer))
    await theirs.setRemoteDescription(RTCSessionDescription(offer.sdp, "offer"))
    await theirs.setLocalDescription(await theirs.createAnswer())
    await ours.answer(without_candidates(theirs.localDescription.sdp))
    for line in theirs.localDescription.sdp.splitlines():
        if line.startswith("a=candidate:"):
            # All addresses are of this machine, and the filter would drop them.
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("broadcaster.signaling.candidates._refused", lambda _: None)
                await ours.add_candidate(filter_candidate(line, frozenset()))
    await asyncio.wait_for(listener.connected.wait(), 5)
    return ours, theirs, offer


def viewer_configuration(offer) -> RTCConfiguration:
    servers = [RTCIceServer(**server) for server in offer.ice_servers]
    return RTCConfiguration(iceServers=servers, iceTransportPolicy=RTCIceTransportPolicy.RELAY)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_media_reaches_the_viewer_through_our_relay(turn, transport):
    async with relayed_only(f"{turn.url}?transport={transport}") as driver:
        ours, theirs, offer = await join(driver, RTCConfiguration(iceServers=[]))
        assert {(host, kind) for host, _, kind in candidates(offer.sdp)} == {(RELAY, "relay")}
        assert RELAY not in offer.addresses
        await asyncio.sleep(1)
        received = inbound(theirs)
        assert received["video"][0] > 10
        assert received["video"][1] == received["audio"][1] == 0
        assert ours.stats().route == "relayed"
        assert ours.is_listening(time.monotonic())
        await theirs.close()
        await ours.close()


async def test_viewer_relays_with_the_credentials_of_the_offer(turn):
    async with relayed_only(turn.url) as driver:
        ours, theirs, offer = await join(driver)
        (server,) = offer.ice_servers
        assert server["username"].endswith(":v1")
        await asyncio.sleep(0.5)
        assert inbound(theirs)["video"][0] > 5
        await theirs.close()
        await ours.close()


async def test_datagrams_from_the_relay_are_filtered(turn):
    """A permission is for an address, not a port (RFC 8656 §9): others at the viewer's address pass the relay."""
    async with relayed_only(turn.url) as driver:
        ours, theirs, offer = await join(driver, RTCConfiguration(iceServers=[]))
        ((host, port, _),) = set(candidates(offer.sdp))
        pair = internals.nominated_pair(theirs.getTransceivers()[0].receiver.transport.transport._connection)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((pair.local_candidate.host, 0))
            for data in (b"", HELLO, b"GET /", b"\0\1junk"):
                other.sendto(data, (host, port))
        send_as_viewer(theirs, [b""])
        await asyncio.sleep(0.3)
        assert {DropReason.EMPTY, DropReason.UNKNOWN_SENDER, DropReason.UNKNOWN_PROTOCOL, DropReason.MALFORMED} <= set(
            connection(ours).dropped
        )
        before = inbound(theirs)["video"][0]
        await asyncio.sleep(0.2)
        assert inbound(theirs)["video"][0] > before
        await theirs.close()
        await ours.close()


async def test_wrong_secret_is_logged_and_the_offer_has_no_relayed_candidate(turn, caplog):
    peer = create(IceSettings((IceServer((turn.url,)),), "south-wind"))
    offer = await peer.offer()
    assert {kind for _, _, kind in candidates(offer.sdp)} == {"host"}
    assert f"no candidate from TURN server {RELAY}: STUN transaction failed (401 - Unauthorized)" in caplog.text
    assert "south-wind" not in caplog.text
    await peer.close()


async def test_closing_does_not_wait_for_a_dead_turn_server(turn):
    async with relayed_only(turn.url) as driver:
        ours, theirs, _ = await join(driver, RTCConfiguration(iceServers=[]))
        turn.process.kill()
        await turn.process.wait()
        await theirs.close()
        began = time.monotonic()
        await ours.close()
        assert time.monotonic() - began < 10  # aioice would take a minute
    await asyncio.sleep(0.1)
    assert not [task for task in asyncio.all_tasks() if "Turn" in repr(task.get_coro())]


async def test_gather_returns_candidates_and_problems(turn):
    gathered = await gather(IceSettings((IceServer((turn.url,)),), SECRET), SystemClock())
    assert ("relay", RELAY) in gathered.candidates
    assert gathered.problems == ()
    wrong = await gather(IceSettings((IceServer((turn.url,)),), "south-wind"), SystemClock())
    assert {kind for kind, _ in wrong.candidates} == {"host"}
    (problem,) = wrong.problems
    assert f"no candidate from TURN server {RELAY}" in problem


async def test_turn_servers_in_link_headers_are_used_for_push_targets(turn, tmp_path):
    username, credential = turn_credentials(SECRET, "push", time.time())
    async with WhipServer() as server, pushing(tmp_path) as rig:
        server.links = [f'<{turn.url}>; rel="ice-server"; username="{username}"; credential="{credential}"']
        rig.push(server.url)
        publication = await server.published()
        relayed = [line for line in publication.offer.splitlines() if "typ relay" in line]
        assert relayed
        assert all(f" {RELAY} " in line for line in relayed)
