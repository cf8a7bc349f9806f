"""What may stand on the command line."""

from __future__ import annotations

import argparse
from urllib.parse import urlsplit

from broadcaster import __version__
from broadcaster.auth.links import MAX_LIFETIME, MAX_NAME_LENGTH, is_name
from broadcaster.doctor.names import NAMES
from broadcaster.settings.paths import expand

_SERVICES = "those of the service, if it is installed"


def parser() -> argparse.ArgumentParser:
    """Return the parser; wrong usage ends the process with exit code 2 (argparse)."""
    top = argparse.ArgumentParser(
        prog="broadcaster", description="Camera and microphone, live in many browsers.", allow_abbrev=False
    )
    top.add_argument("--version", action="version", version=f"broadcaster {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="serve page and stream until SIGTERM or Ctrl-C", allow_abbrev=False)
    _add_sources_of_settings(run)
    run.add_argument("--live", action="store_true", help="go on air at once, whatever stream.start says")
    show = commands.add_parser("settings", help="print the effective settings as commented TOML", allow_abbrev=False)
    _add_sources_of_settings(show)
    which = show.add_mutually_exclusive_group()
    which.add_argument("--changed", action="store_true", help="only those that differ from their default")
    which.add_argument("--template", action="store_true", help="a file to begin with: every default, as a comment")
    check = commands.add_parser(
        "check", help="look at everything the stream needs, and say what to do", allow_abbrev=False
    )
    check.add_argument("what", nargs="*", type=_known, metavar="WHAT", help=f"only these lines: {', '.join(NAMES)}")
    _add_sources_of_settings(check, without=_SERVICES)
    check.add_argument("--json", action="store_true", help="a list of objects: what, level, found, why, fix")
    check.add_argument("--as-me", action="store_true", help="as root: do not become the service's user")
    _add_link(commands.add_parser("link", help="make a link for a viewer, which ends by itself", allow_abbrev=False))
    live = commands.add_parser("live", help="start or stop the stream of the running daemon", allow_abbrev=False)
    live.add_argument("wanted", choices=("on", "off"), help="on: start, off: stop")
    _add_sources_of_settings(live, without=_SERVICES)
    for name, help in (("status", "say what the running daemon is doing"), ("viewers", "list who is watching")):
        asking = commands.add_parser(name, help=help, allow_abbrev=False)
        asking.add_argument("--json", action="store_true", help="as the HTTP API has it")
        _add_sources_of_settings(asking, without=_SERVICES)
    commands.add_parser("token", help="print a good token for web.viewer_token or web.operator_token")
    setup = commands.add_parser("install", help="install this version as the system's service, or update it (root)")
    setup.add_argument("--source", choices=("camera", "test"), help="video.source of a new settings file; camera")
    commands.add_parser("uninstall", help="remove the service; settings and films stay (root)")
    return top


def _add_link(link: argparse.ArgumentParser) -> None:
    _add_sources_of_settings(link, without=_SERVICES)
    link.add_argument("--hours", type=_hours, default=24.0, metavar="N", help="how long it lasts; 24 if not said")
    link.add_argument("--name", type=_name, default="", help="for whom it is: you see it in the log and the status")
    link.add_argument("--address", type=_address, metavar="URL", help="where viewers open the page, if not directly")
    link.add_argument("--revoke", action="store_true", help="make another key: every link made so far ends at once")


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if 1 <= hours * 3600 <= MAX_LIFETIME:  # NaN is none of it
        return hours
    raise argparse.ArgumentTypeError(f"must be a number of hours up to {MAX_LIFETIME // 3600}, such as 2 or 0.5")


def _name(text: str) -> str:
    if is_name(text):
        return text
    raise argparse.ArgumentTypeError(f"must be at most {MAX_NAME_LENGTH} printable characters")


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme in ("http", "https") and parts.hostname and not (parts.query or parts.fragment):
        return text if text.endswith("/") else f"{text}/"
    raise argparse.ArgumentTypeError("must be an address such as https://cam.example.org/")


def _add_sources_of_settings(command: argparse.ArgumentParser, without: str = "none is read unless named here") -> None:
    command.add_argument("--settings", metavar="FILE", type=expand, help=f"TOML file with settings; {without}")
    command.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="one setting, such as video.width=640; wins over the file; may be repeated",
    )


def _known(name: str) -> str:
    """A line of the check. Not by `choices`, which argparse also holds against having none."""
    if name not in NAMES:
        raise argparse.ArgumentTypeError(f"there is no {name!r}; there are {', '.join(NAMES)}")
    return name
