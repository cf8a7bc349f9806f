"""The argument parser."""

from __future__ import annotations

import argparse
from urllib.parse import urlsplit

from broadcaster import __version__
from broadcaster.auth.links import MAX_LIFETIME, MAX_NAME_LENGTH, is_name
from broadcaster.doctor.names import NAMES
from broadcaster.settings.paths import expand

_SERVICE_SETTINGS = "default: the service's file, if the service is installed"


def parser() -> argparse.ArgumentParser:
    """Return the parser; wrong usage ends the process with exit code 2 (argparse)."""
    top = argparse.ArgumentParser(
        prog="broadcaster", description="Live video and audio from this machine to many browsers.", allow_abbrev=False
    )
    top.add_argument("--version", action="version", version=f"broadcaster {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the daemon until SIGTERM or Ctrl-C", allow_abbrev=False)
    _add_settings_options(run)
    run.add_argument("--live", action="store_true", help="go live at once; overrides stream.start")
    show = commands.add_parser("settings", help="print the effective settings as commented TOML", allow_abbrev=False)
    _add_show_options(show)
    check = commands.add_parser(
        "check", help="test everything that the stream needs, and suggest fixes", allow_abbrev=False
    )
    _add_check_options(check)
    _add_link_options(commands.add_parser("link", help="create a viewer link that expires", allow_abbrev=False))
    live = commands.add_parser("live", help="start or stop the stream of the running daemon", allow_abbrev=False)
    live.add_argument("requested", choices=("on", "off"), metavar="on|off", help="on: start, off: stop")
    _add_settings_options(live, default=_SERVICE_SETTINGS)
    _add_record_options(
        commands.add_parser("record", help="start or stop recording, keep a clip, set a mark", allow_abbrev=False)
    )
    _add_owner_options(
        commands.add_parser(
            "owner", help="print a link that signs a browser in to the owner's page", allow_abbrev=False
        )
    )
    _add_links_options(commands.add_parser("links", help="list viewer links, or end them", allow_abbrev=False))
    for name, help in (("status", "show the status of the running daemon"), ("viewers", "list the connected viewers")):
        query = commands.add_parser(name, help=help, allow_abbrev=False)
        query.add_argument("--json", action="store_true", help="print JSON, as the HTTP API returns it")
        _add_settings_options(query, default=_SERVICE_SETTINGS)
    commands.add_parser("token", help="print a random token for web.viewer_token or web.operator_token")
    setup = commands.add_parser("install", help="install this version as a systemd service, or update it (root)")
    setup.add_argument(
        "--source", choices=("camera", "test"), help="video.source in a new settings file; default: camera"
    )
    commands.add_parser("uninstall", help="remove the service; settings and films stay (root)")
    return top


def _add_show_options(show: argparse.ArgumentParser) -> None:
    _add_settings_options(show)
    which = show.add_mutually_exclusive_group()
    which.add_argument("--changed", action="store_true", help="only settings that differ from their default")
    which.add_argument("--template", action="store_true", help="a new settings file: every default, commented out")


def _add_check_options(check: argparse.ArgumentParser) -> None:
    check.add_argument("what", nargs="*", type=_check_name, metavar="WHAT", help=f"only these: {', '.join(NAMES)}")
    _add_settings_options(check, default=_SERVICE_SETTINGS)
    check.add_argument("--json", action="store_true", help="print a list of objects: what, level, found, why, fix")
    check.add_argument("--as-me", action="store_true", help="if run as root: do not switch to the service's user")


def _add_owner_options(owner: argparse.ArgumentParser) -> None:
    owner.add_argument("--address", type=_address, metavar="URL", help="the page's address, if not this machine's own")
    _add_settings_options(owner, default=_SERVICE_SETTINGS)


def _add_link_options(link: argparse.ArgumentParser) -> None:
    _add_settings_options(link, default=_SERVICE_SETTINGS)
    link.add_argument("--hours", type=_hours, default=24.0, metavar="N", help="lifetime of the link; default: 24")
    link.add_argument("--name", type=_name, default="", help="the viewer's name, for the log and the status")
    link.add_argument("--address", type=_address, metavar="URL", help="the page's address, if not this machine's own")
    link.add_argument("--revoke", action="store_true", help="change the link key, which revokes all existing links")


def _add_links_options(links: argparse.ArgumentParser) -> None:
    what = links.add_mutually_exclusive_group()
    what.add_argument("--end", metavar="ID", help="end this link, and the sessions of its viewers")
    what.add_argument("--end-all", action="store_true", help="end all links, also those that are not in the list")
    what.add_argument("--json", action="store_true", help="print JSON, as the HTTP API returns it")
    _add_settings_options(links, default=_SERVICE_SETTINGS)


def _add_record_options(record: argparse.ArgumentParser) -> None:
    what = "on: start, off: stop, clip: keep the last record.clip seconds, mark: mark this moment of the recording"
    record.add_argument("what", choices=("on", "off", "clip", "mark"), metavar="on|off|clip|mark", help=what)
    _add_settings_options(record, default=_SERVICE_SETTINGS)


def _hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = 0.0
    if 1 <= hours * 3600 <= MAX_LIFETIME:  # also false for NaN
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


def _add_settings_options(command: argparse.ArgumentParser, default: str = "default: no file") -> None:
    command.add_argument("--settings", metavar="FILE", type=expand, help=f"settings file (TOML); {default}")
    command.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="a setting, such as video.width=640; overrides the file; may be repeated",
    )


def _check_name(name: str) -> str:
    """Return the name of a check. `choices` would not do: with `nargs="*"`, argparse rejects an empty list."""
    if name not in NAMES:
        raise argparse.ArgumentTypeError(f"there is no check {name!r}; choose from {', '.join(NAMES)}")
    return name
