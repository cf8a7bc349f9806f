"""The fix for a stream that has failed, for the other commands: the one that `broadcaster check camera` gives."""

from __future__ import annotations

import os

from broadcaster.devices.board import read_board
from broadcaster.doctor.advice import copy_out_of_sandbox, has_usb_library, source_fix
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.unit import read_service
from broadcaster.errors import StreamReason
from broadcaster.settings import VideoSettings
from broadcaster.settings.paths import absolute


def fix(reason: str, video: VideoSettings, *, is_service: bool) -> str:
    """Return what to do on this machine about a stream that has failed; `is_service`: it is the systemd service's."""
    if is_service and reason == StreamReason.FILE:
        path = os.path.realpath(absolute(video.file))
        if read_service(Machine()).hides(path) is not None:
            return copy_out_of_sandbox(video.file)
    return source_fix(reason, video, usb_library=has_usb_library(), on_a_pi=read_board().is_raspberry_pi)
