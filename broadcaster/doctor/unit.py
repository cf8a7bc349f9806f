"""The unit of the system service, as systemd has it."""

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


_HIDING = {"ProtectHome": ("/home", "/root", "/run/user"), "PrivateTmp": ("/tmp", "/var/tmp")}
"""Folders that options of a unit hide (systemd.exec(5))."""


@dataclass(frozen=True, slots=True)
class Service:
    """The unit as systemd has it; all empty where there is no systemd or no such unit."""

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
        """Whether there is a process of it."""
        return self.pid > 0

    def hides(self, path: str) -> Hidden | None:
        """What hides an absolute path from the service, if something does."""
        if any(contains(folder, path) for folder in self.bound):
            return None
        return next((hidden for hidden in self.hidden if contains(hidden.folder, path)), None)


def read_service(machine: Machine) -> Service:
    """Ask systemd."""
    return parse(machine.run("systemctl", "show", UNIT, f"--property={','.join(_PROPERTIES)}") or "")


def parse(shown: str) -> Service:
    """Understand what `systemctl show` prints (systemctl(1), org.freedesktop.systemd1(5))."""
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    if values.get("LoadState") != "loaded":
        return Service()
    command = _command(values.get("ExecStart", ""))
    state = values.get("StateDirectory", "").split(" ")[0]
    return Service(
        installed=True,
        enabled=values.get("UnitFileState", "").startswith("enabled"),
        active=values.get("ActiveState", ""),
        pid=_number(values.get("MainPID", "")),
        restarts=_number(values.get("NRestarts", "")),
        user=values.get("User", ""),
        groups=tuple(values.get("SupplementaryGroups", "").split()),
        environment=dict(word.split("=", 1) for word in _words(values.get("Environment", "")) if "=" in word),
        state_folder=f"/var/lib/{state}" if state else "",
        settings_file=next((after for word, after in pairwise(command) if word == "--settings"), ""),
        program=command[0] if command else "",
        low_ports="cap_net_bind_service" in values.get("AmbientCapabilities", "").lower().split(),
        hidden=tuple(_hidden(values)),
        bound=tuple(_bound(f"{values.get('BindPaths', '')} {values.get('BindReadOnlyPaths', '')}")),
    )


def _hidden(values: Mapping[str, str]) -> Iterator[Hidden]:
    for option, folders in _HIDING.items():
        if values.get(option, "no") in ("yes", "tmpfs", "disconnected"):
            yield from (Hidden(folder, option) for folder in folders)


def _bound(shown: str) -> Iterator[str]:
    """The folders in `SOURCE:DESTINATION:OPTIONS …` that the service sees in spite of all."""
    for bind in shown.split():
        source, _, rest = bind.partition(":")
        yield rest.partition(":")[0] or source


def _command(started: str) -> list[str]:
    """The words of `ExecStart={ path=… ; argv[]=… run --settings FILE ; … }`."""
    return _words(started.partition("argv[]=")[2].partition(" ;")[0])


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
