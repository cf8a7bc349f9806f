"""What `broadcaster status` and `broadcaster viewers` make of the daemon's answer."""

from __future__ import annotations

import pytest

from broadcaster.cli import owner
from broadcaster.cli.owner import duration
from broadcaster.cli.target import Target
from broadcaster.errors import BroadcasterError
from broadcaster.service.daemon_client import DaemonClient, NoDaemon, Refused, operator_token
from broadcaster.settings import Settings, WebSettings

PEER = {"health": "ok", "loss": 0.0125, "round_trip": 0.0421, "remb": 2_500_000, "route": "host"}
ANNA = {"viewer": "v1", "link": {"name": "Anna"}, "address": "192.0.2.7", "connected": True, "kept": False}
STATUS = {
    "stream": {"state": "live", "since": 1000.0, "sound": "lost"},
    "private": False,
    "viewers": 1,
    "limit": 20,
    "uptime": 7500.2,
    "source": "test picture",
    "encoder": "libx264",
    "audio_source": "test tone",
    "width": 1280,
    "height": 720,
    "fps": 30.0,
    "capacity": {"bitrate_wanted": 2_500_000, "overloaded": False, "loop_lag_p99": 1.5},
    "version": "1.2.3",
    "viewer_figures": [ANNA | {"peers": [PEER]}, ANNA | {"link": None, "connected": False, "peers": []}],
}


@pytest.fixture
def target(tmp_path, monkeypatch):
    """A daemon whose answers are those in `told`; without any, nobody listens."""
    told: list[object] = []

    def ask(self: DaemonClient) -> object:
        if not told:
            raise NoDaemon(f"no broadcaster answers at {self.url}")
        return told.pop(0) if len(told) > 1 else told[0]

    monkeypatch.setattr(DaemonClient, "status", ask)
    monkeypatch.setattr(DaemonClient, "set_live", lambda self, live: ask(self))
    return Target(Settings(), tmp_path, is_service=False), told


def test_a_block_to_read(target):
    daemon, told = target
    told.append(STATUS)
    assert owner.status(daemon, 1090.0, as_json=False).splitlines() == [
        "  State    live for 1 min 30 s, microphone lost",
        "  Viewers  1 of at most 20",
        "  Source   test picture, 1280×720, 30 fps",
        "  Encoder  libx264, 2.5 Mbit/s",
        "  Audio    test tone",
        "  Load     ok (event loop 1.5 ms late, 99th percentile)",
        "  Running  for 2 h 5 min, version 1.2.3",
    ]


def test_a_stranger_sees_that_it_is_private(target):
    daemon, told = target
    told.append({"stream": {"state": "live"}, "private": True})
    assert owner.status(daemon, 1090.0, as_json=False).splitlines()[0] == "  State    live"
    with pytest.raises(BroadcasterError, match="only the operator"):
        owner.viewers(daemon, as_json=False)


def test_viewers_as_a_table(target):
    daemon, told = target
    told.append(STATUS)
    head, anna, guest = owner.viewers(daemon, as_json=False).splitlines()
    assert head.split()[:4] == ["VIEWER", "NAME", "ADDRESS", "STATE"]
    assert anna.split("  ")[0] == "v1"
    for shown in ("Anna", "192.0.2.7 (host)", "connected, ok", "1.2%", "42 ms", "2.5 Mbit/s"):
        assert shown in anna
    assert "connecting" in guest
    told[0] = STATUS | {"viewer_figures": []}
    assert owner.viewers(daemon, as_json=False) == "Nobody is watching."


def test_live_waits_until_it_is(target):
    daemon, told = target
    told += [{"stream": {"state": state}} for state in ("starting", "starting", "live")]
    waited: list[float] = []
    assert owner.set_live(daemon, True, waited.append) == "live"
    assert len(waited) == 2


def test_live_says_why_not(target):
    daemon, told = target
    told.append({"stream": {"state": "failed", "reason": "no-camera"}})
    with pytest.raises(BroadcasterError, match=r"failed \(no-camera\).*broadcaster check camera"):
        owner.set_live(daemon, True, lambda seconds: None)


@pytest.mark.parametrize(
    ("is_service", "start"), [(True, "sudo systemctl start broadcaster"), (False, "broadcaster run")]
)
def test_where_nobody_answers_it_says_how_to_start(is_service, start, target, tmp_path):
    daemon = Target(target[0].settings, tmp_path, is_service)
    with pytest.raises(BroadcasterError, match=f"http://localhost:8080/.*{start}$"):
        owner.status(daemon, 0.0, as_json=False)


@pytest.mark.parametrize("answer", [[], {}, {"stream": 3}, {"stream": {}}, "hello"])
def test_who_is_no_broadcaster_is_named(answer, target):
    daemon, told = target
    told.append(answer)
    with pytest.raises(BroadcasterError, match="is no broadcaster"):
        owner.status(daemon, 0.0, as_json=False)


def test_what_the_daemon_refuses_is_told_in_its_words(target, monkeypatch):
    def refuse(self: DaemonClient) -> object:
        raise Refused("The token is wrong.")

    monkeypatch.setattr(DaemonClient, "status", refuse)
    with pytest.raises(BroadcasterError, match="The token is wrong"):
        owner.status(target[0], 0.0, as_json=False)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0 s"), (0.4, "0 s"), (59, "59 s"), (60, "1 min"), (3600, "1 h"), (7500, "2 h 5 min"), (90000, "1 d 1 h")],
)
def test_durations(seconds, shown):
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("web", "url"),
    [
        (WebSettings(), "http://localhost:8080/"),
        (WebSettings(host="0.0.0.0", port=80), "http://127.0.0.1:80/"),
        (WebSettings(host="::"), "http://[::1]:8080/"),
        (WebSettings(host="2001:db8::2"), "http://[2001:db8::2]:8080/"),
        (WebSettings(host="192.0.2.7", certificate="/c.pem", key="/k.pem"), "https://192.0.2.7:8080/"),
    ],
)
def test_where_the_daemon_is_asked(web, url):
    assert DaemonClient(web).url == url


@pytest.mark.parametrize(
    ("web", "token"),
    [
        (WebSettings(), ""),
        (WebSettings(host="127.0.0.1"), ""),
        (WebSettings(host="::1"), ""),
        (WebSettings(host="192.0.2.7"), "made"),
        (WebSettings(operator_token="own"), "own"),
        (WebSettings(host="192.0.2.7", operator_token="own"), "own"),
    ],
)
def test_the_token_that_the_daemon_wants(web, token, tmp_path):
    (tmp_path / "operator_token").write_text("made\n")
    assert operator_token(web, tmp_path) == token


def test_a_token_that_cannot_be_read_is_none(tmp_path):
    assert operator_token(WebSettings(host="192.0.2.7"), tmp_path) == ""
