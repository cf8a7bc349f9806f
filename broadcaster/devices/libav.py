"""Conversion of libav's errors to `SourceError`, for all users of libav."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import av

from broadcaster.errors import SourceError, StreamReason


@contextmanager
def libav_errors(reason: StreamReason, what: str) -> Iterator[None]:
    """Convert libav's errors inside the block to `SourceError(reason, "<what>: <libav's message>")`.

    PyAV's errors are also OSError or ValueError; a plain OSError or ValueError is a bug and is not converted.
    """
    try:
        yield
    except av.FFmpegError as error:
        raise SourceError(reason, f"{what}: {error.strerror or error}") from error
