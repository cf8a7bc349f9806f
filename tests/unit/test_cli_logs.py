"""Log lines, for people and for journald."""

import io
import logging
import os
import re

import pytest

from broadcaster.cli.logs import JournalFormatter, TerminalFormatter, is_journal, set_up


@pytest.fixture(autouse=True)
def _own_logging():
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before


def record(level: int, message: str, error: BaseException | None = None) -> logging.LogRecord:
    about = (type(error), error, None) if error else None
    return logging.LogRecord("broadcaster.stream.live", level, __file__, 1, message, (), about)


def test_a_terminal_sees_time_level_and_name():
    line = TerminalFormatter().format(record(logging.WARNING, "no camera"))
    assert re.fullmatch(r"\d\d:\d\d:\d\d warning stream\.live: no camera", line)


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.DEBUG, 7), (logging.INFO, 6), (logging.WARNING, 4), (logging.ERROR, 3), (logging.CRITICAL, 2)],
)
def test_journald_sees_the_priority_and_no_time(level, priority):
    assert JournalFormatter().format(record(level, "hello")) == f"<{priority}>stream.live: hello"


def test_every_line_of_a_traceback_carries_the_priority():
    lines = JournalFormatter().format(record(logging.ERROR, "a bug", ValueError("oh"))).splitlines()
    assert lines == ["<3>stream.live: a bug", "<3>ValueError: oh"]


def test_journald_is_known_by_device_and_inode():
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream, os.fdopen(reading):
        status = os.fstat(writing)
        assert is_journal(stream, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"})
        assert not is_journal(stream, {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino + 1}"})
        assert not is_journal(stream, {})


def test_a_stream_without_descriptor_is_no_journal():
    assert not is_journal(io.StringIO(), {"JOURNAL_STREAM": "1:2"})


@pytest.mark.parametrize(("level", "shown"), [("debug", "diw"), ("info", "iw"), ("warning", "w"), ("error", "")])
def test_the_level_decides(level, shown):
    stream = io.StringIO()
    set_up(level, stream, {})
    log = logging.getLogger("broadcaster.test")
    log.debug("d")
    log.info("i")
    log.warning("w")
    assert "".join(line[-1] for line in stream.getvalue().splitlines()) == shown


def test_third_parties_are_quiet_below_warning():
    stream = io.StringIO()
    set_up("debug", stream, {})
    for name in ("aioice.ice", "aiortc.rtcdtlstransport"):
        logging.getLogger(name).info("inside")
        logging.getLogger(name).warning("outside")
    assert "inside" not in stream.getvalue()
    assert stream.getvalue().count("outside") == 2
