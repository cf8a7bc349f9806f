"""Bugs are counted, and each kind is logged with its traceback once."""

import logging

import pytest

from broadcaster.stream import bug_log
from broadcaster.stream.bug_log import BugLog


def raised(divisor: int) -> Exception:
    try:
        return Exception(1 / divisor)
    except ZeroDivisionError as error:
        return error


def misread(text: str) -> Exception:
    try:
        return Exception(int(text))
    except ValueError as error:
        return error


def errors(caplog: pytest.LogCaptureFixture) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_the_first_of_each_kind_is_logged_with_its_traceback_and_all_are_counted(caplog):
    bugs = BugLog()
    for _ in range(3):
        bugs.add("file-video", raised(0))
        bugs.add("file-audio", misread("x"))
    assert bugs.count == 6
    assert [(record.exc_info[0], "file-" in record.message) for record in errors(caplog)] == [
        (ZeroDivisionError, True),
        (ValueError, True),
    ]


def test_the_same_exception_from_another_line_is_another_kind(caplog):
    bugs = BugLog()
    bugs.add("a", raised(0))
    try:
        _ = 1 / 0
    except ZeroDivisionError as error:
        bugs.add("a", error)
    assert len(errors(caplog)) == 2


def test_an_exception_that_was_never_raised_has_a_kind_too(caplog):
    bugs = BugLog()
    bugs.add("a", KeyError("x"))
    bugs.add("a", KeyError("y"))
    assert (bugs.count, len(errors(caplog))) == (2, 1)


def test_kinds_without_end_fill_neither_log_nor_memory(caplog, monkeypatch):
    monkeypatch.setattr(bug_log, "MAX_KINDS", 2)
    bugs = BugLog()
    for number in range(5):
        bugs.add("a", type(f"Odd{number}", (Exception,), {})())
    assert (bugs.count, len(errors(caplog))) == (5, 2)
