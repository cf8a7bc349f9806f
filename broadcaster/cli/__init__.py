"""The command line: arguments, exit codes, the log, and the block that people read at start."""

from broadcaster.cli.commands import main

__all__ = ["main"]
