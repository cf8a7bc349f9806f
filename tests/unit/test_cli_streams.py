"""Whatever the standard streams are, every text can be written; file names are UTF-8 whatever the locale."""

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
def test_a_command_works_with_closed_standard_streams(closed):
    script = f'exec "$@" {" ".join(CLOSED[number] for number in closed)}'
    ended = subprocess.run(
        ["sh", "-c", script, "sh", *COMMAND, "settings", "--changed", "--set", "web.port=81"],
        capture_output=True, text=True, timeout=30, cwd=ROOT, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == ("" if 1 in closed else "[web]\nport = 81\n") or "port = 81" in ended.stdout


def test_a_closed_descriptor_is_never_given_to_a_file_of_the_program():
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
def test_what_an_encoding_lacks_is_written_in_its_place(encoding, written, monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, errors="strict"))
    streams.repair()
    print("1280×720 … 東 😀", end="", flush=True)
    assert raw.getvalue().decode(encoding) == written


@pytest.mark.parametrize(("encoding", "drawn"), [("utf-8", True), ("latin-1", False), ("cp437", True)])
def test_a_qr_code_is_drawn_where_its_characters_exist(encoding, drawn):
    assert streams.can_write(io.TextIOWrapper(io.BytesIO(), encoding=encoding), QR_CHARACTERS) is drawn


@pytest.mark.parametrize("output", ["ascii", "latin-1", "utf-8"])
def test_settings_that_go_to_a_file_are_utf_8(output):
    environment = {**os.environ, "PYTHONIOENCODING": output}
    ended = subprocess.run(
        [*COMMAND, "settings"], capture_output=True, timeout=30, cwd=ROOT, env=environment, check=True
    )
    assert "…" in ended.stdout.decode("utf-8")


class Executed(Exception):
    """`exec` does not return."""


@pytest.fixture
def executed(monkeypatch):
    calls = []

    def execve(*call):
        calls.append(call)
        raise Executed

    monkeypatch.setattr(os, "execve", execve)
    return calls


def test_a_locale_without_utf_8_gets_utf_8_file_names(executed, monkeypatch):
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
def test_it_starts_again_once_at_most_and_not_against_the_user_s_will(encoding, environment, executed, monkeypatch):
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: encoding)
    streams.use_utf8_file_names(["python3"], environment)
    assert executed == []
