"""The result of a check. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """The severity: `warning` deserves attention, `broken` prevents the stream that the settings ask for."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was checked, what was found, why it matters, and how to fix it (empty if there is nothing to fix).

    `fix` has one line for each step; a command stands alone on its line, after two spaces.
    """

    what: str
    level: Level
    found: str
    why: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is checked and why it matters: the constant part of a result."""

    what: str
    why: str

    def ok(self, found: str) -> CheckResult:
        """Return a result with nothing to fix."""
        return CheckResult(self.what, Level.OK, found, self.why)

    def warning(self, found: str, fix: str) -> CheckResult:
        """Return a result that deserves attention."""
        return CheckResult(self.what, Level.WARNING, found, self.why, fix)

    def broken(self, found: str, fix: str) -> CheckResult:
        """Return a result that prevents the stream."""
        return CheckResult(self.what, Level.BROKEN, found, self.why, fix)


def exit_code(results: Iterable[CheckResult]) -> int:
    """Return 0 if all is fine, 1 if there are warnings, 2 if something is broken."""
    return max((list(Level).index(result.level) for result in results), default=0)
