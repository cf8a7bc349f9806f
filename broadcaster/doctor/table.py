"""All checks, in the order of the report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from broadcaster.doctor.checks import (
    board,
    camera,
    candidates,
    certificate,
    clock,
    config,
    internet,
    microphone,
    network,
    permissions,
    pins,
    power,
    push,
    recordings,
    resources,
    service,
    versions,
    wifi,
)
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.result import CheckResult


@dataclass(frozen=True, slots=True)
class Check:
    """A check and the group of `names.GROUPS` that it produces.

    `limit` in seconds is generous: a Zero 2 W takes five to load the libraries, and all timeouts inside a check may
    expire one after the other.
    """

    group: str
    probe: Callable[[CheckContext], list[CheckResult]]
    limit: float


CHECKS = (
    Check("board", board.probe, 10),
    Check("versions", versions.probe, 30),
    Check("settings", config.probe, 5),
    Check("service", service.probe, 5),
    Check("permissions", permissions.probe, 5),
    Check("camera", camera.probe, 60),
    Check("microphone", microphone.probe, 40),
    Check("pins", pins.probe, 10),
    Check("power", power.probe, 15),
    Check("wifi", wifi.probe, 30),
    Check("network", network.probe, 15),
    Check("certificate", certificate.probe, 10),
    Check("candidates", candidates.probe, 25),
    Check("internet", internet.probe, 30),
    Check("push", push.probe, 15),
    Check("recordings", recordings.probe, 15),
    Check("clock", clock.probe, 5),
    Check("resources", resources.probe, 5),
)
