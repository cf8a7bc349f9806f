"""The command line: what it does, what it says, and its exit codes."""

import errno
import logging
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from broadcaster import __version__
from broadcaster.cli import main
from broadcaster.errors import BroadcasterError
from broadcaster.model.stats import StreamReport
from broadcaster.settings import Settings, WebSettings, read, weak_tokens

REPORT = StreamReport("test picture", "libx264", "test tone", 1280, 720, 30.0, 0, 0)


@pytest.fixture(autouse=True)
def _own_logging():
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.unraisablehook
    yield
    root.handlers[:], root.level, sys.unraisablehook = before


@pytest.fixture
def daemon(monkeypatch):
    """Stands where the composition root does; set its `end` to let `serve` fail."""
    fake = SimpleNamespace(end=None, settings=None, live=None)

    async def serve(settings, *, live, announce, read_settings):
        fake.settings, fake.live = settings, live
        announce(8123, REPORT)
        if fake.end is not None:
            raise fake.end

    monkeypatch.setitem(sys.modules, "broadcaster.app", SimpleNamespace(serve=serve))
    numbers = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    handlers = {number: signal.getsignal(number) for number in numbers}
    yield fake
    for number, handler in handlers.items():  # `run` ignores some at its end, and processes inherit that
        signal.signal(number, handler)


def test_version(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"broadcaster {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["sing"], ["run", "--loud"], ["run", "--liv"], ["settings", "--live"]])
def test_wrong_usage_is_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: broadcaster")


def test_settings_prints_what_file_and_assignments_make(tmp_path, capsys):
    file = tmp_path / "settings.toml"
    file.write_text("[video]\nfps = 15\nwidth = 640\n")
    assert main(["settings", "--changed", "--settings", str(file), "--set", "video.fps=20", "--set", "web.port=0"]) == 0
    out = capsys.readouterr().out
    assert "fps = 20\n" in out
    assert "width = 640\n" in out
    assert "port = 0\n" in out
    assert "height" not in out


@pytest.mark.parametrize("command", ["run", "settings"])
def test_wrong_settings_are_2_and_all_named_on_stderr(command, capsys):
    assert main([command, "--set", "video.fps=0", "--set", "web.prt=1"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "broadcaster: these settings cannot be used:",
        "  web.prt: no such setting; did you mean web.port?",
        "  video.fps = 0: must be a whole number from 1 to 120",
    ]


@pytest.mark.parametrize(
    ("content", "says"),
    [(None, "the file cannot be read: No such file or directory"), (b"a = '\xff'", "the file is not UTF-8")],
)
def test_a_file_that_cannot_be_read_is_2(content, says, tmp_path, capsys):
    file = tmp_path / "settings.toml"
    if content is not None:
        file.write_bytes(content)
    assert main(["settings", "--settings", str(file)]) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("command", [["live", "on"], ["status"], ["viewers"], ["link"], ["run"]])
def test_settings_that_only_root_may_read(command, monkeypatch, capsys):
    def refuse(path, *_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "read_text", refuse)
    assert main([*command, "--settings", "/etc/broadcaster/broadcaster.toml"]) == 2
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "broadcaster: these settings cannot be used (/etc/broadcaster/broadcaster.toml):"
    assert said[1] == "  the file cannot be read: Permission denied; try it with sudo"


def test_run_serves_the_settings_and_prints_the_start_block(daemon, capsys):
    assert main(["run", "--set", "web.host=192.0.2.7"]) == 0
    assert daemon.settings == Settings(web=WebSettings(host="192.0.2.7"))
    assert daemon.live is False
    assert "http://192.0.2.7:8123/" in capsys.readouterr().out


def test_live_is_handed_on(daemon):
    assert main(["run", "--live"]) == 0
    assert daemon.live is True


def test_a_fault_is_1_and_a_sentence(daemon, capsys):
    daemon.end = BroadcasterError("port 8080 is in use")
    assert main(["run"]) == 1
    assert capsys.readouterr().err == "broadcaster: port 8080 is in use\n"


def test_a_bug_is_1_and_loud(daemon, capsys):
    daemon.end = ZeroDivisionError("oh")
    assert main(["run"]) == 1
    err = capsys.readouterr().err
    assert "a bug ended the daemon" in err
    assert "Traceback" in err
    assert "ZeroDivisionError: oh" in err


def test_control_c_before_the_daemon_listens_to_signals_is_an_ordinary_end(daemon):
    daemon.end = KeyboardInterrupt()
    assert main(["run"]) == 0


def test_no_token_is_printed_where_no_terminal_is(daemon, capsys):
    assert main(["run", "--set", "web.viewer_token=hush-orchard-gravel-topaz"]) == 0
    assert "hush" not in "".join(capsys.readouterr())


def test_a_weak_token_is_said_at_start(daemon, capsys):
    weak = "12345678901234567890"
    assert main(["run", "--set", f"web.operator_token={weak}"]) == 0
    said = "".join(capsys.readouterr())
    assert "web.operator_token is easy to guess" in said
    assert weak not in said


def test_token_prints_one_that_the_settings_take(capsys):
    assert main(["token"]) == 0
    token = capsys.readouterr().out.strip()
    chosen = read("", [f"web.viewer_token={token}"])
    assert weak_tokens(chosen) == []
