"""Where log lines go and what they look like: for a person at a terminal, or for journald."""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from collections.abc import Collection, Mapping
from typing import TextIO

from broadcaster.rate_limited_log import LineLimiter

_python = logging.getLogger("python")

# Third parties whose INFO is the inside of every connection.
_QUIET = ("aioice", "aiortc", "libav", "linuxpy", "picamera2")
# sd-daemon(3): journald takes a line's priority from this prefix.
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")
"""User and password of a URL (RFC 3986 §3.2.1)."""


_SHORTEST = 6
"""Characters of a secret that is looked for: shorter ones occur in ordinary words."""


class _Formatter(logging.Formatter):
    """Formats a record without what is secret: values of settings, and passwords in URLs, wherever they come from."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        super().__init__()
        longest_first = sorted((text for text in secrets if len(text) >= _SHORTEST), key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        text = f"{_short(record.name)}: {super().format(record)}"
        return _CREDENTIALS.sub("…@", self._secrets.sub("…", text))


class JournalFormatter(_Formatter):
    """`<6>stream: …`: journald adds the time itself; every line of a traceback carries the priority."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        prefix = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        text = super().format(record)
        return "\n".join(prefix + line for line in text.splitlines())


class TerminalFormatter(_Formatter):
    """`12:34:56 info    stream.controller: …`."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        time = self.formatTime(record, "%H:%M:%S")
        return f"{time} {record.levelname.lower():8}{super().format(record)}"


class LibraryLogLimiter(logging.Filter):
    """Lets through what libraries say, a little of it: what makes them say it comes from outside, and may be a flood.

    Ours know their own measure.
    """

    def __init__(self) -> None:
        super().__init__()
        self._bound = LineLimiter()
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter.filter`."""
        if record.name.split(".")[0] == "broadcaster":
            return True
        error = record.exc_info[1] if record.exc_info else None
        with self._lock:  # libraries have threads
            line = self._bound.line(record.name, record.getMessage(), error, time.monotonic())
        if line is None:
            return False
        record.msg, record.args = line.text, ()
        if line.error is None:
            record.exc_info = record.exc_text = record.stack_info = None
        return True


def log_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Log what Python could raise nowhere (`sys.unraisablehook`), which otherwise is written past the log.

    Some of it is for strangers to bring about: a TLS handshake that names a server by letters which are not ASCII.
    """
    about = unraisable.object
    where = getattr(about, "__qualname__", type(about).__name__)
    _python.warning("%s %s", unraisable.err_msg or "exception ignored in", where, exc_info=unraisable.exc_value)


def set_up(level: str, stream: TextIO, environ: Mapping[str, str], secrets: Collection[str] = ()) -> None:
    """Send log lines of `level` (`log.level`) and above to `stream`, without `secrets`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter((JournalFormatter if is_journal(stream, environ) else TerminalFormatter)(secrets))
    handler.addFilter(LibraryLogLimiter())
    logging.getLogger().handlers = [handler]
    set_level(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def set_level(level: str) -> None:
    """Log lines of `level` (`log.level`) and above from now on."""
    logging.getLogger().setLevel(level.upper())


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether `stream` ends in journald: systemd.exec(5) says its device and inode in `$JOURNAL_STREAM`."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # no descriptor behind it, or closed
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _short(name: str) -> str:
    return name.removeprefix("broadcaster.")
