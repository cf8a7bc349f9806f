"""Paths in settings and on the command line."""

from __future__ import annotations

import os
import re


def expand(path: str) -> str:
    """Replace a leading `~` or `~user` by the home directory; unchanged if there is none.

    A shell does this only at the beginning of a word, and thus not in `--set video.file=~/film.mp4`.
    """
    return os.path.expanduser(path)


def absolute(path: str) -> str:
    """Return the absolute path of a file. An empty path and a URL stay as they are; the source rejects the URL.

    Paths are made absolute because libav takes a prefix with a colon for a protocol (`cam:1.mp4`), and lgpio changes
    the working directory.
    """
    return path if not path or "://" in path else os.path.abspath(expand(path))


def without_password(path: str) -> str:
    """Return a path for a log line: if it is a URL, without user name and password."""
    return re.sub(r"://[^/]*@", "://…@", path)
