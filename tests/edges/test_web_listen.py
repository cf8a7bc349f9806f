"""Listening addresses, and how log and start banner show them."""

import asyncio
import errno
import logging
import re
import socket

import pytest

from broadcaster.cli import addresses
from broadcaster.doctor.checks import network
from broadcaster.web import listen
from tests.edges.web_rig import served
from tests.rigs.namespaces import Namespace, unavailable

OWN_ADDRESSES = ["127.0.0.1", "192.168.1.20", "::1", "2001:db8::20"]


@pytest.fixture
def _no_ipv6(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel without IPv6 (`ipv6.disable=1`)."""

    class WithoutIpv6(socket.socket):
        def __init__(self, family: int = socket.AF_INET, *arguments: int, **more: object) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
            super().__init__(family, *arguments, **more)

    monkeypatch.setattr(socket, "socket", WithoutIpv6)


async def reachable(port: int) -> set[str]:
    """Return the loopback addresses that accept a connection."""
    accepting = set()
    for address in ("127.0.0.1", "::1"):
        try:
            _, writer = await asyncio.open_connection(address, port)
        except OSError:
            continue
        writer.close()
        accepting.add(address)
    return accepting


def printed(host: str, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Return the numeric addresses in the start banner."""
    monkeypatch.setattr(addresses, "own_addresses", lambda: OWN_ADDRESSES)
    return {link for link in addresses.reachable_at(host, 8080) if re.search(r"//[\d\[]", link)}


BOTH = {"http://192.168.1.20:8080/", "http://[2001:db8::20]:8080/"}


@pytest.mark.parametrize(
    ("host", "accepting", "logged", "links"),
    [
        ("", {"127.0.0.1", "::1"}, r"0\.0\.0\.0:PORT and \[::\]:PORT", BOTH),
        ("::", {"127.0.0.1", "::1"}, r"0\.0\.0\.0:PORT and \[::\]:PORT", BOTH),
        ("0.0.0.0", {"127.0.0.1"}, r"0\.0\.0\.0:PORT", {"http://192.168.1.20:8080/"}),
        ("127.0.0.1", {"127.0.0.1"}, r"127\.0\.0\.1:PORT", {"http://127.0.0.1:8080/"}),
        ("::1", {"::1"}, r"\[::1\]:PORT", {"http://[::1]:8080/"}),
    ],
)
async def test_log_and_banner_show_the_listening_addresses(
    host: str,
    accepting: set[str],
    logged: str,
    links: set[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    async with served(host=host) as rig:
        assert await reachable(rig.server.port) == accepting
        assert re.search(f"listening on {logged.replace('PORT', str(rig.server.port))}$", caplog.text, re.MULTILINE)
        assert printed(host, monkeypatch) == links


@pytest.mark.usefixtures("_no_ipv6")
@pytest.mark.parametrize("host", ["", "::"])
async def test_without_ipv6_log_and_banner_show_ipv4_only(
    host: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with served(host=host) as rig:
        assert f"listening on 0.0.0.0:{rig.server.port} (this machine has no IPv6)" in caplog.text
        assert printed(host, monkeypatch) == {"http://192.168.1.20:8080/"}


@pytest.mark.parametrize(("family", "taken"), [(socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")])
async def test_a_port_in_use_on_one_ip_version_is_an_error(family: int, taken: str) -> None:
    with socket.create_server((taken, 0), family=family) as other:
        port = other.getsockname()[1]
        with pytest.raises(Exception, match=f"web.port: port {port} is in use") as raised:
            await listen.open_listeners("", port)
    assert raised.type.__name__ == "BroadcasterError"


@pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
async def test_link_local_addresses_are_shown_if_there_are_no_others() -> None:
    async def scenario() -> list[str]:
        namespace.ip("link add far type veth peer name near")
        namespace.ip("link set far up")
        namespace.ip("link set near up")
        namespace.ip("address add 169.254.3.7/16 dev near")
        return addresses.reachable_at("", 8080)

    namespace = Namespace()
    try:
        links = await namespace.run(scenario)
    finally:
        namespace.close()
    assert "http://169.254.3.7:8080/" in links
    assert "can watch" in network.evaluate_addresses("", links).found
