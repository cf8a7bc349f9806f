"""The systemd unit of the service."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from broadcaster.doctor.machine import Machine
from broadcaster.sandbox import Hidden, contains

UNIT = "broadcaster.service"

_PROPERTIES = (
    "LoadState", "ActiveState", "MainPID", "NRestarts", "UnitFileState", "User", "SupplementaryGroups", "Environment",
    "StateDirectory", "ExecStart", "AmbientCapabilities", "ProtectHome", "PrivateTmp", "BindPaths", "BindReadOnlyPaths",
)  # fmt: skip


_HIDDEN_FOLDERS = {"ProtectHome": ("/home", "/root", "/run/user"), "PrivateTmp": ("/tmp", "/var/tmp")}
"""Folders that options of a unit hide (systemd.exec(5))."""


@dataclass(frozen=True, slots=True)
class ServiceUnit:
    """The properties of the unit; all empty without systemd or without the unit.

    `restarts` counts automatic restarts. `low_ports`: the service may listen on ports below 1024. `hidden` are the
    folders that its sandbox hides, `bound` those that are visible in spite of that.
    """

    installed: bool = False
    enabled: bool = False
    active: str = ""
    pid: int = 0
    restarts: int = 0
    user: str = ""
    groups: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    state_folder: str = ""
    settings_file: str = ""
    program: str = ""
    low_ports: bool = False
    hidden: tuple[Hidden, ...] = ()
    bound: tuple[str, ...] = ()

    @property
    def is_running(self) -> bool:
        """Whether the service has a process."""
        return self.pid > 0

    def hides(self, path: str) -> Hidden | None:
        """Return what hides an absolute path from the service; None if it is visible."""
        if any(contains(folder, path) for folder in self.bound):
            return None
        return next((hidden for hidden in self.hidden if contains(hidden.folder, path)), None)


def read_service(machine: Machine) -> ServiceUnit:
    """Return the service's properties from systemd."""
    return parse(machine.run("systemctl", "show", UNIT, f"--property={','.join(_PROPERTIES)}") or "")


def parse(output: str) -> ServiceUnit:
    """Parse the output of `systemctl show` (systemctl(1), org.freedesktop.systemd1(5))."""
    values = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    if values.get("LoadState") != "loaded":
        return ServiceUnit()
    command = _parse_command(values.get("ExecStart", ""))
    state = values.get("StateDirectory", "").split(" ")[0]
    return ServiceUnit(
        installed=True,
        enabled=values.get("UnitFileState", "").startswith("enabled"),
        active=values.get("ActiveState", ""),
        pid=_parse_number(values.get("MainPID", "")),
        restarts=_parse_number(values.get("NRestarts", "")),
        user=values.get("User", ""),
        groups=tuple(values.get("SupplementaryGroups", "").split()),
        environment=dict(word.split("=", 1) for word in _split(values.get("Environment", "")) if "=" in word),
        state_folder=f"/var/lib/{state}" if state else "",
        settings_file=next((value for option, value in pairwise(command) if option == "--settings"), ""),
        program=command[0] if command else "",
        low_ports="cap_net_bind_service" in values.get("AmbientCapabilities", "").lower().split(),
        hidden=tuple(_hidden_folders(values)),
        bound=tuple(_bind_mounts(f"{values.get('BindPaths', '')} {values.get('BindReadOnlyPaths', '')}")),
    )


def _hidden_folders(values: Mapping[str, str]) -> Iterator[Hidden]:
    for option, folders in _HIDDEN_FOLDERS.items():
        if values.get(option, "no") in ("yes", "tmpfs", "disconnected"):
            yield from (Hidden(folder, option) for folder in folders)


def _bind_mounts(value: str) -> Iterator[str]:
    """Yield the destinations of `SOURCE:DESTINATION:OPTIONS …`; without one, the source is the destination."""
    for bind in value.split():
        source, _, rest = bind.partition(":")
        yield rest.partition(":")[0] or source


def _parse_command(value: str) -> list[str]:
    """Return the words of `ExecStart={ path=… ; argv[]=… run --settings FILE ; … }`."""
    return _split(value.partition("argv[]=")[2].partition(" ;")[0])


def _split(text: str) -> list[str]:
    """Split like a shell, or at white space if the quotes do not match."""
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _parse_number(text: str) -> int:
    return int(text) if text.isdigit() else 0
