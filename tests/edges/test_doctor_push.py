"""`broadcaster check push` against real servers: one line for each target, with what is wrong and what helps."""

from __future__ import annotations

import socket
import ssl

import pytest
from aiohttp import web

from broadcaster.doctor.checks.push import ServerAnswer, ask, evaluate
from broadcaster.doctor.result import CheckResult, Level
from broadcaster.settings import PushTarget
from tests.rigs.certificates import make_pair
from tests.rigs.whip_server import WhipServer


async def check(url: str, **fields: object) -> CheckResult:
    target = PushTarget("relay", url, **fields)
    return evaluate(target, await ask(target))


async def test_server_that_answers_is_fine_and_nothing_is_published():
    async with WhipServer() as server:
        result = await check(server.url, token="hush")
        assert (result.level, result.found) == (
            Level.OK,
            f'"relay", http://127.0.0.1:{server.port} answers with HTTP 204',
        )
        assert server.requests == [("OPTIONS", "/whip", "Bearer hush")]


@pytest.mark.parametrize(
    ("status", "level", "found"),
    [
        (200, Level.OK, "answers with HTTP 200"),
        (405, Level.OK, "answers with HTTP 405"),
        (401, Level.WARNING, "wants another token"),
        (403, Level.WARNING, "wants another token"),
        (404, Level.WARNING, "no WHIP endpoint at this URL"),
        (501, Level.WARNING, "the server has an error, or is no WHIP server"),
    ],
)
async def test_status_of_the_server_is_explained(status, level, found):
    async with WhipServer() as server:

        async def answer(request: web.Request) -> web.Response:
            return web.Response(status=status)

        server.options = answer
        result = await check(server.url)
        assert result.level is level
        assert found in result.found


async def test_port_without_a_server():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        result = await check(f"http://127.0.0.1:{port}/whip")
    assert (result.level, result.found) == (
        Level.WARNING,
        f'"relay", http://127.0.0.1:{port}: cannot connect to 127.0.0.1 port {port}: Connection refused',
    )


@pytest.mark.parametrize("host", ["a..b", "a" * 64])
async def test_host_name_that_cannot_be_looked_up(host):
    result = await check(f"http://{host}/whip")
    assert result.level is Level.WARNING
    assert result.found.endswith("the URL has an invalid host name or port")


async def test_redirection_to_a_host_name_that_cannot_be_looked_up():
    async with WhipServer() as server:

        async def redirect(request: web.Request) -> web.Response:
            return web.Response(status=307, headers={"Location": "http://a..b/x"})

        server.options = redirect
        result = await check(server.url)
    assert result.level is Level.WARNING
    assert "the server's Location header is missing or no http URL" in result.found


async def test_server_that_does_not_answer():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        result = await check(f"http://127.0.0.1:{silent.getsockname()[1]}/whip")
    assert result.level is Level.WARNING
    assert "does not answer" in result.found


async def test_certificate_of_an_unknown_authority_is_not_accepted(tmp_path):
    pair = make_pair(tmp_path, names=["localhost"])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pair.certificate, pair.key)
    async with WhipServer(tls=tls) as server:
        result = await check(f"https://localhost:{server.port}/whip")
        assert not server.requests
    assert result.level is Level.WARNING
    assert "the server's TLS certificate is not valid" in result.found


async def test_token_file_that_is_missing(tmp_path):
    result = await check("http://127.0.0.1:9/whip", token_file=str(tmp_path / "token"))
    assert f"token_file: {tmp_path}/token cannot be read: No such file or directory" in result.found
    assert f"install -m 640 -g broadcaster /dev/stdin {tmp_path}/token" in result.fix
    assert "systemctl reload" in result.fix
    assert "restart" not in result.fix


async def test_disabled_target_is_not_asked():
    async with WhipServer() as server:
        result = await check(server.url, enabled=False)
        assert result.found.endswith("disabled")
        assert not server.requests


@pytest.mark.parametrize(
    ("url", "token", "level"),
    [
        ("http://192.0.2.7:8889/whip", "hush", Level.WARNING),
        ("http://192.0.2.7:8889/whip", "", Level.OK),
        ("https://192.0.2.7/whip", "hush", Level.OK),
        ("http://[::1]:8889/whip", "hush", Level.OK),
        ("http://localhost/whip", "hush", Level.OK),
    ],
)
def test_token_without_encryption_is_reported(url, token, level):
    assert evaluate(PushTarget("relay", url, token), ServerAnswer(204)).level is level
