"""What all users of libav here have in common: its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import av

from broadcaster.errors import SourceError, StreamReason


@contextmanager
def libav_errors(reason: StreamReason, what: str) -> Iterator[None]:
    """Turn libav's errors inside the block into `SourceError(reason, "<what>: <libav's words>")`.

    PyAV's errors are also OSError or ValueError; a plain one of these is a bug and passes.
    """
    try:
        yield
    except av.FFmpegError as error:
        raise SourceError(reason, f"{what}: {error.strerror or error}") from error
