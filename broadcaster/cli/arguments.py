"""What may stand on the command line."""

from __future__ import annotations

import argparse

from broadcaster.doctor.names import NAMES
from broadcaster.version import __version__


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
    _add_sources_of_settings(check, without="those of the service, if it is installed")
    check.add_argument("--json", action="store_true", help="a list of objects: what, level, found, why, fix")
    check.add_argument("--as-me", action="store_true", help="as root: do not become the service's user")
    return top


def _add_sources_of_settings(command: argparse.ArgumentParser, without: str = "none is read unless named here") -> None:
    command.add_argument("--settings", metavar="FILE", help=f"TOML file with settings; {without}")
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
