"""The request guard: health checks, host names, and its messages to owners."""

import asyncio
import logging
import socket

import pytest

from broadcaster.cli.addresses import names, page_addresses
from broadcaster.settings import WebSettings, read
from broadcaster.web import request_guard, server
from tests.edges.web_rig import WebServerRig, served

GET = "GET {} HTTP/{}\r\nConnection: close\r\n{}\r\n"


async def ask(rig: WebServerRig, path: str = "/healthz", version: str = "1.1", *headers: str) -> tuple[int, str]:
    """Send a request with exactly these headers; return status and complete response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
    writer.write(GET.format(path, version, "".join(f"{header}\r\n" for header in headers)).encode())
    response = (await asyncio.wait_for(reader.read(), 5)).decode("utf-8", "replace")
    writer.close()
    return int(response.split()[1]), response


async def test_http_1_0_health_checks_need_no_host() -> None:
    async with served() as rig:
        for path in ("/healthz", "/", "/api/status"):
            assert (await ask(rig, path, "1.0"))[0] == 200
        assert (await ask(rig, "/healthz", "1.0", "Host: rebound.example"))[0] == 421
        assert (await ask(rig, "/healthz", "1.1"))[0] == 400
        _, response = await ask(rig, "/api/status", "1.0")
        assert "viewer_figures" not in response, "without Host it is not the operator"


async def test_without_host_every_origin_is_refused() -> None:
    async with served() as rig:
        assert (await ask(rig, "/ws", "1.0", "Origin: http://127.0.0.1"))[0] == 403


@pytest.mark.parametrize("size", [9_000, 15_000])
async def test_large_cookies_are_accepted(size: int) -> None:
    async with served() as rig:
        assert (await ask(rig, "/", "1.1", "Host: localhost", f"Cookie: session={'a' * size}"))[0] == 200


@pytest.mark.parametrize(
    "request_text",
    [
        "GET / HTTP/1.1\r\nHost: localhost\r\nCookie: session=hush" + "a" * 20_000 + "\r\n\r\n",
        "GET /?t=hush" + "a" * 20_000 + " HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nCookie hush: 1\r\n\r\n",
        "GET /#t=hush\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET hush HTTP/1.1\r\nAuthorization: Bearer hush\x00\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: hush\r\n\r\n",
    ],
)
async def test_malformed_requests_are_logged_without_their_content(
    request_text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with served() as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.server.port)
        writer.write(request_text.encode())
        status_line = await asyncio.wait_for(reader.read(12), 5)
        writer.close()
    assert status_line.startswith(b"HTTP/1.")
    assert "hush" not in caplog.text
    assert "malformed request" in caplog.text


async def test_a_renamed_host_is_reached_by_its_new_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_RELOAD_INTERVAL", 0.02)
    async with served() as rig:
        assert (await ask(rig, "/", "1.1", "Host: garden.local"))[0] == 421
        monkeypatch.setattr(socket, "gethostname", lambda: "garden")
        async with asyncio.timeout(5):
            while (await ask(rig, "/", "1.1", "Host: garden.local"))[0] != 200:
                await asyncio.sleep(0.02)
        monkeypatch.setattr(socket, "gethostname", lambda: "garage")
        async with asyncio.timeout(5):
            while (await ask(rig, "/", "1.1", "Host: garden.local"))[0] != 421:
                await asyncio.sleep(0.02)


def test_system_names_include_that_in_the_hostname_file(monkeypatch, tmp_path) -> None:
    (tmp_path / "hostname").write_text("garage\n")
    monkeypatch.setattr(socket, "gethostname", lambda: "garden")
    monkeypatch.setattr(request_guard, "_HOSTNAME_FILE", tmp_path / "hostname")
    assert request_guard.system_names() == {"garden", "garage"}
    monkeypatch.setattr(request_guard, "_HOSTNAME_FILE", tmp_path / "none")
    assert "" in request_guard.system_names()
    assert request_guard.access.own_names(request_guard.system_names(), []) >= {"localhost", "garden.local"}


@pytest.mark.parametrize("hostname", ["köln", "東京", "pi", "Pi-2.example.org"])
async def test_all_printed_host_names_are_accepted(hostname: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: hostname)
    hosts = read("", ["web.hosts=['münchen.example', 'cam.example.org']"]).web.hosts
    printed = [
        *names(hostname, multicast=True),
        *page_addresses(WebSettings(hosts=hosts, trusted_proxies=("127.0.0.1",)), 8080),
    ]
    async with served(hosts=hosts) as rig:
        for name in printed:
            host = name.removeprefix("https://").removeprefix("http://").removesuffix("/")
            assert host.isascii(), "browsers send ASCII"
            assert (await ask(rig, "/", "1.1", f"Host: {host}"))[0] == 200, host


async def test_a_proxy_that_drops_the_port_from_host_is_logged_with_a_hint(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with served(hosts=("cam.example.org",)) as rig:
        refused = await ask(rig, "/ws", "1.1", "Host: cam.example.org", "Origin: http://cam.example.org:8443")
        assert refused[0] == 403
        assert "web.origins" in refused[1]
        assert "a reverse proxy must pass Host on with its port, and not as cam.example.org" in caplog.text
        caplog.clear()
        await ask(rig, "/ws", "1.1", "Host: cam.example.org", "Origin: https://other.example")
        assert "Origin https://other.example is not in web.origins" in caplog.text
        assert "proxy" not in caplog.text


async def test_a_post_to_the_websocket_endpoint_tells_why_it_was_refused() -> None:
    async with served(hosts=("cam.example.org",)) as rig:
        for host, origin, status, setting in (
            ("cam.example.org", "http://cam.example.org:8443", 403, "web.origins"),
            ("cam.example.org", "null", 403, "web.origins"),
            ("rebound.example", "http://rebound.example", 421, "web.hosts"),
            ("cam.example.org", "http://cam.example.org", 405, ""),
        ):
            headers = {"Host": host, "Origin": origin}
            async with rig.client.post(f"{rig.url}/ws", headers=headers) as response:
                assert response.status == status
                assert setting in await response.text()


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        ("web.hosts=['köln.example']", ("xn--kln-sna.example",)),
        (
            "web.origins=['https://köln.example:8443', 'http://[::1]']",
            ("https://xn--kln-sna.example:8443", "http://[::1]"),
        ),
    ],
)
def test_host_names_in_settings_may_be_international(setting: str, values: tuple[str, ...]) -> None:
    web = read("", [setting]).web
    assert values in (web.hosts, web.origins)
