"""`broadcaster check`: becomes the service's user, runs all checks, and shows what they say."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from broadcaster import __version__
from broadcaster.devices.board import read_board
from broadcaster.doctor.account import become_services_user, own_account
from broadcaster.doctor.context import CheckContext, Running, ask_daemon_of
from broadcaster.doctor.holders import read_holders
from broadcaster.doctor.isolation import NoResult, isolated, leave_if_stuck, lines_of
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.names import GROUPS
from broadcaster.doctor.report import as_json, summary, text
from broadcaster.doctor.result import CheckResult, exit_code
from broadcaster.doctor.table import CHECKS
from broadcaster.doctor.unit import read_service
from broadcaster.errors import SettingsError
from broadcaster.service.daemon_client import TIMEOUT
from broadcaster.settings import Settings, WebSettings

ReadSettings = Callable[[str], Settings]
PageAddresses = Callable[[WebSettings, int], list[str]]


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for: names of lines (none: all of them), as whom, and for whom."""

    names: frozenset[str]
    as_me: bool
    as_json: bool


def check(file: str, read: ReadSettings, page_addresses: PageAddresses, wish: Wish) -> int:
    """Look at what is wished, print it, and return the exit code: 0 fine, 1 warnings, 2 broken.

    `file` is the settings file, or empty for the service's; `read` reads it and what else the command line sets.
    Raises `BroadcasterError` when the service's user cannot run this program.
    """
    case = find_out(file, read, page_addresses, as_me=wish.as_me)
    found = _look(case, wish.names)
    code = exit_code(_silently(found) if wish.as_json else _aloud(found, case))
    leave_if_stuck(code)
    return code


def find_out(file: str, read: ReadSettings, page_addresses: PageAddresses, *, as_me: bool) -> CheckContext:
    """What all checks begin with; who holds what is asked first, because root sees more than the service's user."""
    machine, file = Machine(), os.path.abspath(file) if file else ""
    service, holders = read_service(machine), read_holders()
    if not as_me:
        become_services_user(service)
    file = file or service.settings_file
    settings, problems = _settings(file, read)
    return CheckContext(
        machine=machine,
        board=read_board(),
        settings=settings,
        settings_file=file,
        problems=problems,
        account=own_account(service),
        service=service,
        running=_running(settings),
        holders=holders,
        page_addresses=page_addresses,
    )


def _running(settings: Settings) -> Running | None:
    """Whoever listens there may be anything, and answer as slowly as it likes."""
    try:
        return isolated(partial(ask_daemon_of, settings), 2 * TIMEOUT)
    except NoResult:
        return None


def _settings(file: str, read: ReadSettings) -> tuple[Settings, tuple[str, ...]]:
    try:
        return read(file), ()
    except SettingsError as error:
        return Settings(), tuple(error.problems)


def _look(case: CheckContext, names: frozenset[str]) -> Iterator[CheckResult]:
    """Each line as soon as it is there: all of them take some ten seconds."""
    for one in CHECKS:
        group = GROUPS[one.group]
        if not names or not names.isdisjoint(group):
            lines = lines_of(group, partial(one.probe, case), one.limit)
            yield from (line for line in lines if not names or line.what in names)


def _aloud(found: Iterator[CheckResult], case: CheckContext) -> list[CheckResult]:
    colour = sys.stdout.isatty()
    print(f"broadcaster {__version__}, checked {case.account}\n")
    lines = []
    for line in found:
        print(text(line, colour=colour), flush=True)
        lines.append(line)
    print(f"\n{summary(lines)}", flush=True)
    return lines


def _silently(found: Iterator[CheckResult]) -> list[CheckResult]:
    lines = list(found)
    print(as_json(lines), flush=True)
    return lines
