"""`broadcaster check`: switch to the service's user, run the checks and print their results."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from broadcaster import __version__
from broadcaster.devices.board import read_board
from broadcaster.doctor.account import current_account, switch_to_service_user
from broadcaster.doctor.context import CheckContext, DaemonStatus, query_daemon
from broadcaster.doctor.holders import read_holders
from broadcaster.doctor.isolation import NoResult, check_isolated, exit_if_stuck, run_isolated
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.names import GROUPS
from broadcaster.doctor.report import as_json, as_text, summary
from broadcaster.doctor.result import CheckResult, exit_code
from broadcaster.doctor.table import CHECKS
from broadcaster.doctor.unit import read_service
from broadcaster.errors import SettingsError
from broadcaster.service.daemon_client import TIMEOUT
from broadcaster.settings import Settings, WebSettings

ReadSettings = Callable[[str], Settings]
PageAddresses = Callable[[WebSettings, int], list[str]]


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """The options of the command line.

    `names` are the lines to show (empty: all of them). `as_me`: do not switch to the service's user.
    """

    names: frozenset[str]
    as_me: bool
    as_json: bool


def check(file: str, read: ReadSettings, page_addresses: PageAddresses, options: CheckOptions) -> int:
    """Run the selected checks, print the results and return the exit code: 0 fine, 1 warnings, 2 broken.

    `file` is the settings file, or empty for the service's; `read` reads it together with the settings of the command
    line. Raises `BroadcasterError` if the service's user cannot run this program.
    """
    context = build_context(file, read, page_addresses, as_me=options.as_me)
    results = _run_checks(context, options.names)
    code = exit_code(_print_json(results) if options.as_json else _print_text(results, context))
    exit_if_stuck(code)
    return code


def build_context(file: str, read: ReadSettings, page_addresses: PageAddresses, *, as_me: bool) -> CheckContext:
    """Collect what all checks start with, and switch to the service's user unless `as_me` is set."""
    machine, file = Machine(), os.path.abspath(file) if file else ""
    # Holders are read before the switch, because root sees more processes than the service's user.
    service, holders = read_service(machine), read_holders()
    if not as_me:
        switch_to_service_user(service)
    file = file or service.settings_file
    settings, problems = _read_settings(file, read)
    return CheckContext(
        machine=machine,
        board=read_board(),
        settings=settings,
        settings_file=file,
        problems=problems,
        account=current_account(service),
        service=service,
        running=_query_daemon(settings),
        holders=holders,
        page_addresses=page_addresses,
    )


def _query_daemon(settings: Settings) -> DaemonStatus | None:
    """Query the daemon in isolation: the program that listens there may be another one, and may answer very slowly."""
    try:
        return run_isolated(partial(query_daemon, settings), 2 * TIMEOUT)
    except NoResult:
        return None


def _read_settings(file: str, read: ReadSettings) -> tuple[Settings, tuple[str, ...]]:
    try:
        return read(file), ()
    except SettingsError as error:
        return Settings(), tuple(error.problems)


def _run_checks(context: CheckContext, names: frozenset[str]) -> Iterator[CheckResult]:
    """Yield each result as soon as it is known: all checks together take about ten seconds."""
    for group_check in CHECKS:
        group = GROUPS[group_check.group]
        if not names or not names.isdisjoint(group):
            results = check_isolated(group, partial(group_check.probe, context), group_check.limit)
            yield from (result for result in results if not names or result.what in names)


def _print_text(results: Iterator[CheckResult], context: CheckContext) -> list[CheckResult]:
    colour = sys.stdout.isatty()
    print(f"broadcaster {__version__}, checked {context.account}\n")
    printed = []
    for result in results:
        print(as_text(result, colour=colour), flush=True)
        printed.append(result)
    print(f"\n{summary(printed)}", flush=True)
    return printed


def _print_json(results: Iterator[CheckResult]) -> list[CheckResult]:
    """Print a list, each result on a line of its own as soon as it is known."""
    printed: list[CheckResult] = []
    print("[", flush=True)
    for result in results:
        print(f"{',' if printed else ''}{as_json(result)}", flush=True)
        printed.append(result)
    print("]", flush=True)
    return printed
