"""Groups, and the device nodes that this user may open."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from broadcaster.doctor.account import group_names
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.settings import Settings

_VIDEO = ("video*", "media*", "dma_heap/*", "vchiq", "vcio", "v4l-subdev*")
_AUDIO = ("snd/pcm*c", "snd/control*")
_GPIO = ("gpiochip*",)
_MAX_NAMED = 3
"""Device nodes that are named in a result; the others are counted."""

_ABOUT = Subject("permissions", "The stream cannot use a device that this user may not open.")


@dataclass(frozen=True, slots=True)
class Devices:
    """The device nodes of one kind.

    `group` is the group that they belong to on Raspberry Pi OS, `needed` whether the settings use them, and `closed`
    are those of `nodes` that this user may not open.
    """

    kind: str
    group: str
    needed: bool
    nodes: tuple[str, ...]
    closed: tuple[str, ...]


def probe(context: CheckContext) -> list[CheckResult]:
    """Return the only result."""
    return [evaluate(read_devices(context.machine, context.settings), group_names(), context.account.name)]


def read_devices(machine: Machine, settings: Settings) -> list[Devices]:
    """Return all device nodes of the stream, with the access that their modes and owners give; none is opened."""
    camera = settings.video.source in ("auto", "camera", "picamera2", "v4l2")
    microphone = settings.audio.source in ("auto", "alsa")
    kinds = (
        ("video", "video", camera, _VIDEO),
        ("audio", "audio", microphone, _AUDIO),
        ("GPIO", "gpio", settings.panel.enabled, _GPIO),
    )
    return [_read_kind(machine, *kind) for kind in kinds]


def _read_kind(machine: Machine, kind: str, group: str, needed: bool, patterns: Iterable[str]) -> Devices:
    paths = [path for pattern in patterns for path in sorted(machine.root.glob(f"dev/{pattern}"))]
    denied = [path for path in paths if not os.access(path, os.R_OK | os.W_OK)]
    nodes, closed = (tuple(f"/{path.relative_to(machine.root)}" for path in selected) for selected in (paths, denied))
    return Devices(kind, group, needed, nodes, closed)


def evaluate(devices: list[Devices], groups: set[str], user: str) -> CheckResult:
    """Require access to all devices that the settings use."""
    closed = [kind for kind in devices if kind.needed and kind.closed]
    if closed:
        found = "\n".join(f"user {user} may not open {_shorten(kind.closed)}" for kind in closed)
        missing = [kind.group for kind in closed if kind.group not in groups]
        if missing:
            fix = (
                f"Add the user to the missing groups, then log in again:\n  sudo usermod -aG {','.join(missing)} {user}"
            )
        else:
            fix = (
                f"The user is in the right groups; check the permissions of the device:\n  ls -l {closed[0].closed[0]}"
            )
        return _ABOUT.broken(found, fix)
    counts = [
        f"{len(kind.nodes) - len(kind.closed)} of {len(kind.nodes)} {kind.kind}" for kind in devices if kind.nodes
    ]
    return _ABOUT.ok(f"user {user} may open {', '.join(counts)} devices" if counts else "there are no devices to open")


def _shorten(paths: tuple[str, ...]) -> str:
    """Name the first paths and count the others."""
    more = len(paths) - _MAX_NAMED
    return ", ".join(paths[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")
