"""The API and the server over real HTTP."""

import asyncio
import re
import shutil
import socket
import subprocess
from pathlib import Path

import aiohttp
import pytest

from broadcaster.errors import BroadcasterError, StreamReason
from broadcaster.model.stream import StreamState
from broadcaster.signaling.protocol import CloseCode
from broadcaster.storage.secrets import SecretFile
from broadcaster.web import page, server
from tests.edges.web_rig import served

JSON = {"Content-Type": "application/json"}


async def test_status_includes_stats_of_viewers_only_for_the_operator() -> None:
    async with served(operator_token="op") as rig:
        viewer = await rig.connect()
        await viewer.join()
        await viewer.send("keyframe")
        async with rig.client.get(f"{rig.url}/api/status") as response:
            status = await response.json()
        assert status["stream"] == {"state": "live", "since": 1.0, "sound": "on"}
        assert (status["viewers"], status["limit"], status["version"]) == (1, 20, "1.2.3")
        assert (status["source"], status["encoder"]) == ("test picture", "libx264")
        assert 0 <= status["uptime"] < 5
        assert not {"viewer_figures", "problem"} & set(status), "a problem may name a file"
        async with rig.client.get(f"{rig.url}/api/status", headers={"Authorization": "Bearer op"}) as response:
            (stats,) = (await response.json())["viewer_figures"]
        assert (stats["viewer"], stats["address"], stats["connected"]) == ("v1", "127.0.0.1", True)
        assert stats["peers"][0]["bytes_sent"] == 77


@pytest.mark.parametrize("how", ["token", "links"])
async def test_status_of_a_private_stream_is_limited_to_its_state_for_others(how: str, tmp_path: Path) -> None:
    private = {"viewer_token": "right"} if how == "token" else {"links": True, "link_key": SecretFile(tmp_path / "key")}
    async with served(operator_token="op", **private) as rig:
        async with rig.client.get(f"{rig.url}/api/status") as response:
            assert await response.json() == {"stream": {"state": "live"}, "private": True}
        async with rig.client.get(f"{rig.url}/api/status", headers={"Authorization": "Bearer op"}) as response:
            assert (await response.json())["source"] == "test picture"


@pytest.mark.parametrize("live", [True, False])
async def test_post_live_starts_and_stops(live: bool) -> None:
    async with served() as rig:
        async with rig.client.post(f"{rig.url}/api/live", json={"live": live}) as response:
            assert response.status == 200
        assert rig.stream.requested == [live]


async def test_requests_are_refused_while_the_daemon_shuts_down() -> None:
    async with served() as rig:
        viewer = await rig.connect()
        await viewer.join()
        released, peer = asyncio.Event(), rig.peers.created[0]

        async def close_late() -> None:
            await released.wait()
            peer.closed = True

        peer.close = close_late
        async with rig.client.get(f"{rig.url}/healthz") as response:
            assert response.status == 200, "this connection is kept alive"
        closing = asyncio.create_task(rig.server.close())
        assert await viewer.close_code() == CloseCode.GOING_AWAY
        async with rig.client.post(f"{rig.url}/api/live", json={"live": True}) as response:
            assert response.status == 503
        assert rig.stream.requested == []
        released.set()
        await closing


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (JSON, '{"live": 1}', 400),
        (JSON, "[]", 400),
        (JSON, "[" * 4000, 400),
        (JSON, "\xff", 400),
        (JSON, '{"live": true}' + " " * 5000, 413),
        ({"Content-Type": "text/plain"}, '{"live": true}', 415),
        ({**JSON, "Origin": "http://evil.example"}, '{"live": true}', 403),
        ({**JSON, "Origin": "null"}, '{"live": true}', 403),
        ({**JSON, "Host": "rebound.example"}, '{"live": true}', 421),
        ({**JSON, "Host": "192.168.1.2:8080"}, '{"live": true}', 403),
        ({**JSON, "X-Forwarded-For": "192.0.2.1"}, '{"live": true}', 403),
        ({**JSON, "Forwarded": "for=192.0.2.1"}, '{"live": true}', 403),
    ],
)
async def test_invalid_or_unauthorized_post_live_is_refused(headers: dict[str, str], body: str, status: int) -> None:
    async with served() as rig:
        async with rig.client.post(f"{rig.url}/api/live", data=body.encode("latin-1"), headers=headers) as response:
            assert response.status == status
        assert rig.stream.requested == []


async def test_post_live_with_the_configured_operator_token() -> None:
    async with served(operator_token="op") as rig:

        async def post(**headers: str) -> int:
            async with rig.client.post(f"{rig.url}/api/live", json={"live": True}, headers=headers) as response:
                return response.status

        assert await post() == 401, "loopback alone is not sufficient then"
        assert await post(Authorization="Bearer op", Host="192.168.1.2") == 200
        for number in range(5):
            assert await post(Authorization=f"Bearer guess{number}") == 401
        assert await post(Authorization="Bearer op") == 429
        assert rig.stream.requested == [True]


async def test_post_live_with_the_generated_operator_token(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    file = SecretFile(tmp_path / "token")
    async with served(operator_token_file=file) as rig:
        token = file.path.read_text().strip()

        async def post(**headers: str) -> int:
            async with rig.client.post(f"{rig.url}/api/live", json={"live": True}, headers=headers) as response:
                assert str(tmp_path) not in await response.text(), "the path is not disclosed"
                return response.status

        assert await post() == 200, "no token is needed on this machine"
        assert await post(Host="192.168.1.2") == 401
        assert await post(Host="192.168.1.2", Authorization=f"Bearer {token}") == 200
        for number in range(6):
            assert await post(Authorization=f"Bearer viewer{number}") == 200, "not needed here, and not counted"
        for number in range(5):
            assert await post(Host="192.168.1.2", Authorization=f"Bearer guess{number}") == 401
        assert await post(Host="192.168.1.2", Authorization="Bearer guess") == 429
        assert await post(Host="192.168.1.2", Authorization=f"Bearer {token}") == 200, (
            "the generated token is not rate-limited"
        )
        assert rig.stream.requested == [True] * 9
    assert token not in caplog.text
    assert "guess" not in caplog.text


async def test_the_readme_s_command_passes_the_operator_token_without_exposing_it(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: sudo apt install curl")
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    match = re.search(r"(sed 's/[^']+' )operator_token \| (curl .*) http://…(/\S+)\n", readme)
    assert match, "the command is missing in README.md"
    file = SecretFile(tmp_path / "token")
    async with served(operator_token_file=file) as rig:
        elsewhere = "-s -f -H 'X-Forwarded-For: 192.0.2.1'"
        command = f"{match[1]} {file.path} | {match[2]} {elsewhere} {rig.url}{match[3]}"
        assert "$" not in command
        shell = await asyncio.create_subprocess_shell(command, stdout=subprocess.DEVNULL)
        assert await asyncio.wait_for(shell.wait(), 20) == 0
        assert rig.stream.requested == [True]


async def test_a_renewed_operator_token_replaces_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_RELOAD_INTERVAL", 0.05)
    file = SecretFile(tmp_path / "token")
    async with served(operator_token_file=file) as rig:
        headers = {"Host": "192.168.1.2", "Authorization": f"Bearer {file.read()}"}
        file.renew()
        async with asyncio.timeout(10):
            while True:
                async with rig.client.get(f"{rig.url}/api/status", headers=headers) as response:
                    if response.status == 401:
                        break
                await asyncio.sleep(0.1)


async def test_without_a_token_file_this_machine_is_still_the_operator(caplog: pytest.LogCaptureFixture) -> None:
    async with served(operator_token_file=SecretFile(Path("/dev/null/token"))) as rig:
        async with rig.client.post(f"{rig.url}/api/live", json={"live": True}) as response:
            assert response.status == 200
        headers = {"Host": "192.168.1.2", "Authorization": "Bearer anything"}
        async with rig.client.post(f"{rig.url}/api/live", json={"live": True}, headers=headers) as response:
            assert response.status == 403
    assert "on this machine only: /dev/null/token cannot be read" in caplog.text


@pytest.mark.parametrize(
    ("state", "status"), [(StreamState.OFFLINE, 200), (StreamState.LIVE, 200), (StreamState.FAILED, 503)]
)
async def test_healthz_reports_failure_with_503(state: StreamState, status: int) -> None:
    async with served() as rig:
        rig.stream.change(state, StreamReason.CAMERA_LOST if state is StreamState.FAILED else None)
        async with rig.client.get(f"{rig.url}/healthz") as response:
            assert response.status == status
            if status == 503:
                assert (await response.json())["reason"] == "camera-lost"


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
async def test_invalid_http_is_refused_without_traceback(garbage: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with served() as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
        writer.write(garbage)
        status_line = await asyncio.wait_for(reader.read(12), 2)
        assert status_line in (b"HTTP/1.1 400", b"HTTP/1.0 400", b"HTTP/1.1 421", b"HTTP/1.0 421", b"HTTP/1.1 431")
        writer.transport.abort()
        async with rig.client.get(f"{rig.url}/healthz") as response:
            assert response.status == 200
    assert not [record for record in caplog.records if record.exc_info or record.levelname == "ERROR"]


async def test_a_bug_in_a_handler_is_logged_with_rate_limit(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(page: object, request: object, path: str) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(page.Page, "_serve", fail)
    monkeypatch.setattr("broadcaster.devices.clock.SystemClock.monotonic", lambda self: 5.0)
    async with served() as rig:
        for _ in range(30):
            async with rig.client.get(f"{rig.url}/viewer/style.css") as response:
                assert response.status == 500
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 10
    assert sum(record.exc_info is not None for record in caplog.records) == 1


async def test_the_error_for_a_port_in_use_names_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BroadcasterError, match=rf"web\.port.*{port}.*in use"):
            async with served(port=port):
                pass


async def test_the_error_for_an_address_of_another_machine_names_the_setting() -> None:
    with pytest.raises(BroadcasterError, match=r"web\.host"):
        async with served(host="192.0.2.77"):
            pass


async def test_an_empty_host_listens_on_both_ip_versions() -> None:
    async with served(host="") as rig:
        for address in ("127.0.0.1", "[::1]"):
            try:
                async with rig.client.get(f"http://{address}:{rig.server.port}/healthz") as response:
                    assert response.status == 200
            except aiohttp.ClientConnectorError:
                assert address == "[::1]", "only IPv6 may be missing"
