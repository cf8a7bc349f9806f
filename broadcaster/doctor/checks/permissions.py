"""Groups, and the device nodes that this user can open."""

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
_SOUND = ("snd/pcm*c", "snd/control*")
_PINS = ("gpiochip*",)

_ABOUT = Subject("permissions", "A device that this user may not open is, for the stream, not there.")


@dataclass(frozen=True, slots=True)
class Devices:
    """The nodes of one kind, the group that they belong to on Raspberry Pi OS, and whether the settings need them."""

    kind: str
    group: str
    needed: bool
    nodes: tuple[str, ...]
    closed: tuple[str, ...]


def probe(case: CheckContext) -> list[CheckResult]:
    """The one line."""
    return [evaluate(read_devices(case.machine, case.settings), group_names(), case.account.name)]


def read_devices(machine: Machine, settings: Settings) -> list[Devices]:
    """Try every node, as far as that goes without opening it."""
    camera = settings.video.source in ("auto", "camera", "picamera2", "v4l2")
    microphone = settings.audio.source in ("auto", "alsa")
    kinds = (
        ("video", "video", camera, _VIDEO),
        ("sound", "audio", microphone, _SOUND),
        ("pins", "gpio", settings.panel.enabled, _PINS),
    )
    return [_devices(machine, *kind) for kind in kinds]


def _devices(machine: Machine, kind: str, group: str, needed: bool, patterns: Iterable[str]) -> Devices:
    paths = [path for pattern in patterns for path in sorted(machine.root.glob(f"dev/{pattern}"))]
    closed = [path for path in paths if not os.access(path, os.R_OK | os.W_OK)]
    nodes, shut = (tuple(f"/{path.relative_to(machine.root)}" for path in some) for some in (paths, closed))
    return Devices(kind, group, needed, nodes, shut)


def evaluate(devices: list[Devices], groups: set[str], user: str) -> CheckResult:
    """All that is needed can be opened, by whatever right."""
    shut = [one for one in devices if one.needed and one.closed]
    if shut:
        missing = [one.group for one in shut if one.group not in groups]
        found = [f"user {user} may not open {_some(one.closed)}" for one in shut]
        if missing:
            fix = f"Join the groups, and log in again:\n  sudo usermod -aG {','.join(missing)} {user}"
        else:
            fix = f"It is in the right groups; look at the nodes:\n  ls -l {shut[0].closed[0]}"
        return _ABOUT.broken("\n".join(found), fix)
    counts = [f"{len(one.nodes) - len(one.closed)} of {len(one.nodes)} {one.kind}" for one in devices if one.nodes]
    return _ABOUT.ok(f"user {user} may open {', '.join(counts)} devices" if counts else "no devices to open")


def _some(paths: tuple[str, ...]) -> str:
    """At most three of them, by name."""
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return ", ".join(paths[:3]) + more
