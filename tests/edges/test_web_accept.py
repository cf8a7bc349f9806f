"""Accepting connections: limits, clients that do not read, and exhausted resources."""

import asyncio
import errno
import logging
import socket

import pytest

from broadcaster.devices.clock import SystemClock
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.signaling.protocol import SUBPROTOCOL
from broadcaster.web import accept, connection, listen
from broadcaster.web.accept import Acceptor, ConnectionSlots
from tests.edges.web_rig import SignalingClient, WebServerRig, served, until
from tests.rigs.certificates import make_pair

REQUEST = b"GET /viewer/index.html HTTP/1.1\r\nHost: localhost\r\n\r\n"


def connections(rig: WebServerRig) -> int:
    """Return the number of connections that the server counts."""
    assert rig.server._acceptor is not None
    return len(rig.server._acceptor._connections)


async def connect(rig: WebServerRig) -> socket.socket:
    """Connect a socket with a small receive buffer, from which nothing reads."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await asyncio.get_running_loop().sock_connect(client, ("127.0.0.1", rig.server.port))
    return client


async def test_a_client_that_never_reads_is_disconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "USER_TIMEOUT", 1.0)
    async with served() as rig:
        with await connect(rig) as client:
            await asyncio.get_running_loop().sock_sendall(client, REQUEST * 500)
            await until(lambda: connections(rig) == 1)
            await until(lambda: connections(rig) == 0, 8)


async def test_each_connection_has_a_user_timeout() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        (handler,) = rig.server._runner.server.connections  # type: ignore[union-attr]
        accepted = handler.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 15_000
        await viewer.socket.close()


async def test_one_address_is_limited(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(accept.access, "is_loopback", lambda address: False)
    async with served(max_viewers=1) as rig:
        limit = rig.server._acceptor._slots.max_per_network[0]  # type: ignore[union-attr]
        idle = [await connect(rig) for _ in range(limit)]
        await until(lambda: connections(rig) == limit)
        with await connect(rig) as one_more:
            assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(one_more, 1), 2) == b""
        idle.pop().close()
        await until(lambda: connections(rig) == limit - 1)
        async with rig.client.get(f"{rig.url}/healthz") as response:
            assert response.status == 200
        for one in idle:
            one.close()
        await rig.client.close()
        await until(lambda: connections(rig) == 0)
    assert "refused 127.0.0.1: too many connections" in caplog.messages


@pytest.mark.parametrize("secure", [False, True])
async def test_held_connections_are_evicted_in_favour_of_new_ones(tmp_path, secure: bool) -> None:
    pair = make_pair(tmp_path)
    async with served(max_viewers=1, **(pair.settings if secure else {})) as rig:
        url, trusted = (rig.url.replace("http:", "https:"), pair.trusted()) if secure else (rig.url, True)
        url = url.replace("127.0.0.1", "localhost")
        viewer = SignalingClient(await rig.client.ws_connect(f"{url}/ws", protocols=[SUBPROTOCOL], ssl=trusted))
        await viewer.join()
        limit = rig.server._acceptor._slots.max_total  # type: ignore[union-attr]
        idle = [await connect(rig) for _ in range(limit + 20)]
        await until(lambda: connections(rig) == limit)
        async with rig.client.get(f"{url}/healthz", ssl=trusted) as response:
            assert response.status == 200
        assert await asyncio.wait_for(is_disconnected(idle[0]), 2)
        await viewer.send("heartbeat")
        await viewer.receive("heartbeat")
        for one in idle:
            one.close()
        await viewer.send("bye")
        await rig.client.close()
        await until(lambda: connections(rig) == 0)


async def is_disconnected(client: socket.socket) -> bool:
    """Wait for data or the end of the connection; whether it is the end."""
    try:
        return await asyncio.get_running_loop().sock_recv(client, 1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("first_bytes", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"])
async def test_connections_before_the_tls_handshake_are_counted(
    tmp_path, first_bytes: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "HANDSHAKE_TIMEOUT", 0.3)
    async with served(**make_pair(tmp_path).settings) as rig:
        with await connect(rig) as client:
            await until(lambda: connections(rig) == 1)
            await asyncio.get_running_loop().sock_sendall(client, first_bytes)
            await until(lambda: connections(rig) == 0)


async def test_closing_aborts_connections_that_are_not_established(tmp_path) -> None:
    async with served(**make_pair(tmp_path).settings) as rig:
        clients = [await connect(rig) for _ in range(5)]
    assert connections(rig) == 0
    for one in clients:
        one.close()


class ExhaustedListener(socket.socket):
    """A listener whose first two `accept` calls fail because no descriptor is free."""

    calls = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.calls += 1
        if self.calls < 3:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_without_descriptors_accepting_is_retried_and_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(accept, "_RETRY_DELAY", 0.1)
    listener = ExhaustedListener()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    log = RateLimitedLogger(logging.getLogger("accept"), SystemClock())
    acceptor = Acceptor(
        [listener], asyncio.Protocol, None, ConnectionSlots(1, lambda address: True), log, lambda host: True
    )
    acceptor.start()
    _, writer = await asyncio.open_connection(*listener.getsockname())
    await until(lambda: len(acceptor._connections) == 1)
    assert caplog.messages == ["cannot accept connections for now: Too many open files"]
    writer.close()
    await until(lambda: len(acceptor._connections) == 0)
    await acceptor.close()
