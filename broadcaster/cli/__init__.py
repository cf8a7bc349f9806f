"""The command line: arguments, exit codes, logging set-up and the start banner."""

from broadcaster.cli.commands import main

__all__ = ["main"]
