"""What a check says: one line for people and programs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is: `warning` is worth a look, with `broken` there is no stream as the settings want it."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One thing that was looked at: what, what was found, why it matters, and the exact fix (empty if none is needed).

    A fix has a line for each step; a command to type stands alone on its line, after two spaces.
    """

    what: str
    level: Level
    found: str
    why: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is looked at, and why it matters: the part of its line that is always the same."""

    what: str
    why: str

    def ok(self, found: str) -> CheckResult:
        """Nothing to do."""
        return CheckResult(self.what, Level.OK, found, self.why)

    def warning(self, found: str, fix: str) -> CheckResult:
        """Worth a look."""
        return CheckResult(self.what, Level.WARNING, found, self.why, fix)

    def broken(self, found: str, fix: str) -> CheckResult:
        """No stream as the settings want it."""
        return CheckResult(self.what, Level.BROKEN, found, self.why, fix)


def exit_code(lines: Iterable[CheckResult]) -> int:
    """0: all is fine, 1: there are warnings, 2: something is broken."""
    return max((list(Level).index(line.level) for line in lines), default=0)
