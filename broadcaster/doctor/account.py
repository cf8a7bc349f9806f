"""The user that the checks run as: the service's user, because root can open devices that the service cannot."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from broadcaster.doctor.isolation import run_isolated
from broadcaster.doctor.unit import ServiceUnit
from broadcaster.errors import BroadcasterError

DEFAULT_USER = "broadcaster"
"""The service's user if its unit names none."""

_ACCESS_TIMEOUT = 10.0
"""Seconds to find out whether the user can read this program; a network file system may be slow."""
_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Account:
    """The current user and the service's user, by name."""

    name: str
    service_user: str

    @property
    def is_service_user(self) -> bool:
        """Whether the current user is the service's user."""
        return self.name == self.service_user

    def __str__(self) -> str:
        return f"as user {self.name}{', like the service' if self.is_service_user else ''}"


def current_account(service: ServiceUnit) -> Account:
    """Return the account of this process."""
    return Account(_user_name(os.geteuid()), service.user or DEFAULT_USER)


def switch_to_service_user(service: ServiceUnit) -> None:
    """Become the service's user permanently, with its groups, home and state folder.

    Do nothing without root privileges or if that user does not exist. Raises `BroadcasterError` if that user cannot
    read this program.
    """
    if os.geteuid() != 0:
        return
    try:
        user = pwd.getpwnam(service.user or DEFAULT_USER)
    except KeyError:
        return
    if not run_isolated(lambda: _can_read_package(user, service), _ACCESS_TIMEOUT):
        raise BroadcasterError(
            f"user {user.pw_name} cannot read this program ({_PACKAGE}): run the installed one with "
            f"sudo {service.program or 'broadcaster'} check, or add --as-me"
        )
    _switch(user, service)


def _can_read_package(user: pwd.struct_passwd, service: ServiceUnit) -> bool:
    _switch(user, service)
    return os.access(__file__, os.R_OK) and os.access(_PACKAGE, os.R_OK | os.X_OK)


def _switch(user: pwd.struct_passwd, service: ServiceUnit) -> None:
    """Change user, groups, environment and working directory as systemd does for the service (systemd.exec(5))."""
    # Groups come first, because only root can set them.
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgroups(sorted({*os.getgroups(), *_group_ids(service.groups)}))
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "DBUS_SESSION_BUS_ADDRESS", "SUDO_USER"):
        os.environ.pop(name, None)
    os.environ |= {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name} | service.environment
    if not os.path.isdir(os.environ.get("LG_WD", "/")):  # systemd creates this folder only while the service runs
        del os.environ["LG_WD"]
    folder = service.state_folder or user.pw_dir
    if service.state_folder:
        os.environ["STATE_DIRECTORY"] = service.state_folder
    with contextlib.suppress(OSError):
        os.chdir(folder)


def _group_ids(names: tuple[str, ...]) -> set[int]:
    """Return the ids of those groups that exist."""
    known = {group.gr_name: group.gr_gid for group in grp.getgrall()}
    return {known[name] for name in names if name in known}


def group_names() -> set[str]:
    """Return the names of this process's groups."""
    known = {group.gr_gid: group.gr_name for group in grp.getgrall()}
    return {known.get(number, str(number)) for number in {*os.getgroups(), os.getegid()}}


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
