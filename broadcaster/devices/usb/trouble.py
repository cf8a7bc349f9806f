"""Conversion of V4L2's errors to `SourceError`: what is wrong, and what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broadcaster.devices.holders import holders, join
from broadcaster.devices.usb.camera import Node
from broadcaster.errors import SourceError, StreamReason

_GONE = frozenset({errno.ENODEV, errno.ENXIO, errno.ENOENT, errno.EIO, errno.ESHUTDOWN})
_SILENT = frozenset({errno.ETIMEDOUT, errno.EPROTO, errno.EPIPE, errno.EILSEQ, errno.EREMOTEIO})


@contextmanager
def camera_errors(node: Node) -> Iterator[None]:
    """Convert OSError raised inside the block to `SourceError`."""
    try:
        yield
    except OSError as error:
        reason, words = _explain(error, node)
        raise SourceError(reason, f"{node.card} ({node.path}): {words}") from error


def _explain(error: OSError, node: Node) -> tuple[StreamReason, str]:
    if error.errno == errno.EBUSY:
        return StreamReason.CAMERA_BUSY, f"in use by {_by_whom(node)}"
    if error.errno == errno.ENOSPC:
        return StreamReason.CAMERA_BUSY, (
            "the USB bus has no room for it beside other devices: plug it into another port, or ask for less "
            "(video.width, video.height, video.fps)"
        )
    if error.errno in _GONE:
        return (
            StreamReason.CAMERA_LOST,
            "unplugged, or its cable or power fails",
        )
    if error.errno in _SILENT:
        return StreamReason.CAMERA_STALLED, f"it does not answer ({error.strerror}): unplug it and plug it in again"
    if isinstance(error, PermissionError):
        return StreamReason.NO_CAMERA, f"no permission to open it: {join('video')}"
    return StreamReason.CAMERA_STALLED, f"it refuses to work ({error.strerror or error}): unplug it, plug it in again"


def _by_whom(node: Node) -> str:
    found = holders([Path(node.path)])
    if found:
        return f"{found}: end that first"
    return f"another program: sudo fuser -v {node.path} says which; end that first"
