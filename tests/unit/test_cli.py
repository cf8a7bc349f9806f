"""The commands: output and exit codes."""

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
def _restore_logging():
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.unraisablehook
    yield
    root.handlers[:], root.level, sys.unraisablehook = before


@pytest.fixture
def daemon(monkeypatch):
    """Replaces `broadcaster.app`; set its `error` to make `serve` raise it."""
    fake = SimpleNamespace(error=None, settings=None, live=None)

    async def serve(settings, *, live, announce, source, reload_on_hangup):
        fake.settings, fake.live = settings, live
        announce(8123, REPORT, lambda: "owner-code")
        if fake.error is not None:
            raise fake.error

    monkeypatch.setitem(sys.modules, "broadcaster.app", SimpleNamespace(serve=serve))
    numbers = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
    handlers = {number: signal.getsignal(number) for number in numbers}
    yield fake
    for number, handler in handlers.items():  # `run` ignores some at its end, and child processes would inherit that
        signal.signal(number, handler)


def test_version_is_printed(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"broadcaster {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["sing"], ["run", "--loud"], ["run", "--liv"], ["settings", "--live"]])
def test_wrong_usage_exits_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: broadcaster")


def test_settings_prints_the_result_of_file_and_assignments(tmp_path, capsys):
    file = tmp_path / "settings.toml"
    file.write_text("[video]\nfps = 15\nwidth = 640\n")
    assert main(["settings", "--changed", "--settings", str(file), "--set", "video.fps=20", "--set", "web.port=0"]) == 0
    out = capsys.readouterr().out
    assert "fps = 20\n" in out
    assert "width = 640\n" in out
    assert "port = 0\n" in out
    assert "height" not in out


@pytest.mark.parametrize("command", ["run", "settings"])
def test_invalid_settings_exit_with_2_and_are_all_listed_on_stderr(command, capsys):
    assert main([command, "--set", "video.fps=0", "--set", "web.prt=1"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        "broadcaster: invalid settings:",
        "  web.prt: no such setting; did you mean web.port?",
        "  video.fps = 0: must be a whole number from 1 to 120",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "the file cannot be read: No such file or directory"), (b"a = '\xff'", "the file is not UTF-8")],
)
def test_unreadable_settings_file_exits_with_2(content, message, tmp_path, capsys):
    file = tmp_path / "settings.toml"
    if content is not None:
        file.write_bytes(content)
    assert main(["settings", "--settings", str(file)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", [["live", "on"], ["status"], ["viewers"], ["link"], ["run"]])
def test_settings_without_read_permission_suggest_sudo(command, monkeypatch, capsys):
    def refuse(path, *_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "read_text", refuse)
    assert main([*command, "--settings", "/etc/broadcaster/broadcaster.toml"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "broadcaster: invalid settings in /etc/broadcaster/broadcaster.toml:"
    assert lines[1] == "  the file cannot be read: Permission denied; try it with sudo"


def test_run_serves_the_settings_and_prints_the_start_banner(daemon, capsys):
    assert main(["run", "--set", "web.host=192.0.2.7"]) == 0
    assert daemon.settings == Settings(web=WebSettings(host="192.0.2.7"))
    assert daemon.live is False
    assert "http://192.0.2.7:8123/" in capsys.readouterr().out


def test_live_without_on_or_off_names_both(capsys):
    with pytest.raises(SystemExit):
        main(["live"])
    assert "required: on|off" in capsys.readouterr().err


def test_live_option_is_passed_to_the_daemon(daemon):
    assert main(["run", "--live"]) == 0
    assert daemon.live is True


def test_fault_exits_with_1_and_one_line(daemon, capsys):
    daemon.error = BroadcasterError("port 8080 is in use")
    assert main(["run"]) == 1
    assert capsys.readouterr().err == "broadcaster: port 8080 is in use\n"


def test_bug_exits_with_1_and_a_traceback(daemon, capsys):
    daemon.error = ZeroDivisionError("oh")
    assert main(["run"]) == 1
    err = capsys.readouterr().err
    assert "exiting because of a bug" in err
    assert "Traceback" in err
    assert "ZeroDivisionError: oh" in err


def test_ctrl_c_before_signal_handlers_are_installed_exits_with_0(daemon):
    daemon.error = KeyboardInterrupt()
    assert main(["run"]) == 0


def test_token_is_not_printed_without_a_terminal(daemon, capsys):
    assert main(["run", "--set", "web.viewer_token=hush-orchard-gravel-topaz"]) == 0
    assert "hush" not in "".join(capsys.readouterr())


def test_weak_token_is_reported_at_start(daemon, capsys):
    weak = "12345678901234567890"
    assert main(["run", "--set", f"web.operator_token={weak}"]) == 0
    output = "".join(capsys.readouterr())
    assert "web.operator_token is easy to guess" in output
    assert weak not in output


def test_token_command_prints_a_valid_token(capsys):
    assert main(["token"]) == 0
    token = capsys.readouterr().out.strip()
    chosen = read("", [f"web.viewer_token={token}"])
    assert weak_tokens(chosen) == []
