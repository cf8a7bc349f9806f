"""Standard streams and descriptors: what a process inherits, made fit for the daemon."""

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
_PLAIN = {"…": "...", "×": "x", "–": "-", "’": "'", "°": " deg", "µ": "u"}
"""What takes the place of a character that the locale cannot write; any other becomes a TOML escape (`\\u6771`)."""


def repair() -> None:
    """Replace closed standard streams by /dev/null, and let none of them fail on a character it cannot encode.

    A closed descriptor 0, 1 or 2 would be given to the next file or socket that is opened, and whatever a library
    prints would be written into that.
    """
    for descriptor in _STANDARD:
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115
    codecs.register_error("broadcaster.degrade", _degrade)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="broadcaster.degrade")


def use_utf8_file_names(arguments: Sequence[str], environ: MutableMapping[str, str]) -> None:
    """Run this program again in Python's UTF-8 mode (PEP 540) where the locale is not UTF-8; then this does nothing.

    Settings files are UTF-8, and so are file names on Linux: with the locale's encoding, files with letters that it
    lacks could not be opened. What is printed stays in the locale's encoding. `arguments` are `sys.orig_argv`.
    """
    is_utf8 = codecs.lookup(sys.getfilesystemencoding()).name == "utf-8"
    if is_utf8 or sys.flags.ignore_environment or "PYTHONUTF8" in environ:
        return
    environ["PYTHONUTF8"] = "1"
    environ.setdefault("PYTHONIOENCODING", locale.getencoding())
    with contextlib.suppress(OSError):
        os.execve(sys.executable, [sys.executable, *arguments[1:]], environ)


def write_utf8(stream: TextIO) -> None:
    """Write UTF-8 to `stream` from now on: what reads it wants that, whatever the locale (TOML, journald)."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def can_write(stream: TextIO, text: str) -> bool:
    """Whether the encoding of `stream` has every character of `text`."""
    try:
        text.encode(stream.encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def _degrade(error: UnicodeError) -> tuple[str, int]:
    """Error handler for encoding (`codecs.register_error`)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = "".join(_PLAIN.get(letter) or _escape(letter) for letter in error.object[error.start : error.end])
    return text, error.end


def _escape(letter: str) -> str:
    number = ord(letter)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


DESCRIPTOR_LIMIT = 65536
"""As in systemd/broadcaster.service: enough for a thousand viewers whose pages all load at once."""


def raise_descriptor_limit() -> None:
    """Raise the soft limit to the hard one, or as far as is useful.

    The soft one is 1024 for the sake of programs that use select(2); here nothing does.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTOR_LIMIT if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTOR_LIMIT)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    with contextlib.suppress(OSError, ValueError):  # the service's sandbox, which has raised it itself
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
