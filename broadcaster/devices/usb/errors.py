"""Conversion of V4L2's errors to `SourceError`: what is wrong, and what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from broadcaster.devices.holders import holders, usermod_command
from broadcaster.devices.usb.camera import Node
from broadcaster.errors import SourceError, StreamReason

_UNPLUGGED = frozenset({errno.ENODEV, errno.ENXIO, errno.ENOENT, errno.EIO, errno.ESHUTDOWN})
_NOT_ANSWERING = frozenset({errno.ETIMEDOUT, errno.EPROTO, errno.EPIPE, errno.EILSEQ, errno.EREMOTEIO})


@contextmanager
def camera_errors(node: Node) -> Iterator[None]:
    """Convert OSError raised inside the block to `SourceError`."""
    try:
        yield
    except OSError as error:
        reason, text = _explain(error, node)
        raise SourceError(reason, f"{node.card} ({node.path}): {text}") from error


def _explain(error: OSError, node: Node) -> tuple[StreamReason, str]:
    if error.errno == errno.EBUSY:
        return StreamReason.CAMERA_BUSY, f"in use by {_users(node)}"
    if error.errno == errno.ENOSPC:
        return StreamReason.CAMERA_BUSY, (
            "not enough USB bandwidth beside the other devices: plug it into another port, or request less "
            "(video.width, video.height, video.fps)"
        )
    if error.errno in _UNPLUGGED:
        return StreamReason.CAMERA_LOST, "unplugged, or its cable or power fails"
    if error.errno in _NOT_ANSWERING:
        return StreamReason.CAMERA_STALLED, f"it does not answer ({error.strerror}): unplug it and plug it in again"
    if isinstance(error, PermissionError):
        return StreamReason.NO_CAMERA, f"no permission to open it: {usermod_command('video')}"
    return StreamReason.CAMERA_STALLED, f"it does not work ({error.strerror or error}): unplug it and plug it in again"


def _users(node: Node) -> str:
    processes = holders([Path(node.path)])
    if processes:
        return f"{processes}: stop that first"
    return f"another program: sudo fuser -v {node.path} shows which; stop that first"
