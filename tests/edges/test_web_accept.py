"""Connections: how many are taken, how long one lasts whose other end does not read, and what an empty machine does."""

import asyncio
import errno
import logging
import socket

import pytest

from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.signaling.protocol import SUBPROTOCOL
from broadcaster.web import accept, connection, listen
from broadcaster.web.accept import Acceptor, Room
from tests.edges.web_rig import RealClock, Talk, WebServerRig, served
from tests.rigs.certificates import make_pair

REQUEST = b"GET /viewer/index.html HTTP/1.1\r\nHost: localhost\r\n\r\n"


def connections(rig: WebServerRig) -> int:
    """How many the server counts."""
    assert rig.server._acceptor is not None
    return len(rig.server._acceptor._room)


async def until(what: object, limit: float = 10.0) -> None:
    async with asyncio.timeout(limit):
        while not what():  # type: ignore[operator]
            await asyncio.sleep(0.02)


async def connect(rig: WebServerRig) -> socket.socket:
    """A connection whose other end reads nothing by itself."""
    mine = socket.socket()
    mine.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    mine.setblocking(False)
    await asyncio.get_running_loop().sock_connect(mine, ("127.0.0.1", rig.server.port))
    return mine


async def test_who_never_reads_is_gone_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "UNREAD_LIMIT", 1.0)
    async with served() as rig:
        with await connect(rig) as mine:
            await asyncio.get_running_loop().sock_sendall(mine, REQUEST * 500)
            await until(lambda: connections(rig) == 1)
            await until(lambda: connections(rig) == 0, 8)


async def test_the_kernel_has_the_limit_for_each_connection() -> None:
    async with served() as rig:
        talk = await rig.talk()
        (handler,) = rig.server._runner.server.connections  # type: ignore[union-attr]
        theirs = handler.transport.get_extra_info("socket")
        assert theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 15_000
        await talk.socket.close()


async def test_one_address_has_its_share_and_no_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    monkeypatch.setattr(accept.access, "is_loopback", lambda address: False)
    async with served(max_viewers=1) as rig:
        share = rig.server._acceptor._room.most_at[0]  # type: ignore[union-attr]
        idle = [await connect(rig) for _ in range(share)]
        await until(lambda: connections(rig) == share)
        with await connect(rig) as one_more:
            assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(one_more, 1), 2) == b""
        idle.pop().close()
        await until(lambda: connections(rig) == share - 1)
        async with rig.client.get(f"{rig.url}/healthz") as response:
            assert response.status == 200
        for one in idle:
            one.close()
        await rig.client.close()
        await until(lambda: connections(rig) == 0)
    assert "refused 127.0.0.1: too many connections" in caplog.messages


@pytest.mark.parametrize("secure", [False, True])
async def test_who_holds_on_to_connections_takes_nobody_s_room(tmp_path, secure: bool) -> None:
    pair = make_pair(tmp_path)
    async with served(max_viewers=1, **(pair.settings if secure else {})) as rig:
        url, trusted = (rig.url.replace("http:", "https:"), pair.trusted()) if secure else (rig.url, True)
        url = url.replace("127.0.0.1", "localhost")
        talk = Talk(await rig.client.ws_connect(f"{url}/ws", protocols=[SUBPROTOCOL], ssl=trusted))
        await talk.play()
        most = rig.server._acceptor._room.most  # type: ignore[union-attr]
        idle = [await connect(rig) for _ in range(most + 20)]
        await until(lambda: connections(rig) == most)
        async with rig.client.get(f"{url}/healthz", ssl=trusted) as response:
            assert response.status == 200
        assert await asyncio.wait_for(is_cut_off(idle[0]), 2)
        await talk.say("heartbeat")
        await talk.hear("heartbeat")
        for one in idle:
            one.close()
        await talk.say("bye")
        await rig.client.close()
        await until(lambda: connections(rig) == 0)


async def is_cut_off(mine: socket.socket) -> bool:
    try:
        return await asyncio.get_running_loop().sock_recv(mine, 1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"])
async def test_who_has_not_begun_tls_is_counted_too(tmp_path, said: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "HANDSHAKE_LIMIT", 0.3)
    async with served(**make_pair(tmp_path).settings) as rig:
        with await connect(rig) as mine:
            await until(lambda: connections(rig) == 1)
            await asyncio.get_running_loop().sock_sendall(mine, said)
            await until(lambda: connections(rig) == 0)


async def test_the_end_waits_for_no_connection_that_has_just_come(tmp_path) -> None:
    async with served(**make_pair(tmp_path).settings) as rig:
        mine = [await connect(rig) for _ in range(5)]
    assert connections(rig) == 0
    for one in mine:
        one.close()


class Exhausted(socket.socket):
    """Listens on a machine that has no descriptor left, for now."""

    asked = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.asked += 1
        if self.asked < 3:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_without_descriptors_it_waits_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(accept, "_RETRY", 0.1)
    listener = Exhausted()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    log = RateLimitedLogger(logging.getLogger("accept"), RealClock())
    acceptor = Acceptor([listener], asyncio.Protocol, None, Room(1, lambda address: True), log, lambda host: True)
    acceptor.start()
    _, writer = await asyncio.open_connection(*listener.getsockname())
    await until(lambda: len(acceptor._room) == 1)
    assert caplog.messages == ["no connection can be taken for now: Too many open files"]
    writer.close()
    await until(lambda: len(acceptor._room) == 0)
    await acceptor.close()
