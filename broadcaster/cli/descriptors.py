"""How many descriptors this process may have: each connection takes one, and each viewer's media some more."""

from __future__ import annotations

import contextlib
import resource

WANTED = 65536
"""As in systemd/broadcaster.service: enough for a thousand viewers whose pages all load at once."""


def raise_descriptor_limit() -> None:
    """Raise the soft limit to the hard one, or as far as is useful.

    The soft one is 1024 for the sake of programs that use select(2); here nothing does.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED if hard == resource.RLIM_INFINITY else min(hard, WANTED)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    with contextlib.suppress(OSError, ValueError):  # the service's sandbox, which has raised it itself
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
