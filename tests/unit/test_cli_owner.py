"""`broadcaster live`, `status` and `viewers`, with given answers of the daemon."""

from __future__ import annotations

from dataclasses import asdict, replace

import pytest

from broadcaster.cli import owner
from broadcaster.cli.target import Target
from broadcaster.errors import BroadcasterError
from broadcaster.model.stats import MediaStats
from broadcaster.service.daemon_client import DaemonClient, NoDaemon, Refused, operator_token
from broadcaster.settings import Settings, VideoSettings, WebSettings

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
    "capacity": {
        "bitrate_wanted": 2_500_000,
        "overloaded": False,
        "loop_lag_p99": 1.5,
        "renditions": {"full": {"viewers": 1}, "small": {"viewers": 0}},
    },
    "version": "1.2.3",
    "viewer_figures": [ANNA | {"peers": [PEER]}, ANNA | {"link": None, "connected": False, "peers": []}],
}


@pytest.fixture
def target(tmp_path, monkeypatch):
    """A daemon with the answers in a list; if that is empty, nothing listens."""
    answers: list[object] = []

    def ask(self: DaemonClient) -> object:
        if not answers:
            raise NoDaemon(f"no broadcaster answers at {self.url}")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    monkeypatch.setattr(DaemonClient, "status", ask)
    monkeypatch.setattr(DaemonClient, "set_live", lambda self, live: ask(self))
    return Target(Settings(), tmp_path, is_service=False), answers


def test_status_as_a_block_of_text(target):
    daemon, answers = target
    answers.append(STATUS)
    assert owner.status(daemon, 1090.0, as_json=False).splitlines() == [
        "  State    live for 1 min 30 s, microphone lost",
        "  Viewers  1 of at most 20",
        "  Source   test picture, 1280×720, 30 fps",
        "  Encoder  libx264, 2.5 Mbit/s",
        "  Audio    test tone",
        "  Load     ok (event loop lag: 1.5 ms, 99th percentile)",
        "  Uptime   2 h 5 min, version 1.2.3",
    ]


def test_status_counts_viewers_of_the_small_rendition(target):
    daemon, answers = target
    renditions = {"full": {"viewers": 3}, "small": {"viewers": 2}}
    answers.append(STATUS | {"viewers": 5, "capacity": {**STATUS["capacity"], "renditions": renditions}})
    lines = owner.status(daemon, 1090.0, as_json=False).splitlines()
    assert lines[1] == "  Viewers  5 of at most 20 (smaller video because of slow networks: 2)"


def test_status_shows_push_targets(target):
    daemon, answers = target
    common = {"server": "https://example.org", "reason": "", "connected_for": None, "retry_in": None}
    answers.append(
        STATUS
        | {
            "push": [
                common | {"name": "a", "state": "connected", "connected_for": 61.0},
                common | {"name": "b", "state": "waiting", "reason": "no answer", "retry_in": 4.0},
                common | {"name": "c", "state": "idle"},
            ]
        }
    )
    assert owner.status(daemon, 1090.0, as_json=False).splitlines()[2:5] == [
        "  Push     a (https://example.org): connected for 1 min 1 s",
        "  Push     b (https://example.org): waiting, no answer; trying again in 4 s",
        "  Push     c (https://example.org): idle",
    ]


def test_private_stream_shows_only_its_state(target):
    daemon, answers = target
    answers.append({"stream": {"state": "live"}, "private": True})
    assert owner.status(daemon, 1090.0, as_json=False).splitlines()[0] == "  State    live"
    with pytest.raises(BroadcasterError, match="only the operator"):
        owner.viewers(daemon, as_json=False)


def test_players_are_marked_in_the_table(target):
    daemon, answers = target
    answers.append(STATUS | {"viewer_figures": [ANNA | {"player": "VLC/4.0", "peers": [PEER]}]})
    assert "connected (WHEP), ok" in owner.viewers(daemon, as_json=False)


def test_viewers_as_a_table(target):
    daemon, answers = target
    answers.append(STATUS)
    header, anna, guest = owner.viewers(daemon, as_json=False).splitlines()
    assert header.split()[:4] == ["VIEWER", "NAME", "ADDRESS", "STATE"]
    assert anna.split("  ")[0] == "v1"
    for shown in ("Anna", "192.0.2.7 (host)", "connected, ok", "1.2%", "42 ms", "2.5 Mbit/s"):
        assert shown in anna
    assert "connecting" in guest
    answers[0] = STATUS | {"viewer_figures": []}
    assert owner.viewers(daemon, as_json=False) == "No viewers."


def test_viewers_over_the_web_are_counted_and_named(target):
    daemon, answers = target
    media = asdict(MediaStats(estimate=3_100_000))
    viewer = ANNA | {"peers": [], "media": media}
    answers.append(STATUS | {"media": {"viewers": 1}, "viewer_figures": [viewer]})
    assert owner.status(daemon, 1090.0, as_json=False).splitlines()[1] == "  Viewers  1 of at most 20 (over the web: 1)"
    _, anna = owner.viewers(daemon, as_json=False).splitlines()
    for shown in ("192.0.2.7 (over the web (TCP))", "connected", "3.1 Mbit/s"):
        assert shown in anna


def test_set_live_waits_until_the_stream_is_live(target):
    daemon, answers = target
    answers += [{"stream": {"state": state}} for state in ("starting", "starting", "live")]
    waited: list[float] = []
    assert owner.set_live(daemon, True, waited.append) == "live"
    assert len(waited) == 2


def test_set_live_reports_the_reason_of_a_failure(target):
    daemon, answers = target
    answers.append({"stream": {"state": "failed", "reason": "no-camera"}})
    with pytest.raises(BroadcasterError, match="has failed: no camera was found"):
        owner.set_live(daemon, True, lambda seconds: None)


def test_set_live_waits_for_the_retry_that_it_causes(target):
    daemon, answers = target
    failed = {"stream": {"state": "failed", "reason": "file"}, "opening": True, "problem": "the old one"}
    answers += [failed, failed, {"stream": {"state": "live"}, "opening": False, "problem": ""}]
    assert owner.set_live(daemon, True, lambda seconds: None) == "live"


def test_missing_film_is_named_with_the_fix(target):
    daemon, answers = target
    film = VideoSettings(source="file", file="/films/a.mp4")
    daemon = replace(daemon, settings=replace(Settings(), video=film))
    problem = "/films/a.mp4: No such file or directory"
    answers.append(STATUS | {"stream": {"state": "failed", "since": 1000.0, "reason": "file"}, "problem": problem})
    assert owner.status(daemon, 1090.0, as_json=False).splitlines()[:4] == [
        "  State    failed for 1 min 30 s",
        f"  Problem  {problem}",
        "  Fix      Check that the file is there, complete, and readable for the daemon's user:",
        "             ls -l /films/a.mp4",
    ]
    with pytest.raises(BroadcasterError, match=rf"(?s){problem}.*ls -l /films/a.mp4"):
        owner.set_live(daemon, True, lambda seconds: None)


@pytest.mark.parametrize(
    ("is_service", "start"), [(True, "sudo systemctl start broadcaster"), (False, "broadcaster run")]
)
def test_missing_daemon_is_reported_with_the_start_command(is_service, start, target, tmp_path):
    daemon = Target(target[0].settings, tmp_path, is_service)
    with pytest.raises(BroadcasterError, match=f"http://localhost:8080/.*{start}$"):
        owner.status(daemon, 0.0, as_json=False)


@pytest.mark.parametrize("answer", [[], {}, {"stream": 3}, {"stream": {}}, "hello"])
def test_other_server_is_reported(answer, target):
    daemon, answers = target
    answers.append(answer)
    with pytest.raises(BroadcasterError, match="is not a broadcaster"):
        owner.status(daemon, 0.0, as_json=False)


def test_refusal_is_reported_with_the_message_of_the_daemon(target, monkeypatch):
    def refuse(self: DaemonClient) -> object:
        raise Refused("The token is wrong.")

    monkeypatch.setattr(DaemonClient, "status", refuse)
    with pytest.raises(BroadcasterError, match="The token is wrong"):
        owner.status(target[0], 0.0, as_json=False)


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
def test_url_of_the_daemon(web, url):
    assert DaemonClient(web).url == url


@pytest.mark.parametrize(
    ("web", "token"),
    [
        (WebSettings(), ""),
        (WebSettings(host="127.0.0.1"), ""),
        (WebSettings(host="::1"), ""),
        (WebSettings(host="192.0.2.7"), "generated"),
        (WebSettings(operator_token="own"), "own"),
        (WebSettings(host="192.0.2.7", operator_token="own"), "own"),
    ],
)
def test_operator_token_that_the_daemon_requires(web, token, tmp_path):
    (tmp_path / "operator_token").write_text("generated\n")
    assert operator_token(web, tmp_path) == token


def test_missing_token_file_gives_no_token(tmp_path):
    assert operator_token(WebSettings(host="192.0.2.7"), tmp_path) == ""


RECORDER = {
    "mode": "live",
    "state": "recording",
    "in_memory": 60.1,
    "gaps": 0,
    "lost": 0.0,
    "store": {
        "folder": "/data",
        "file": "000012_2026-03-01T12-30-00Z.mp4",
        "waiting": 0,
        "files": 12,
        "bytes": 1_234_567_890,
        "free": 51_000_000_000,
        "problem": "",
    },
}


def test_status_shows_the_recorder(target):
    daemon, answers = target
    answers.append(STATUS | {"recorder": RECORDER})
    assert (
        "  Recorder recording 000012_2026-03-01T12-30-00Z.mp4; 12 files, 1.23 GB; 51 GB free"
        in owner.status(daemon, 1090.0, as_json=False).splitlines()
    )


def test_status_shows_why_nothing_is_recorded(target):
    daemon, answers = target
    failed = RECORDER | {"state": "failed", "store": RECORDER["store"] | {"file": "", "problem": "disk full"}}
    answers.append(STATUS | {"recorder": failed})
    assert "failed (disk full); 12 files" in owner.status(daemon, 1090.0, as_json=False)


def test_recording_on_and_off(target, monkeypatch):
    daemon, answers = target
    requests = []

    def record(self: DaemonClient, on: bool) -> object:
        requests.append(on)
        return {"stream": {"state": "live"}, "recorder": RECORDER | {"state": "recording" if on else "off"}}

    monkeypatch.setattr(DaemonClient, "record", record)
    answers.append({"stream": {"state": "live"}, "recorder": RECORDER | {"state": "recording"}})
    assert owner.record(daemon, "on", lambda seconds: None).startswith("recording")
    assert owner.record(daemon, "off").startswith("off; 12 files")
    assert requests == [True, False]


def test_mark_that_was_set(target, monkeypatch):
    daemon, _ = target
    monkeypatch.setattr(DaemonClient, "mark", lambda self: {"stream": {"state": "live"}, "mark": 1_772_366_400.0})
    assert owner.record(daemon, "mark").startswith("marked 2026-03-01 ")


def recording_of(state: str, **store: object) -> dict[str, object]:
    return {"stream": {"state": "live"}, "recorder": RECORDER | {"state": state, "store": RECORDER["store"] | store}}


@pytest.mark.parametrize("problem", ["", "an old problem"])
def test_recording_that_cannot_begin_is_an_error_with_the_reason(target, monkeypatch, problem):
    daemon, answers = target
    monkeypatch.setattr(DaemonClient, "record", lambda self, on: recording_of("waiting", file="", problem=problem))
    answers.append(recording_of("failed", file="", problem="Permission denied"))
    with pytest.raises(BroadcasterError, match="nothing is recorded: Permission denied"):
        owner.record(daemon, "on", lambda seconds: None)


def test_recording_on_waits_for_the_file_and_gives_up(target, monkeypatch):
    daemon, answers = target
    monkeypatch.setattr(DaemonClient, "record", lambda self, on: recording_of("failed", file="", problem="it was full"))
    answers += [recording_of("waiting", file=""), recording_of("recording")]
    waited: list[float] = []
    assert owner.record(daemon, "on", waited.append).startswith("recording 000012_")
    assert len(waited) == 2
    monkeypatch.setattr(owner, "RECORD_LIMIT", 0.0)
    answers[:] = [recording_of("failed", file="", problem="it was full")]
    with pytest.raises(BroadcasterError, match="it was full"):
        owner.record(daemon, "on", lambda seconds: None)


def test_recording_waits_for_the_stream_without_an_error(target, monkeypatch):
    daemon, _ = target
    waiting = recording_of("waiting", file="", files=1, bytes=812) | {"stream": {"state": "offline"}}
    monkeypatch.setattr(DaemonClient, "record", lambda self, on: waiting)
    assert owner.record(daemon, "on") == "waiting until the stream is live; 1 file, 812 bytes; 51 GB free"


def test_clip_that_was_saved(target, monkeypatch):
    daemon, _ = target
    answer = {"stream": {"state": "live"}, "clip": {"files": ["a_kept.mp4", "b_kept.mp4"], "duration": 59.7}}
    monkeypatch.setattr(DaemonClient, "clip", lambda self: answer)
    assert owner.record(daemon, "clip") == "saved 60 s: a_kept.mp4, b_kept.mp4"


@pytest.mark.parametrize("qr", [True, False])
def test_sign_in_link_is_printed_with_a_qr_code_on_a_terminal(qr, target, monkeypatch):
    monkeypatch.setattr(DaemonClient, "owner_code", lambda self: "once")
    shown = owner.sign_in_link(target[0], "https://cam.example.org/home/", qr=qr)
    assert shown.splitlines()[0] == "https://cam.example.org/home/owner#t=once"
    assert ("█" in shown) == qr
    assert owner.sign_in_link(target[0], None, qr=qr).splitlines()[0].endswith(":8080/owner#t=once")


def test_sign_in_link_needs_the_port(tmp_path):
    daemon = Target(Settings(web=WebSettings(port=0)), tmp_path, is_service=False)
    with pytest.raises(BroadcasterError, match=r"web\.port is 0"):
        owner.sign_in_link(daemon, None, qr=False)


def test_sign_in_link_of_a_missing_daemon(target, monkeypatch):
    def missing(self: DaemonClient) -> str:
        raise NoDaemon("no broadcaster answers")

    monkeypatch.setattr(DaemonClient, "owner_code", missing)
    with pytest.raises(BroadcasterError, match="To start it: broadcaster run"):
        owner.sign_in_link(target[0], None, qr=False)
