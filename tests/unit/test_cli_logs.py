"""Log lines on a terminal and in the journal."""

import io
import logging
import os
import re
import sys

import pytest

from broadcaster import settings
from broadcaster.cli import logs
from broadcaster.cli.logs import JournalFormatter, TerminalFormatter, is_journal, set_up


@pytest.fixture(autouse=True)
def _restore_logging():
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


def record(level: int, message: str, error: BaseException | None = None) -> logging.LogRecord:
    info = (type(error), error, None) if error else None
    return logging.LogRecord("broadcaster.stream.controller", level, __file__, 1, message, (), info)


def test_terminal_line_has_time_level_and_logger():
    line = TerminalFormatter().format(record(logging.WARNING, "no camera"))
    assert re.fullmatch(r"\d\d:\d\d:\d\d warning stream\.controller: no camera", line)


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.DEBUG, 7), (logging.INFO, 6), (logging.WARNING, 4), (logging.ERROR, 3), (logging.CRITICAL, 2)],
)
def test_journal_line_has_a_priority_and_no_time(level, priority):
    assert JournalFormatter().format(record(level, "hello")) == f"<{priority}>stream.controller: hello"


def test_every_line_of_a_traceback_has_the_priority():
    lines = JournalFormatter().format(record(logging.ERROR, "a bug", ValueError("oh"))).splitlines()
    assert lines == ["<3>stream.controller: a bug", "<3>ValueError: oh"]


def test_journal_is_recognized_by_device_and_inode():
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream, os.fdopen(reading):
        status = os.fstat(writing)
        assert is_journal(stream, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        assert not is_journal(stream, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino + 1}"})
        assert not is_journal(stream, {})


def test_stream_without_descriptor_is_not_the_journal():
    assert not is_journal(io.StringIO(), {"JOURNAL_STREAM": "1:2"})


@pytest.mark.parametrize(("level", "shown"), [("debug", "diw"), ("info", "iw"), ("warning", "w"), ("error", "")])
def test_level_selects_lines(level, shown):
    stream = io.StringIO()
    set_up(level, stream, {})
    log = logging.getLogger("broadcaster.test")
    log.debug("d")
    log.info("i")
    log.warning("w")
    assert "".join(line[-1] for line in stream.getvalue().splitlines()) == shown


def test_libraries_are_silent_below_warning():
    stream = io.StringIO()
    set_up("debug", stream, {})
    for name in ("aioice.ice", "aiortc.rtcdtlstransport"):
        logging.getLogger(name).info("inside")
        logging.getLogger(name).warning("outside")
    assert "inside" not in stream.getvalue()
    assert stream.getvalue().count("outside") == 2


@pytest.fixture
def output(monkeypatch):
    """The log's output; time stands still."""
    monkeypatch.setattr(logs.time, "monotonic", lambda: 5.0)
    stream = io.StringIO()
    set_up("info", stream, {})
    return stream


@pytest.mark.parametrize("name", ["asyncio", "aiohttp.websocket", "aioice.ice", "root"])
def test_library_is_limited_to_ten_lines_per_second(name, output, monkeypatch):
    log = logging.getLogger(name)
    for number in range(1000):
        log.error("socket.accept() out of system resource\nsocket: %s", number)
    assert output.getvalue().count("\n") == 10
    monkeypatch.setattr(logs.time, "monotonic", lambda: 6.0)
    log.error("again")
    assert output.getvalue().endswith("again (and 990 more lines like this)\n")


def test_library_errors_are_limited_to_one_traceback_per_second_and_always_named(output):
    for _ in range(20):
        try:
            raise KeyError("oh")
        except KeyError as error:
            logging.getLogger("asyncio").error("Task exception was never retrieved", exc_info=error)
    assert output.getvalue().count("Traceback") == 1
    assert output.getvalue().count("never retrieved: KeyError: 'oh'") == 9


def test_library_message_is_escaped_and_cut(output):
    logging.getLogger("asyncio").error("oh\n\x1b[31m%s", "x" * 1000)
    (line,) = output.getvalue().splitlines()
    assert "oh\\n\\x1b[31mxx" in line
    assert len(line) < 300


def test_own_lines_are_not_limited_or_cut(output):
    for _ in range(50):
        logging.getLogger("broadcaster.app").error("a bug", exc_info=ValueError("x" * 1000))
    assert output.getvalue().count("x" * 1000) == 50


def test_unraisable_exceptions_are_logged(output, monkeypatch, capsys):
    monkeypatch.setattr(sys, "unraisablehook", logs.log_unraisable)

    class Breaks:
        def __del__(self):
            raise ValueError("oh\nno")

    for _ in range(100):
        Breaks()
    text = output.getvalue()
    assert text.count("__del__: ValueError: oh\\nno\n") == 9
    assert text.count("Traceback") == 1
    assert capsys.readouterr().err == ""


def test_secrets_are_masked():
    secrets = {"hush-hush-token", "hush-hush-token-longer", "key"}
    for formatter in (TerminalFormatter(secrets), JournalFormatter(secrets)):
        shown = formatter.format(record(logging.ERROR, "of hush-hush-token-longer", ValueError("hush-hush-token")))
        assert "hush" not in shown
        assert "ValueError: …" in shown
        shown = formatter.format(record(logging.INFO, "the key of rtsp://anna:pass@cam/1 and https://pi/?a@b"))
        assert "the key of rtsp://…@cam/1 and https://pi/?a@b" in shown
        assert "of …" in formatter.format(record(logging.INFO, "of hush-hush-token-longer"))


def test_secret_values_are_all_secrets_of_the_settings():
    texts = [
        "web.viewer_token=a-viewer-token-of-20", "web.operator_token=an-operator-token-20",
        "ice.servers=[{urls=['turn:t.example.org'], username='u', credential='word'}, {urls=['turn:s.example.org']}]",
        "ice.turn_secret=north-wind-north-wind",
    ]  # fmt: skip
    known = {"a-viewer-token-of-20", "an-operator-token-20", "word", "north-wind-north-wind"}
    assert settings.secret_values(settings.read("", texts)) == known
    assert settings.secret_values(settings.read("")) == set()
