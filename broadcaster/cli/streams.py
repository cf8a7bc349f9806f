"""Standard streams, file name encoding and descriptor limit of the process, prepared for the daemon."""

from __future__ import annotations

import codecs
import contextlib
import io
import locale
import os
import resource
import sys
from collections.abc import MutableMapping, Sequence
from typing import TextIO

_STANDARD = (0, 1, 2)
_REPLACEMENTS = {"…": "...", "×": "x", "–": "-", "’": "'", "°": " deg", "µ": "u"}
"""Replacements for characters that the locale cannot encode; any other becomes a TOML escape (`\\u6771`)."""

DESCRIPTOR_LIMIT = 65536
"""As in systemd/broadcaster.service: enough for a thousand viewers whose pages all load at once."""


def repair() -> None:
    """Replace closed standard streams by /dev/null, and make unencodable characters harmless.

    The kernel would give a closed descriptor 0, 1 or 2 to the next file or socket that is opened, and libraries would
    print into that.
    """
    for descriptor in _STANDARD:
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115
    codecs.register_error("broadcaster.replace", _replace)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="broadcaster.replace")


def use_utf8_file_names(arguments: Sequence[str], environ: MutableMapping[str, str]) -> None:
    """Execute this program again in Python's UTF-8 mode (PEP 540) if the locale's encoding is not UTF-8.

    Settings files are UTF-8, and so are file names on Linux; the locale's encoding could not represent all of them.
    Output stays in the locale's encoding. `arguments` are `sys.orig_argv`.
    """
    is_utf8 = codecs.lookup(sys.getfilesystemencoding()).name == "utf-8"
    if is_utf8 or sys.flags.ignore_environment or "PYTHONUTF8" in environ:
        return
    environ["PYTHONUTF8"] = "1"
    environ.setdefault("PYTHONIOENCODING", locale.getencoding())
    with contextlib.suppress(OSError):
        os.execve(sys.executable, [sys.executable, *arguments[1:]], environ)


def write_utf8(stream: TextIO) -> None:
    """Switch `stream` to UTF-8, whatever the locale, for a reader that expects it (TOML, journald)."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def can_write(stream: TextIO, text: str) -> bool:
    """Return whether the encoding of `stream` has every character of `text`."""
    try:
        text.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _replace(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that cannot be encoded (an error handler for `codecs.register_error`)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = "".join(_REPLACEMENTS.get(letter) or _escape(letter) for letter in error.object[error.start : error.end])
    return text, error.end


def _escape(letter: str) -> str:
    number = ord(letter)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def raise_descriptor_limit() -> None:
    """Raise the soft limit of descriptors to `DESCRIPTOR_LIMIT`, or to the hard limit if that is lower.

    The soft limit is 1024 by default for programs that use select(2), which this one does not.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = DESCRIPTOR_LIMIT if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTOR_LIMIT)
    if soft == resource.RLIM_INFINITY or soft >= limit:
        return
    with contextlib.suppress(OSError, ValueError):  # the service's sandbox may forbid it; its unit sets the limit
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
