"""The settings that the daemon would start with."""

from __future__ import annotations

import errno
import os

from broadcaster.doctor.advice import change_settings
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.settings import Settings, every_setting, weak_tokens

_ABOUT = Subject("settings", "The daemon does not start with invalid settings, and weak tokens can be guessed.")


def probe(context: CheckContext) -> list[CheckResult]:
    """Return the only result."""
    return [evaluate(context.settings, context.settings_file, context.problems, context.service.settings_file)]


def evaluate(settings: Settings, file: str, problems: tuple[str, ...], service_file: str) -> CheckResult:
    """Report all errors together, or how many settings differ from their default."""
    if problems:
        source = file or "the command line"
        found = "\n".join([f"{source} cannot be used; the other checks use the default settings", *problems])
        return _ABOUT.broken(found, _fix(file, problems))
    shown = f"{file or 'no settings file'}; {_count_changed(settings)}"
    if service_file and file != service_file:
        fix = f"Check the service's settings:\n  sudo broadcaster check --settings {service_file}"
        return _ABOUT.warning(f"{shown}; the service uses {service_file} instead", fix)
    if weak := weak_tokens(settings):
        found = f"{' and '.join(weak)} {'is' if len(weak) == 1 else 'are'} easy to guess"
        fix = change_settings("Generate a better token, and use it instead:\n  broadcaster token")
        return _ABOUT.warning(f"{shown}\n{found}", fix)
    return _ABOUT.ok(shown)


def _count_changed(settings: Settings) -> str:
    changed = sum(item.of(settings) != item.default for item in every_setting())
    if not changed:
        return "all settings have their default"
    return f"{changed} {'setting differs' if changed == 1 else 'settings differ'} from the default"


def _fix(file: str, problems: tuple[str, ...]) -> str:
    if any(os.strerror(errno.EACCES) in problem for problem in problems):
        return "Check as the service's user, who may read the file:\n  sudo broadcaster check"
    return f"Correct the file:\n  sudoedit {file}" if file else "Correct the command line."
