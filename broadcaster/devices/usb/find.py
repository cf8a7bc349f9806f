"""Which of the machine's video nodes are cameras, and which of them is meant."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from broadcaster.devices.blocking import Overdue, Worker
from broadcaster.devices.holders import join
from broadcaster.devices.usb.camera import Node, read_node
from broadcaster.errors import SourceError, StreamReason

_VIDEO_CAPTURE, _M2M, _M2M_MPLANE, _STREAMING = 0x1, 0x8000, 0x4000, 0x4000000
"""V4L2_CAP_… (videodev2.h); nodes for metadata have neither the first nor the next two."""
_NO_CAMERAS = frozenset(
    {"bcm2835-codec", "bcm2835-isp", "pispbe", "rpi-hevc-dec", "rpivid", "unicam", "rp1-cfe", "bcm2835 mmal"}
)
"""Drivers of a Pi's codecs, image processors and CSI receivers: they capture, but not without libcamera."""
_BY_ID = Path("/dev/v4l/by-id")
"""Links that udev makes (60-persistent-v4l.rules); joining it with an absolute path gives that path."""

_LOOK_LIMIT = 5.0
"""Seconds for asking all devices what they are; it takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What was found: cameras in the order of their numbers, and nodes that may not be opened."""

    cameras: tuple[Node, ...] = ()
    forbidden: tuple[str, ...] = ()


def why_none(device: str) -> str:
    """Look for the camera that `video.device` means, blocking: why there is none, or nothing."""
    worker = Worker("USB cameras")
    try:
        pick_camera(worker.call_blocking(look_around, _LOOK_LIMIT), device)
    except SourceError as error:
        return error.detail
    except Overdue:
        return f"a camera does not answer within {_LOOK_LIMIT:g} s: unplug it and plug it in again"
    finally:
        worker.end()
    return ""


def look_around(folder: Path = Path("/dev")) -> Surroundings:
    """Ask every video node what it is, blocking; what is in use by others answers too."""
    cameras, forbidden = [], []
    numbers = {path: path.name.removeprefix("video") for path in folder.glob("video*")}
    paths = [path for path, number in numbers.items() if number.isdecimal()]
    for path in sorted(paths, key=lambda path: int(numbers[path])):
        try:
            node = read_node(str(path))
        except PermissionError:
            forbidden.append(str(path))
        except OSError:
            continue  # unplugged a moment ago, or none of V4L2's
        else:
            cameras.append(node)
    return Surroundings(tuple(node for node in cameras if is_camera(node)), tuple(forbidden))


def is_camera(node: Node) -> bool:
    """Whether a node gives pictures of a camera: no codec, no image processor, no metadata."""
    wanted = _VIDEO_CAPTURE | _STREAMING
    capable = node.capabilities & wanted == wanted and not node.capabilities & (_M2M | _M2M_MPLANE)
    return capable and node.driver not in _NO_CAMERAS


def pick_camera(around: Surroundings, device: str) -> Node:
    """The camera that `video.device` means: a path, a number, a name or a part of it; empty: the first.

    A path may be a link, and a name one of /dev/v4l/by-id, which stay the same whatever the number becomes.
    Raises `SourceError`.
    """
    if not around.cameras:
        raise SourceError(StreamReason.NO_CAMERA, _none_at_all(around, device))
    for wanted in _meanings(around.cameras, device):
        return wanted
    names = ", ".join(f"{node.path} ({node.card})" for node in around.cameras)
    raise SourceError(StreamReason.NO_CAMERA, f"video.device = {device!r} is not here; there is: {names}")


def _meanings(cameras: Sequence[Node], device: str) -> Iterable[Node]:
    """What may be meant, the likeliest first."""
    if not device:
        return cameras
    path = os.path.realpath(f"/dev/video{device}" if device.isdecimal() else _BY_ID / device)
    linked = [node for node in cameras if os.path.realpath(node.path) == path]
    if linked or device.startswith("/") or device.isdecimal():
        return linked
    word = device.casefold()
    equal = [node for node in cameras if node.card.casefold() == word]
    return equal + [node for node in cameras if word in node.card.casefold()]


def _none_at_all(around: Surroundings, device: str) -> str:
    if around.forbidden:
        return f"no permission to open {', '.join(around.forbidden)}: {join('video')}"
    what = f"video.device = {device!r} is not here: " if device else ""
    return f"{what}no USB camera is plugged in (no capture device among /dev/video*)"
