"""Groups that open devices to their users, and how our user comes into one."""

from __future__ import annotations

import os
import pwd


def join(group: str) -> str:
    """Return the command with which our user joins `group`, for the log."""
    number = os.geteuid()
    try:
        user = pwd.getpwuid(number).pw_name
    except KeyError:
        user = str(number)
    return f"sudo usermod --append --groups {group} {user}, then start the daemon anew"
