"""As whom the checks run: as the service's user, because what root may open says nothing about the service."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from broadcaster.doctor.isolation import isolated
from broadcaster.doctor.unit import Service
from broadcaster.errors import BroadcasterError

USER = "broadcaster"
"""The service's user, where its unit names none."""

_TRIAL_LIMIT = 10.0
"""Seconds to find out whether the user can read this program; on a network disk that may take a while."""
_PROGRAM = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Account:
    """A user by name, and the service's."""

    name: str
    services: str

    @property
    def is_services(self) -> bool:
        """Whether they are the same."""
        return self.name == self.services

    def __str__(self) -> str:
        return f"as user {self.name}{', like the service' if self.is_services else ''}"


def own_account(service: Service) -> Account:
    """Who we are now."""
    return Account(_name(os.geteuid()), service.user or USER)


def become_services_user(service: Service) -> None:
    """Become the service's user for good, with its groups, home, and state folder; root only, where there is that user.

    Raises `BroadcasterError` when that user cannot read this program.
    """
    if os.geteuid() != 0:
        return
    try:
        user = pwd.getpwnam(service.user or USER)
    except KeyError:
        return
    if not isolated(lambda: _can_read_us(user, service), _TRIAL_LIMIT):
        raise BroadcasterError(
            f"user {user.pw_name} cannot read this program ({_PROGRAM}): run the installed one, "
            f"sudo {service.program or 'broadcaster'} check, or this one with --as-me"
        )
    _become(user, service)


def _can_read_us(user: pwd.struct_passwd, service: Service) -> bool:
    _become(user, service)
    return os.access(__file__, os.R_OK) and os.access(_PROGRAM, os.R_OK | os.X_OK)


def _become(user: pwd.struct_passwd, service: Service) -> None:
    """As systemd does it (systemd.exec(5)): groups first, because a mere user cannot choose them."""
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgroups(sorted({*os.getgroups(), *_group_ids(service.groups)}))
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    for name in ("XDG_RUNTIME_DIR", "XDG_STATE_HOME", "DBUS_SESSION_BUS_ADDRESS", "SUDO_USER"):
        os.environ.pop(name, None)
    os.environ |= {"HOME": user.pw_dir, "USER": user.pw_name, "LOGNAME": user.pw_name} | service.environment
    if not os.path.isdir(os.environ.get("LG_WD", "/")):  # of a service that does not run
        del os.environ["LG_WD"]
    folder = service.state_folder or user.pw_dir
    if service.state_folder:
        os.environ["STATE_DIRECTORY"] = service.state_folder
    with contextlib.suppress(OSError):
        os.chdir(folder)


def _group_ids(names: tuple[str, ...]) -> set[int]:
    """The numbers of those groups that there are."""
    known = {group.gr_name: group.gr_gid for group in grp.getgrall()}
    return {known[name] for name in names if name in known}


def group_names() -> set[str]:
    """The groups that we are in."""
    known = {group.gr_gid: group.gr_name for group in grp.getgrall()}
    return {known.get(number, str(number)) for number in {*os.getgroups(), os.getegid()}}


def _name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)
