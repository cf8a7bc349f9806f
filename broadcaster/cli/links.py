"""`broadcaster link`: create a viewer link that expires."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from broadcaster.auth.links import EARLIEST_CLOCK, Link, sign_link
from broadcaster.cli import link_key
from broadcaster.cli.addresses import page_addresses
from broadcaster.cli.banner import qr_code, with_token
from broadcaster.errors import BroadcasterError
from broadcaster.settings import Settings
from broadcaster.storage.secrets import SecretFile

_LINK_SETTINGS = (
    "stream.state_dir", "web.links", "web.host", "web.port", "web.hosts", "web.certificate", "web.key",
    "web.trusted_proxies",
)  # fmt: skip
"""Settings that a link depends on; none of them is secret."""


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """The requested link: lifetime in seconds, the viewer's name, and the page's address (None: this machine's)."""

    seconds: float
    name: str
    address: str | None


def make(
    settings: Settings,
    key: SecretFile,
    request: LinkRequest,
    unix: float,
    *,
    running: str | None,
    terminal: bool,
    qr: bool = True,
) -> str:
    """Return the link for each address of the page, one per line; `key` is the daemon's link key.

    On a `terminal`, also return the viewer's name, the expiry time, the key file, and a QR code if `qr`. Raises
    `BroadcasterError` when the link would not work, or would not expire in time. `running` is the id of the running
    daemon's key, None if it is unknown.
    """
    if not settings.web.links:
        raise BroadcasterError(
            "web.links is false in these settings, so the daemon accepts no viewer links. Set it to true for the "
            "daemon. If the daemon has other settings, name their file: broadcaster link --settings FILE"
        )
    _check_clock(unix)
    link_key.check(key, running)
    link = Link(request.name, int(unix), round(request.seconds))
    token = sign_link(link, key.read())
    links = [with_token(address, token) for address in _addresses(settings, request)]
    code = [qr_code(links[0])] if qr else []
    return "\n".join([*links, *([*_details(link, key), *code] if terminal else [])])


def command(program: str, file: str | None, assignments: Sequence[str], *, service: bool) -> str:
    """Return the command that creates a link for the daemon that was started with these settings.

    `program` is `sys.argv[0]`; `service` is true if systemd started the daemon. Only assignments that a link depends
    on are repeated, so no secret is.
    """
    if service:
        return "sudo broadcaster link"
    words = [program if program and not program.endswith("__main__.py") else "broadcaster", "link"]
    words += ["--settings", file] if file else []
    for assignment in assignments:
        if assignment.partition("=")[0].strip() in _LINK_SETTINGS:
            words += ["--set", assignment]
    return shlex.join(words)


def _check_clock(unix: float) -> None:
    if unix < EARLIEST_CLOCK:
        shown = datetime.fromtimestamp(unix, UTC)
        raise BroadcasterError(
            f"this machine's clock was never set: it shows {shown:%Y-%m-%d %H:%M} UTC, so a link created now would "
            "not expire in time. Connect the machine to a network and check `timedatectl`, or set the clock: "
            "sudo date --set='2030-01-31 18:00'"
        )


def _addresses(settings: Settings, request: LinkRequest) -> list[str]:
    if request.address is not None:
        return [request.address]
    if settings.web.port == 0:
        raise BroadcasterError(
            "web.port is 0, so only the daemon knows its port; give the page's address: --address URL"
        )
    return page_addresses(settings.web, settings.web.port)


def _details(link: Link, key: SecretFile) -> list[str]:
    end = datetime.fromtimestamp(link.created + link.seconds).astimezone()
    rows = [("For", link.name or "any viewer"), ("Until", f"{end:%Y-%m-%d %H:%M %Z}"), ("Key", str(key.path))]
    return ["", *(f"  {name:9}{text}" for name, text in rows), ""]
