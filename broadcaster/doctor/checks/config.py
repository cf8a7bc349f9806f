"""The settings that the daemon would start with."""

from __future__ import annotations

import errno
import os

from broadcaster.doctor.advice import change
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.settings import Settings, every_setting, weak_tokens

_ABOUT = Subject("settings", "With settings that are wrong the daemon does not start.")


def probe(case: CheckContext) -> list[CheckResult]:
    """The one line."""
    return [evaluate(case.settings, case.settings_file, case.problems, case.service.settings_file)]


def evaluate(settings: Settings, file: str, problems: tuple[str, ...], services_file: str) -> CheckResult:
    """All problems at once, or how many settings differ from their default."""
    if problems:
        found = "\n".join(
            [f"{file or 'the command line'} cannot be used; the rest is looked at with defaults", *problems]
        )
        return _ABOUT.broken(found, _fix(file, problems))
    differing = [item.path for item in every_setting() if item.of(settings) != item.default]
    shown = f"{file or 'no file'}, {len(differing) or 'none'} other than the default"
    if services_file and file != services_file:
        fix = f"Look at those of the service:\n  sudo broadcaster check --settings {services_file}"
        return _ABOUT.warning(f"{shown}; the service reads {services_file}", fix)
    if weak := weak_tokens(settings):
        fix = change("Print a better one:\n  broadcaster token\nThen change it")
        return _ABOUT.warning(f"{shown}\n{' and '.join(weak)}: easy to guess", fix)
    return _ABOUT.ok(shown)


def _fix(file: str, problems: tuple[str, ...]) -> str:
    if any(os.strerror(errno.EACCES) in problem for problem in problems):
        return "Look as the service does, which may read them:\n  sudo broadcaster check"
    return f"Correct them:\n  sudoedit {file}" if file else "Correct them on the command line."
