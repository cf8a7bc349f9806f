"""`broadcaster link`: a link for a viewer that ends by itself, and the end of all links."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from broadcaster.auth.links import EARLIEST_CLOCK, Link, sign_link
from broadcaster.cli.addresses import page_addresses
from broadcaster.cli.banner import qr_code, with_token
from broadcaster.errors import BroadcasterError
from broadcaster.settings import Settings
from broadcaster.storage.secrets import SecretFile

_OF_A_LINK = (
    "stream.state_dir", "web.links", "web.host", "web.port", "web.hosts", "web.certificate", "web.key",
    "web.trusted_proxies",
)  # fmt: skip
"""Settings that a link depends on."""


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """What kind of link is wanted; `address` is where the page is, None where viewers reach this machine directly."""

    seconds: float
    name: str
    address: str | None


def make(
    settings: Settings, key: SecretFile, asked: LinkRequest, unix: float, *, terminal: bool, qr: bool = True
) -> str:
    """Return the link under every address of the page.

    A `terminal` also gets for whom, until when and by which key, and a QR code if its encoding can draw one (`qr`).

    `key` is the daemon's. Raises `BroadcasterError` when such a link would open nothing, or not end as it should.
    """
    if not settings.web.links:
        raise BroadcasterError(
            "web.links is false in these settings, so that no such link counts. Set it to true for the daemon; if "
            "that has other settings, name them here: broadcaster link --settings FILE"
        )
    _check_clock(unix)
    link = Link(asked.name, int(unix), round(asked.seconds))
    token = sign_link(link, key.read_or_create())
    links = [with_token(address, token) for address in _addresses(settings, asked)]
    drawn = [qr_code(links[0])] if qr else []
    return "\n".join([*links, *([*_about(link, key), *drawn] if terminal else [])])


def command(program: str, file: str | None, assignments: Sequence[str], *, service: bool) -> str:
    """Return what makes a link for the daemon that was started with these settings.

    `program` is how it was called, `service` whether systemd has started it. Only assignments that matter to a link
    are repeated, none of which is a secret.
    """
    if service:
        return "sudo broadcaster link"
    words = [program if program and not program.endswith("__main__.py") else "broadcaster", "link"]
    words += ["--settings", file] if file else []
    for assignment in assignments:
        if assignment.partition("=")[0].strip() in _OF_A_LINK:
            words += ["--set", assignment]
    return shlex.join(words)


def revoke(key: SecretFile) -> str:
    """Put another key into its place, and return what to say about it. Raises `BroadcasterError`."""
    key.renew()
    return f"There is another key in {key.path}: a running daemon ends every link of before within a few seconds."


def _check_clock(unix: float) -> None:
    if unix < EARLIEST_CLOCK:
        shown = datetime.fromtimestamp(unix, UTC)
        raise BroadcasterError(
            f"this machine's clock was never set: it says {shown:%Y-%m-%d %H:%M} UTC, and no link made now would end "
            "as it should. Connect it to a network and see `timedatectl`, or type: sudo date --set='2030-01-31 18:00'"
        )


def _addresses(settings: Settings, asked: LinkRequest) -> list[str]:
    if asked.address is not None:
        return [asked.address]
    if settings.web.port == 0:
        raise BroadcasterError("web.port is 0, so that only the daemon knows its port: say --address URL here")
    return page_addresses(settings.web, settings.web.port)


def _about(link: Link, key: SecretFile) -> list[str]:
    end = datetime.fromtimestamp(link.created + link.seconds).astimezone()
    rows = [("For", link.name or "a guest"), ("Until", f"{end:%Y-%m-%d %H:%M %Z}"), ("Key", str(key.path))]
    return ["", *(f"  {name:9}{text}" for name, text in rows), ""]
