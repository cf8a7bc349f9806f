"""The answers of media servers to a WHIP offer: those of real servers are accepted, and candidates on this machine."""

from pathlib import Path

import pytest
from aiortc.sdp import SessionDescription

from broadcaster.errors import BadAnswer
from broadcaster.signaling.candidates import Dropped, filter_candidate, filter_server_candidate
from broadcaster.signaling.sdp import filter_answer

SDP = Path(__file__).parent / "sdp"


def recorded(name: str) -> str:
    return (SDP / f"whip-{name}.sdp").read_bytes().decode()


OFFER = recorded("offer")
OWN = frozenset({"192.0.2.2", "fd00::2"})
"""The recorded servers ran on the machine of the daemon."""


@pytest.mark.parametrize(
    ("server", "rtx", "role", "lite", "candidates"),
    [
        ("aiortc", True, "client", False, 2),
        ("gst", True, "client", False, 3),
        ("janus", True, "client", False, 1),
        ("janus-lite", True, "client", True, 1),
        ("janus-lite-own", True, "client", True, 1),
        ("livekit-like", False, "client", False, 2),
        ("passive-lite", True, "server", True, 2),
        ("passive-lite-own", True, "server", True, 2),
        ("pion", True, "client", False, 2),
        ("wrtc", True, "client", False, 2),
    ],
)
def test_answers_of_media_servers_are_accepted(server: str, rtx: bool, role: str, lite: bool, candidates: int) -> None:
    filtered = filter_answer(OFFER, recorded(server), of_server=True)
    video, audio = SessionDescription.parse(filtered.sdp).media
    assert [codec.name.upper() for codec in video.rtp.codecs] == ["H264", *(["RTX"] if rtx else [])]
    assert [codec.name.lower() for codec in audio.rtp.codecs] == ["opus"]
    assert {media.dtls.role for media in (video, audio) if media.dtls} == {role}
    assert {media.ice.iceLite for media in (video, audio)} == {lite}
    usable = []
    for text in dict.fromkeys(filtered.candidates):
        try:
            usable.append(filter_server_candidate(text, loopback=False).address)
        except Dropped as reason:
            assert str(reason) in ("not UDP", "not component 1")  # noqa: PT017 - each line is one case
    assert len(usable) == candidates


@pytest.mark.parametrize("server", ["passive-lite", "passive-lite-own"])
def test_viewers_may_not_choose_the_dtls_role(server: str) -> None:
    with pytest.raises(BadAnswer, match="setup that is not active"):
        filter_answer(OFFER, recorded(server))


@pytest.mark.parametrize("server", ["janus-lite", "janus-lite-own"])
def test_ice_lite_of_a_viewer_is_left_out(server: str) -> None:
    assert "ice-lite" not in filter_answer(OFFER, recorded(server)).sdp


def test_server_with_other_setup_is_rejected() -> None:
    with pytest.raises(BadAnswer, match="setup"):
        filter_answer(OFFER, recorded("pion").replace("setup:active", "setup:actpass"), of_server=True)


def candidate(address: str, port: int = 50000) -> str:
    return f"candidate:1 1 udp 2130706431 {address} {port} typ host"


@pytest.mark.parametrize("address", sorted(OWN))
def test_own_addresses_are_allowed_for_servers_and_not_for_viewers(address: str) -> None:
    assert filter_server_candidate(candidate(address), loopback=False).address == address
    with pytest.raises(Dropped, match="our own address"):
        filter_candidate(candidate(address), OWN)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_loopback_is_allowed_only_for_servers_that_are_reached_there(address: str) -> None:
    assert filter_server_candidate(candidate(address), loopback=True).address == address
    with pytest.raises(Dropped, match="loopback"):
        filter_server_candidate(candidate(address), loopback=False)
    with pytest.raises(Dropped, match="loopback"):
        filter_candidate(candidate(address), frozenset())


@pytest.mark.parametrize("address", ["224.0.0.1", "ff02::1", "0.0.0.0", "::", "255.255.255.255", "::ffff:192.0.2.1"])
def test_addresses_that_are_no_machine_are_dropped_for_servers_too(address: str) -> None:
    with pytest.raises(Dropped):
        filter_server_candidate(candidate(address), loopback=True)


def test_servers_may_use_ports_that_firewalls_let_through() -> None:
    assert filter_server_candidate(candidate("192.0.2.9", 443), loopback=False).port == 443
    for port in (0, 65536):
        with pytest.raises(Dropped, match="port"):
            filter_server_candidate(candidate("192.0.2.9", port), loopback=False)
    with pytest.raises(Dropped, match="port"):
        filter_candidate(candidate("192.0.2.9", 443), frozenset())
