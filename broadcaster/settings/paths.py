"""Paths as people write them in settings and on the command line."""

from __future__ import annotations

import os
import re


def expand(path: str) -> str:
    """Replace `~` and `~user` at the beginning by the home directory; unchanged where there is none.

    A shell does this only at the beginning of a word, so not in `--set video.file=~/film.mp4`.
    """
    return os.path.expanduser(path)


def absolute(path: str) -> str:
    """Return the absolute path of a file; empty stays empty, and so does a URL, for the source to refuse it by name.

    Libav takes what precedes a colon for a protocol (`cam:1.mp4`), and lgpio changes the working directory.
    """
    return path if not path or "://" in path else os.path.abspath(expand(path))


def without_password(path: str) -> str:
    """Return a path for a log line: if it is a URL, without user name and password."""
    return re.sub(r"://[^/]*@", "://…@", path)
