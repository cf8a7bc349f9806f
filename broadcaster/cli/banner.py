"""The start banner, which the daemon prints when it is ready."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

import segno

from broadcaster import __version__
from broadcaster.model.stats import StreamReport
from broadcaster.settings import Settings
from broadcaster.settings.paths import without_password

QR_CHARACTERS = "█▀▄"
"""The characters of a QR code; not every terminal's encoding has them."""


@dataclass(frozen=True, slots=True)
class BannerContext:
    """What the start banner shows besides the settings and the stream.

    `links` are the page's addresses, the one for viewers first. `link_command` is the command that creates a viewer
    link. `token_file` holds the operator token; empty if the daemon did not create one. `terminal` is true if stdout
    is a terminal, `qr` if its encoding can show QR codes. `owner_code` signs the owner in once.
    """

    links: Sequence[str]
    link_command: str
    token_file: str
    terminal: bool
    qr: bool = True
    owner_code: str = ""


def start_banner(settings: Settings, report: StreamReport, context: BannerContext) -> str:
    """Return the start banner: the page's addresses, the sources, who may watch, and who may start and stop.

    The viewer token (as part of each link) and the QR code of the first link are printed only on a terminal: other
    output may end up in a journal, which more people can read. Addresses that give no access are left out.
    """
    links, owner = _links(settings, context), owner_link(context.links, context.owner_code)
    rows = [
        *zip(("Open", *[""] * len(links)), links, strict=False),
        *([("Link", f"{context.link_command} --name NAME    (creates a viewer link)")] if settings.web.links else []),
        ("Source", _source(settings, report)),
        ("Encoder", _encoder(settings, report)),
        ("Audio", report.audio_source),
        ("Viewers", _viewers(settings, terminal=context.terminal)),
        ("Control", _control(settings, context.token_file)),
        *([("Owner", f"{owner}    (once, within 10 minutes)")] if owner else []),
    ]
    lines = [f"broadcaster {__version__}", "", *(f"  {name:9}{text}" for name, text in rows), ""]
    if context.terminal and context.qr:
        lines += _qr_codes(links[0] if links else "", owner)
    return "\n".join(lines)


def _links(settings: Settings, context: BannerContext) -> list[str]:
    """Return the page's addresses, with the viewer token on a terminal; none if only a viewer link lets anyone in."""
    if settings.web.viewer_token and context.terminal:
        return [with_token(link, settings.web.viewer_token) for link in context.links]
    return [] if settings.web.links else list(context.links)


def _qr_codes(link: str, owner: str) -> list[str]:
    """Return the QR codes of these links, each below its title if there are two: the owner's must not be mixed up."""
    if not (link and owner):
        return [qr_code(one) for one in (link, owner) if one]
    return ["  For the owner only:", qr_code(owner), "  For viewers:", qr_code(link)]


def owner_link(links: Sequence[str], code: str) -> str:
    """Return the link to the owner's page with this code, at the first of these addresses; empty without a code."""
    return with_token(f"{links[0]}owner", code) if links and code else ""


def with_token(link: str, token: str) -> str:
    """Return `link` with a token in its fragment, which browsers do not send to the server (RFC 9110 §7.1)."""
    return f"{link}#t={quote(token, safe='')}"


def qr_code(link: str) -> str:
    """Return a QR code of `link` (ISO/IEC 18004), two modules per character row, with its quiet zone."""
    text = io.StringIO()
    segno.make_qr(link).terminal(text, compact=True)
    return text.getvalue()


def _source(settings: Settings, report: StreamReport) -> str:
    """Describe the video source. The size and frame rate of a file are unknown until it is opened."""
    if settings.video.source == "file":
        return f"{report.video_source}, {without_password(settings.video.file)}"
    return f"{report.video_source}, {report.width}×{report.height}, {report.fps:g} fps"


def _encoder(settings: Settings, report: StreamReport) -> str:
    rate = f"{settings.video.bitrate / 1e6:g} Mbit/s"
    if settings.video.source == "file":
        limits = f"up to {report.width}×{report.height}, {rate}"
        return f"none if the file's H.264 can be passed through; otherwise {report.encoder}, {limits}"
    return f"{report.encoder}, {rate}"


def _viewers(settings: Settings, *, terminal: bool) -> str:
    """Say who may watch, and how to restrict that if everyone may."""
    limit = f"up to {settings.web.max_viewers}"
    token = "anyone with this link" if terminal else "anyone with the token (web.viewer_token)"
    if not settings.web.links:
        everyone = "anyone who can reach these addresses (to restrict access: web.viewer_token or web.links)"
        return f"{limit}: {token if settings.web.viewer_token else everyone}"
    return f"{limit}: anyone with a viewer link{f', and {token}' if settings.web.viewer_token else ''}"


def _control(settings: Settings, token_file: str) -> str:
    """Say who may start and stop the stream over HTTP."""
    if settings.web.operator_token:
        return "anyone with the token (web.operator_token)"
    return "this machine" + (f", and anyone with the token in {token_file}" if token_file else " only")
