"""Temporary TURN credentials, and the servers as browsers and aioice configure them."""

import logging

import pytest

from broadcaster.settings import IceServer
from broadcaster.webrtc.servers import Servers, aioice_arguments, rtc_ice_server, turn_credentials
from tests.rigs.timetravel import TravelClock

STUN = IceServer(("stun:stun.example.org",))
TURN = IceServer(("turn:turn.example.org",))
STATIC = IceServer(("turn:old.example.org",), "me", "mine")


def test_credentials_match_coturn():
    # printf 1700086400:v1 | openssl dgst -sha1 -hmac north-wind -binary | base64
    assert turn_credentials("north-wind", "v1", 1_700_000_000.9) == ("1700086400:v1", "VJxGReiiAjXBvq4QbTrGCTgpmHs=")


def test_each_offer_has_new_credentials():
    clock = TravelClock()
    servers = Servers((STUN, TURN, STATIC), "north-wind", clock)
    stun, turn, static = servers.for_offer("v1")
    assert (stun, static) == (STUN, STATIC)
    assert (turn.username, turn.credential) == turn_credentials("north-wind", "v1", clock.unix())
    clock.now += 60
    _, later, _ = servers.for_offer("v1")
    assert int(later.username.split(":")[0]) - int(turn.username.split(":")[0]) == 60
    assert servers.for_offer("v2")[1].username.endswith(":v2")


def test_unset_clock_is_logged_once(caplog):
    clock = TravelClock()
    clock.unix_offset = 0
    servers = Servers((TURN,), "north-wind", clock)
    with caplog.at_level(logging.WARNING):
        for viewer in ("v1", "v2"):
            assert servers.for_offer(viewer)[0].credential
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["clock not set"]


def test_unset_clock_is_not_logged_without_temporary_credentials(caplog):
    clock = TravelClock()
    clock.unix_offset = 0
    assert Servers((STUN, STATIC), "", clock).for_offer("v1") == (STUN, STATIC)
    assert not caplog.records


def test_rtc_ice_server_has_only_fields_with_values():
    assert rtc_ice_server(STUN) == {"urls": ["stun:stun.example.org"]}
    assert rtc_ice_server(STATIC) == {"urls": ["turn:old.example.org"], "username": "me", "credential": "mine"}


def turn(host: str, port: int, transport: str = "udp", *, ssl: bool = False) -> dict[str, object]:
    return {"turn_server": (host, port), "turn_username": "me", "turn_password": "mine",
            "turn_ssl": ssl, "turn_transport": transport}  # fmt: skip


@pytest.mark.parametrize(
    ("url", "arguments"),
    [
        ("stun:a.example", {"stun_server": ("a.example", 3478)}),
        ("stun:192.0.2.1:99", {"stun_server": ("192.0.2.1", 99)}),
        ("turn:a.example", turn("a.example", 3478)),
        ("turn:[2001:db8::1]:99", turn("2001:db8::1", 99)),
        ("turn:a.example?transport=tcp", turn("a.example", 3478, "tcp")),
        ("turns:a.example", turn("a.example", 5349, "tcp", ssl=True)),
        ("turns:a.example:443?transport=tcp", turn("a.example", 443, "tcp", ssl=True)),
        ("turns:a.example?transport=udp", {}),
        ("stuns:a.example", {}),
    ],
)
def test_aioice_arguments_of_supported_urls(url, arguments):
    assert aioice_arguments([IceServer((url,), "me", "mine")]) == arguments


def test_aioice_uses_the_first_server_of_each_type():
    servers = [
        IceServer(("stuns:no", "stun:a", "stun:b")),
        IceServer(("turns:no?transport=udp",), "x", "y"),
        STATIC,
        TURN,
    ]
    assert aioice_arguments(servers) == {"stun_server": ("a", 3478), **turn("old.example.org", 3478)}
