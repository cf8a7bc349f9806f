"""The commands and their exit codes: 0 success, 1 a fault, 2 wrong usage or settings.

`check` has its own: 0 all is fine, 1 there are warnings, 2 something is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NoReturn

from broadcaster import settings
from broadcaster.auth.tokens import make_token
from broadcaster.cli import link_key, links, logs, owner, streams, viewer_links
from broadcaster.cli.addresses import page_addresses
from broadcaster.cli.arguments import parser
from broadcaster.cli.banner import QR_CHARACTERS, BannerContext, start_banner
from broadcaster.cli.effective import effective_settings, read_file, settings_source
from broadcaster.cli.install import install, uninstall
from broadcaster.cli.streams import raise_descriptor_limit
from broadcaster.cli.target import Target, find_target
from broadcaster.errors import BroadcasterError, DeviceHung, SettingsError
from broadcaster.model.stats import StreamReport
from broadcaster.service.signals import has_terminal, ignore_stop_signals, ignore_toggle_signal
from broadcaster.settings import Settings
from broadcaster.storage.secrets import state_secrets
from broadcaster.storage.state_file import state_folder

if TYPE_CHECKING:
    from broadcaster.app import MakeSources

_log = logging.getLogger(__name__)

_STDERR = 2
"""Descriptor for the stack of every thread after a crash, also when systemd's watchdog aborts a hung daemon."""


def main(arguments: Sequence[str] | None = None, *, make_sources: MakeSources | None = None) -> int:
    """Run the command of the command line, and return the exit code; `make_sources` replaces the devices of `run`."""
    streams.repair()
    if arguments is None:  # started as a program, not called by a test
        streams.use_utf8_file_names(sys.orig_argv, os.environ)
    parsed = parser().parse_args(arguments)
    try:
        code = _commands(make_sources)[parsed.command](parsed) or 0
        sys.stdout.flush()  # here, where a closed pipe is no bug
        return code
    except SettingsError as error:
        _print_error(f"invalid settings{f' in {parsed.settings}' if parsed.settings else ''}:", error.problems)
        return 2
    except DeviceHung as error:
        _print_error(str(error))
        _exit_now(1)
    except BroadcasterError as error:
        _print_error(str(error))
        return 1
    except KeyboardInterrupt:
        return 0  # Ctrl-C before the daemon installed its signal handlers
    except BrokenPipeError:  # `… | head`: discard the rest of the output
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except Exception:  # noqa: BLE001 - the outermost guard
        _log.critical("exiting because of a bug", exc_info=True)
        return 1


def _commands(make_sources: MakeSources | None) -> dict[str, Callable[[argparse.Namespace], int | None]]:
    """Return the function of each command."""
    return {
        "run": partial(_run, make_sources=make_sources),
        "settings": _show,
        "check": _check,
        "link": _link,
        "links": _links,
        "live": _live,
        "record": _record,
        "owner": _owner,
        "status": _status,
        "viewers": _viewers,
        "token": _token,
        "install": lambda parsed: install(parsed.source or ""),
        "uninstall": lambda parsed: uninstall(),
    }


def _run(parsed: argparse.Namespace, make_sources: MakeSources | None) -> None:
    source = settings_source(parsed)
    effective = source.read().settings
    if logs.is_journal(sys.stderr, os.environ):
        streams.write_utf8(sys.stderr)
    logs.set_up(effective.log.level, sys.stderr, os.environ, settings.secret_values(effective))
    sys.unraisablehook = logs.log_unraisable
    faulthandler.enable(_STDERR)
    if source.current.page_problems:
        source.read(set_aside=True)
    raise_descriptor_limit()
    for name in settings.weak_tokens(effective):
        _log.warning("%s is easy to guess; `broadcaster token` prints a better one", name)
    ignore_toggle_signal()
    # Imported here because it loads aiortc and libav, which the other commands should not wait for.
    from broadcaster.app import serve  # noqa: PLC0415

    options = {} if make_sources is None else {"make_sources": make_sources}

    async def serve_until_stopped() -> None:
        try:
            announce = partial(_announce, parsed, effective)
            # A controlling terminal sends SIGHUP when it is closed.
            reload = bool(parsed.settings) and not has_terminal()
            await serve(
                effective, live=parsed.live, announce=announce, source=source, reload_on_hangup=reload, **options
            )
        finally:
            ignore_stop_signals()

    asyncio.run(serve_until_stopped())


def _show(parsed: argparse.Namespace) -> None:
    shown = settings.template() if parsed.template else _effective(parsed)
    if not sys.stdout.isatty():
        streams.write_utf8(sys.stdout)  # it may become a settings file, and TOML is UTF-8
    print(shown, end="")


def _effective(parsed: argparse.Namespace) -> str:
    """Return the effective settings; a problem of the owner's page is written to stderr."""
    read = effective_settings(parsed)
    for problem in read.page_problems:
        print(f"broadcaster: ignoring the settings of the owner's page: {problem}", file=sys.stderr)
    return settings.render(read.settings, changed=parsed.changed, origins=read.origins)


def _check(parsed: argparse.Namespace) -> int:
    """Run the checks; an error that prevents them counts as broken."""
    # Imported here for the same reason as the daemon.
    from broadcaster.doctor.check import CheckOptions, check  # noqa: PLC0415

    def read(file: str) -> Settings:
        return effective_settings(argparse.Namespace(settings=file, set=parsed.set)).settings

    options = CheckOptions(frozenset(parsed.what), parsed.as_me, parsed.json)
    try:
        return check(parsed.settings or "", read, page_addresses, options)
    except BroadcasterError as error:
        _print_error(str(error))
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT  # the shells' convention


def _link(parsed: argparse.Namespace) -> None:
    target = _target(parsed)
    running = link_key.running_id(target.client)
    if parsed.revoke:
        print(link_key.revoke(target.link_key, running, partial(link_key.running_id, target.client)))
        return
    request = links.LinkRequest(parsed.hours * 3600, parsed.name, parsed.address)
    terminal, qr = sys.stdout.isatty(), _can_print_qr_codes()
    link = links.make(target.settings, target.link_key, request, time.time(), running=running, terminal=terminal, qr=qr)
    print(link)


def _links(parsed: argparse.Namespace) -> None:
    if parsed.end or parsed.end_all:
        print(viewer_links.end(_target(parsed), "" if parsed.end_all else parsed.end))
    else:
        print(viewer_links.list_links(_target(parsed), time.time(), as_json=parsed.json))


def _live(parsed: argparse.Namespace) -> None:
    print(owner.set_live(_target(parsed), parsed.requested == "on"))


def _record(parsed: argparse.Namespace) -> None:
    print(owner.record(_target(parsed), parsed.what))


def _owner(parsed: argparse.Namespace) -> None:
    qr = sys.stdout.isatty() and _can_print_qr_codes()
    print(owner.sign_in_link(_target(parsed), parsed.address, qr=qr))


def _status(parsed: argparse.Namespace) -> None:
    print(owner.status(_target(parsed), time.time(), as_json=parsed.json))


def _viewers(parsed: argparse.Namespace) -> None:
    print(owner.viewers(_target(parsed), as_json=parsed.json))


def _target(parsed: argparse.Namespace) -> Target:
    """Return the daemon that the command talks to."""

    def read(file: str) -> Settings:
        parsed.settings = file  # so that `main` names the file if it is invalid
        return settings.read(read_file(file), parsed.set)

    return find_target(parsed.settings or "", read)


def _token(parsed: argparse.Namespace) -> None:
    print(make_token())


def _announce(
    parsed: argparse.Namespace, effective: Settings, port: int, report: StreamReport, owner_code: Callable[[], str]
) -> None:
    """Print the start banner, now that the daemon listens on `port`; on a terminal, with a code for the owner."""
    token_file = state_secrets(state_folder(effective.stream.state_dir)).operator_token.path
    context = BannerContext(
        links=page_addresses(effective.web, port),
        link_command=links.command(sys.argv[0], parsed.settings, parsed.set, service="INVOCATION_ID" in os.environ),
        token_file=str(token_file) if token_file.exists() else "",
        terminal=sys.stdout.isatty(),
        qr=_can_print_qr_codes(),
        owner_code=owner_code() if sys.stdout.isatty() else "",
    )
    try:
        print(start_banner(effective, report, context), flush=True)
    except OSError:  # a full disk or a closed pipe: serve anyway, and do not fail when stdout is flushed at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _can_print_qr_codes() -> bool:
    return streams.can_write(sys.stdout, QR_CHARACTERS)


def _exit_now(code: int) -> NoReturn:
    """Exit without cleaning up: the device's library would try to close the hung device again, and block."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _print_error(message: str, details: Sequence[str] = ()) -> None:
    print(f"broadcaster: {message}", *(f"  {detail}" for detail in details), sep="\n", file=sys.stderr)
