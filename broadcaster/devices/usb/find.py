"""Enumeration of the machine's video nodes, and selection of the camera that `video.device` names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from broadcaster.devices.blocking import Overdue, Worker
from broadcaster.devices.holders import usermod_command
from broadcaster.devices.usb.camera import Node, read_node
from broadcaster.errors import SourceError, StreamReason

_VIDEO_CAPTURE, _M2M, _M2M_MPLANE, _STREAMING = 0x1, 0x8000, 0x4000, 0x4000000
"""V4L2_CAP_… (videodev2.h). Metadata nodes have none of the first three."""
_NOT_CAMERAS = frozenset(
    {"bcm2835-codec", "bcm2835-isp", "pispbe", "rpi-hevc-dec", "rpivid", "unicam", "rp1-cfe", "bcm2835 mmal"}
)
"""Drivers of a Pi's codecs, image processors and CSI receivers: they capture, but only with libcamera."""
_BY_ID = Path("/dev/v4l/by-id")
"""Folder of udev's stable links (60-persistent-v4l.rules). Joining it with an absolute path gives that path."""
_SCAN_LIMIT = 5.0
"""Seconds for querying all devices; normally it takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class DeviceScan:
    """The result of a scan: cameras in the order of their numbers, and nodes that this user may not open."""

    cameras: tuple[Node, ...] = ()
    forbidden: tuple[str, ...] = ()


def unavailable_reason(device: str) -> str:
    """Search for the camera that `video.device` names; return why it is unavailable, or "". Blocking."""
    worker = Worker("USB cameras")
    try:
        pick_camera(worker.call_blocking(scan_devices, _SCAN_LIMIT), device)
    except SourceError as error:
        return error.detail
    except Overdue:
        return f"a camera does not answer within {_SCAN_LIMIT:g} s: unplug it and plug it in again"
    finally:
        worker.end()
    return ""


def scan_devices(folder: Path = Path("/dev")) -> DeviceScan:
    """Query every video node in `folder`, including nodes in use by other processes. Blocking."""
    cameras, forbidden = [], []
    numbers = {path: path.name.removeprefix("video") for path in folder.glob("video*")}
    paths = [path for path, number in numbers.items() if number.isdecimal()]
    for path in sorted(paths, key=lambda path: int(numbers[path])):
        try:
            node = read_node(str(path))
        except PermissionError:
            forbidden.append(str(path))
        except OSError:
            continue  # just unplugged, or not a V4L2 device
        else:
            cameras.append(node)
    return DeviceScan(tuple(node for node in cameras if is_camera(node)), tuple(forbidden))


def is_camera(node: Node) -> bool:
    """Return whether a node captures from a camera; false for codecs, image processors and metadata nodes."""
    required = _VIDEO_CAPTURE | _STREAMING
    capable = node.capabilities & required == required and not node.capabilities & (_M2M | _M2M_MPLANE)
    return capable and node.driver not in _NOT_CAMERAS


def pick_camera(scan: DeviceScan, device: str) -> Node:
    """Return the camera that `video.device` names: a path, a number, a name or a part of it; empty: the first.

    The path may be a link, and the name one of /dev/v4l/by-id; those do not change with the number.
    Raises `SourceError`.
    """
    if not scan.cameras:
        raise SourceError(StreamReason.NO_CAMERA, _no_camera(scan, device))
    for match in _matches(scan.cameras, device):
        return match
    names = ", ".join(f"{node.path} ({node.card})" for node in scan.cameras)
    raise SourceError(StreamReason.NO_CAMERA, f"video.device = {device!r} is not connected; available: {names}")


def _matches(cameras: Sequence[Node], device: str) -> Iterable[Node]:
    """Return the cameras that `device` may name, the best match first."""
    if not device:
        return cameras
    path = os.path.realpath(f"/dev/video{device}" if device.isdecimal() else _BY_ID / device)
    linked = [node for node in cameras if os.path.realpath(node.path) == path]
    if linked or device.startswith("/") or device.isdecimal():
        return linked
    name = device.casefold()
    equal = [node for node in cameras if node.card.casefold() == name]
    return equal + [node for node in cameras if name in node.card.casefold()]


def _no_camera(scan: DeviceScan, device: str) -> str:
    if scan.forbidden:
        return f"no permission to open {', '.join(scan.forbidden)}: {usermod_command('video')}"
    subject = f"video.device = {device!r} is not connected: " if device else ""
    return f"{subject}no USB camera is plugged in (no capture device among /dev/video*)"
