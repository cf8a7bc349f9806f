"""All checks, in the order in which their lines are shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from broadcaster.doctor.checks import (
    board,
    camera,
    certificate,
    clock,
    config,
    microphone,
    network,
    permissions,
    pins,
    power,
    room,
    service,
    versions,
    ways,
    wifi,
)
from broadcaster.doctor.line import Line
from broadcaster.doctor.situation import Situation


@dataclass(frozen=True, slots=True)
class Check:
    """A group of lines, as `names.GROUPS` has it.

    `limit` is in seconds, and generous, because a Zero 2 W takes five to load its libraries,
    and all deadlines inside may pass one after the other.
    """

    group: str
    look: Callable[[Situation], list[Line]]
    limit: float


CHECKS = (
    Check("board", board.look, 10),
    Check("versions", versions.look, 30),
    Check("settings", config.look, 5),
    Check("service", service.look, 5),
    Check("permissions", permissions.look, 5),
    Check("camera", camera.look, 60),
    Check("microphone", microphone.look, 40),
    Check("pins", pins.look, 10),
    Check("power", power.look, 15),
    Check("wifi", wifi.look, 30),
    Check("network", network.look, 15),
    Check("certificate", certificate.look, 10),
    Check("ways", ways.look, 25),
    Check("clock", clock.look, 5),
    Check("room", room.look, 5),
)
