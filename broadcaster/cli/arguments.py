"""What may stand on the command line."""

from __future__ import annotations

import argparse

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
    return top


def _add_sources_of_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument("--settings", metavar="FILE", help="TOML file with settings; none is read unless named here")
    command.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="one setting, such as video.width=640; wins over the file; may be repeated",
    )
