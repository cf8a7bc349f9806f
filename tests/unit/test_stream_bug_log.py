"""The bug log counts every bug and logs the traceback of each kind once."""

import logging

import pytest

from broadcaster.stream import bug_log
from broadcaster.stream.bug_log import BugLog


def zero_division(divisor: int) -> Exception:
    try:
        return Exception(1 / divisor)
    except ZeroDivisionError as error:
        return error


def value_error(text: str) -> Exception:
    try:
        return Exception(int(text))
    except ValueError as error:
        return error


def errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_first_of_each_kind_is_logged_with_its_traceback_and_all_are_counted(caplog):
    bugs = BugLog()
    for _ in range(3):
        bugs.add("file-video", zero_division(0))
        bugs.add("file-audio", value_error("x"))
    assert bugs.count == 6
    assert [(record.exc_info[0], "file-" in record.message) for record in errors(caplog)] == [
        (ZeroDivisionError, True),
        (ValueError, True),
    ]


def test_same_exception_from_another_line_is_another_kind(caplog):
    bugs = BugLog()
    bugs.add("a", zero_division(0))
    try:
        _ = 1 / 0
    except ZeroDivisionError as error:
        bugs.add("a", error)
    assert len(errors(caplog)) == 2


def test_exception_without_traceback_has_a_kind(caplog):
    bugs = BugLog()
    bugs.add("a", KeyError("x"))
    bugs.add("a", KeyError("y"))
    assert (bugs.count, len(errors(caplog))) == (2, 1)


def test_number_of_kinds_is_limited(caplog, monkeypatch):
    monkeypatch.setattr(bug_log, "MAX_KINDS", 2)
    bugs = BugLog()
    for number in range(5):
        bugs.add("a", type(f"Odd{number}", (Exception,), {})())
    assert (bugs.count, len(errors(caplog))) == (5, 2)
