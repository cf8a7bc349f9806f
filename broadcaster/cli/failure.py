"""Why the stream has failed, and the fix, in words for the owner."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from broadcaster.cli.target import Target
from broadcaster.devices.board import read_board
from broadcaster.doctor.advice import copy_out_of_sandbox, has_usb_library, source_fix
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.unit import read_service
from broadcaster.errors import StreamReason, describe_reason
from broadcaster.settings.paths import absolute


def problem(answer: dict[str, Any]) -> str:
    """Return why the stream has failed: in the daemon's words, or in ours if it shows only the reason."""
    return answer.get("problem") or describe_reason(str(answer["stream"].get("reason") or ""))


def fix(answer: dict[str, Any], target: Target) -> str:
    """Return what to do about it; it is the fix of `broadcaster check camera`."""
    reason, video = str(answer["stream"].get("reason") or ""), target.settings.video
    if reason == StreamReason.FILE and target.is_service:
        path = os.path.realpath(absolute(video.file))
        if read_service(Machine()).hides(path) is not None:
            return copy_out_of_sandbox(video.file)
    return source_fix(reason, video, usb_library=has_usb_library(), on_a_pi=read_board().is_raspberry_pi)


def rows(answer: dict[str, Any], target: Target) -> Iterator[tuple[str, str]]:
    """Yield the rows of `broadcaster status` about a stream that has failed."""
    yield "Problem", problem(answer)
    first, *rest = fix(answer, target).splitlines()
    yield "Fix", first
    yield from (("", line) for line in rest)
