"""Standard streams that are closed or lack UTF-8, and file names in other locales."""

import io
import os
import subprocess
import sys

import pytest

from broadcaster.cli import streams
from broadcaster.cli.banner import QR_CHARACTERS
from tests.house.project import ROOT

COMMAND = (sys.executable, "-m", "broadcaster")
CLOSED = {0: "<&-", 1: ">&-", 2: "2>&-"}


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
def test_command_works_with_closed_standard_streams(closed):
    script = f'exec "$@" {" ".join(CLOSED[number] for number in closed)}'
    ended = subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, "settings", "--changed", "--set", "web.port=81"],
        capture_output=True, text=True, timeout=30, cwd=ROOT, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ("" if 1 in closed else "[web]\nport = 81\n") or "port = 81" in ended.stdout


def test_closed_descriptor_is_replaced_by_dev_null():
    script = "from broadcaster.cli.streams import repair; repair(); import os, sys"
    script += "; print(*(os.readlink(f'/proc/self/fd/{n}') for n in (0, 1)), file=sys.stderr)"
    ended = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&-', "sh", sys.executable, "-c", script],
        stderr=subprocess.PIPE, text=True, timeout=30, cwd=ROOT, check=False,
    )  # fmt: skip
    assert ended.stderr.strip() == "/dev/null /dev/null"


@pytest.mark.parametrize(
    ("encoding", "written"),
    [
        ("utf-8", "1280×720 … 東 😀"),
        ("latin-1", "1280×720 ... \\u6771 \\U0001f600"),
        ("ascii", "1280x720 ... \\u6771 \\U0001f600"),
    ],
)
def test_unencodable_characters_are_replaced(encoding, written, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, errors="strict"))
    streams.repair()
    print("1280×720 … 東 😀", end="", flush=True)
    assert raw.getvalue().decode(encoding) == written


@pytest.mark.parametrize(("encoding", "expected"), [("utf-8", True), ("latin-1", False), ("cp437", True)])
def test_qr_code_needs_its_characters_in_the_encoding(encoding, expected):
    assert streams.can_write(io.TextIOWrapper(io.BytesIO(), encoding=encoding), QR_CHARACTERS) is expected


@pytest.mark.parametrize("output", ["ascii", "latin-1", "utf-8"])
def test_settings_written_to_a_file_are_utf8(output):
    environment = {**os.environ, "PYTHONIOENCODING": output}
    ended = subprocess.run(
        [*COMMAND, "settings"], capture_output=True, timeout=30, cwd=ROOT, env=environment, check=True
    )
    assert "…" in ended.stdout.decode("utf-8")


class Executed(Exception):
    """Raised instead of executing, because `exec` does not return."""


@pytest.fixture
def executed(monkeypatch):
    calls = []

    def execve(*call):
        calls.append(call)
        raise Executed

    monkeypatch.setattr(os, "execve", execve)
    return calls


def test_program_restarts_in_utf8_mode_if_the_locale_is_not_utf8(executed, monkeypatch):
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "iso8859-1")
    monkeypatch.setattr(streams.locale, "getencoding", lambda: "ISO-8859-1")
    with pytest.raises(Executed):
        streams.use_utf8_file_names(["python3", "/usr/bin/broadcaster", "run"], {"LC_ALL": "de_DE"})
    environment = {"LC_ALL": "de_DE", "PYTHONUTF8": "1", "PYTHONIOENCODING": "ISO-8859-1"}
    assert executed == [(sys.executable, [sys.executable, "/usr/bin/broadcaster", "run"], environment)]


@pytest.mark.parametrize(
    ("encoding", "environment"),
    [("utf-8", {}), ("UTF8", {}), ("iso8859-1", {"PYTHONUTF8": "1"}), ("ascii", {"PYTHONUTF8": "0"})],
)
def test_program_restarts_at_most_once_and_respects_pythonutf8(encoding, environment, executed, monkeypatch):
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: encoding)
    streams.use_utf8_file_names(["python3"], environment)
    assert executed == []
