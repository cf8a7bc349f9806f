"""Logging set-up: the format of log lines on a terminal and in the journal, and limits for libraries."""

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
from broadcaster.service.log_ring import LogRing

_python = logging.getLogger("python")

# Libraries that log every step of every connection at level INFO.
_QUIET = ("aioice", "aiortc", "libav", "linuxpy", "picamera2")
# sd-daemon(3): journald takes a line's priority from this prefix.
_PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}

_CREDENTIALS = re.compile(r"(?<=://)[^/\s@]+@")
"""User and password in a URL (RFC 3986 §3.2.1)."""

_MIN_SECRET_LENGTH = 6
"""Shorter secrets are not masked, because they occur in ordinary words."""


class _Formatter(logging.Formatter):
    """Masks secrets: the values of secret settings, and the credentials in any URL."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        super().__init__()
        longest_first = sorted((text for text in secrets if len(text) >= _MIN_SECRET_LENGTH), key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        text = f"{record.name.removeprefix('broadcaster.')}: {super().format(record)}"
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
    """Rate-limits and escapes the log lines of libraries: remote clients can trigger them in any number.

    The broadcaster's own lines pass; those that remote clients trigger have a `RateLimitedLogger`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._limiter = LineLimiter()
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        """See `logging.Filter.filter`."""
        if record.name.split(".")[0] == "broadcaster":
            return True
        error = record.exc_info[1] if record.exc_info else None
        with self._lock:  # libraries log in threads of their own
            line = self._limiter.line(record.name, record.getMessage(), error, time.monotonic())
        if line is None:
            return False
        record.msg, record.args = line.text, ()
        if line.error is None:
            record.exc_info = record.exc_text = record.stack_info = None
        return True


def log_unraisable(unraisable: sys.UnraisableHookArgs) -> None:
    """Log an exception that Python cannot raise (`sys.unraisablehook`), for example one in a destructor.

    By default Python writes it to stderr, past the log and its limits. Remote clients can cause some, for example with
    a non-ASCII server name in a TLS handshake.
    """
    source = unraisable.object
    where = getattr(source, "__qualname__", type(source).__name__)
    _python.warning("%s %s", unraisable.err_msg or "exception ignored in", where, exc_info=unraisable.exc_value)


def set_up(level: str, stream: TextIO, environ: Mapping[str, str], secrets: Collection[str] = ()) -> None:
    """Send log lines of `level` (`log.level`) and above to `stream`, with `secrets` masked, and keep the last ones."""
    handler, ring = logging.StreamHandler(stream), LogRing()
    handler.setFormatter((JournalFormatter if is_journal(stream, environ) else TerminalFormatter)(secrets))
    ring.setFormatter(_Formatter(secrets))
    for one in (handler, ring):
        one.addFilter(LibraryLogLimiter())
    logging.getLogger().handlers = [handler, ring]
    set_level(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def set_level(level: str) -> None:
    """Log lines of `level` (`log.level`) and above from now on."""
    logging.getLogger().setLevel(level.upper())


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Return whether `stream` leads to journald: `$JOURNAL_STREAM` has its device and inode (systemd.exec(5))."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):  # it has no descriptor, or is closed
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
