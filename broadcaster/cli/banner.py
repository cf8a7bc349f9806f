"""The block that people read when the daemon has started."""

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
"""What a QR code is drawn with; not every terminal's encoding has them."""


@dataclass(frozen=True, slots=True)
class BannerContext:
    """What the block tells besides the settings and the stream.

    `links` are the page's addresses, the one for viewers first; `link_command` is what makes a link for a viewer;
    `token_file` is where the operator's token is, empty if none was made. `terminal`: people read it, and nobody else
    will; `qr`: its encoding can draw QR codes.
    """

    links: Sequence[str]
    link_command: str
    token_file: str
    terminal: bool
    qr: bool = True


def start_block(settings: Settings, report: StreamReport, around: BannerContext) -> str:
    """Return the block: where the page is, what is shown on it, who may watch, and who may start and stop.

    Only a terminal gets the viewer token, as part of each link, and the QR code of the first link: what is printed
    elsewhere ends in a journal, which more people read. Where nobody gets in by an address, there are none.
    """
    links = _links(settings, around)
    rows = [
        *zip(("Open", *[""] * len(links)), links, strict=False),
        *([("Link", f"{around.link_command} --name NAME    (makes one for a viewer)")] if settings.web.links else []),
        ("Source", _source(settings, report)),
        ("Encoder", _encoder(settings, report)),
        ("Sound", report.audio_source),
        ("Viewers", _viewers(settings, terminal=around.terminal)),
        ("Control", _control(settings, around.token_file)),
    ]
    lines = [f"broadcaster {__version__}", "", *(f"  {name:9}{text}" for name, text in rows)]
    return "\n".join([*lines, "", *([qr_code(links[0])] if links and around.terminal and around.qr else [])])


def _links(settings: Settings, around: BannerContext) -> list[str]:
    """The page's addresses, with the viewer token on a terminal; with web.links, only those that let somebody in."""
    if settings.web.viewer_token and around.terminal:
        return [with_token(link, settings.web.viewer_token) for link in around.links]
    return [] if settings.web.links else list(around.links)


def with_token(link: str, token: str) -> str:
    """Return the link that lets a viewer in: behind `#`, which browsers keep to themselves."""
    return f"{link}#t={quote(token, safe='')}"


def qr_code(link: str) -> str:
    """Return a QR code of `link` (ISO/IEC 18004), two modules a character high, with its quiet zone."""
    text = io.StringIO()
    segno.make_qr(link).terminal(text, compact=True)
    return text.getvalue()


def _source(settings: Settings, report: StreamReport) -> str:
    """Say what is shown; a file's size and rate are its own, and known when it is opened."""
    if settings.video.source == "file":
        return f"{report.video_source}, {without_password(settings.video.file)}"
    return f"{report.video_source}, {report.width}×{report.height}, {report.fps:g} pictures a second"


def _encoder(settings: Settings, report: StreamReport) -> str:
    rate = f"{settings.video.bitrate / 1e6:g} Mbit/s"
    if settings.video.source == "file":
        most = f"up to {report.width}×{report.height}, {rate}"
        return f"none where the file's H.264 passes through, else {report.encoder}, {most}"
    return f"{report.encoder}, {rate}"


def _viewers(settings: Settings, *, terminal: bool) -> str:
    """Say who may watch, and where nothing keeps anybody out, how to change that."""
    limit = f"up to {settings.web.max_viewers}"
    token = "whoever has this link" if terminal else "whoever has the token (web.viewer_token)"
    if not settings.web.links:
        everyone = "everyone who can reach these addresses (web.viewer_token or web.links closes them)"
        return f"{limit}: {token if settings.web.viewer_token else everyone}"
    return f"{limit}: whoever has a link{f', and {token}' if settings.web.viewer_token else ''}"


def _control(settings: Settings, token_file: str) -> str:
    """Say who may start and stop by HTTP."""
    if settings.web.operator_token:
        return "whoever has web.operator_token"
    return "this machine" + (f", and whoever has the token in {token_file}" if token_file else " only")
