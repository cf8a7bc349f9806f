"""The push targets: whether each media server can be reached. Nothing is published."""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import dataclass

from broadcaster.doctor.advice import reload_settings
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.isolation import run_coroutine
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.errors import BroadcasterError
from broadcaster.settings import PushTarget
from broadcaster.settings.paths import absolute
from broadcaster.storage.secrets import read_token
from broadcaster.web.access import is_loopback_host

_ABOUT = Subject("push", "The stream is sent to this media server while it is live.")


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """The answer to an `OPTIONS` request: its HTTP status, 0 if there is none in time.

    `error` is why the request cannot be sent, `token_error` why the token cannot be read.
    """

    status: int = 0
    error: str = ""
    token_error: str = ""


def probe(context: CheckContext) -> list[CheckResult]:
    """Return a result for each target."""
    targets = context.settings.push
    if not targets:
        return [_ABOUT.ok("none; the stream is sent to viewers only (push)")]
    answers = zip(targets, run_coroutine(_ask(targets)), strict=True)
    return [_hidden_token(context, target) or evaluate(target, answer) for target, answer in answers]


def _hidden_token(context: CheckContext, target: PushTarget) -> CheckResult | None:
    """Return a result if the service cannot see the token file, whatever this user sees."""
    hidden = context.hides(target.token_file)
    if hidden is None:
        return None
    found = f'"{target.name}": the service does not see {hidden.folder} ({hidden.option}=), where token_file is'
    advice = "Copy the file to /etc/broadcaster, readable by the service's user, and set token_file to the copy."
    return _ABOUT.broken(found, reload_settings(advice))


async def _ask(targets: tuple[PushTarget, ...]) -> list[ServerAnswer]:
    return await asyncio.gather(*map(ask, targets))


async def ask(target: PushTarget) -> ServerAnswer:
    """Ask one media server for its options, as the daemon does before it publishes."""
    if not target.enabled:
        return ServerAnswer()
    # Imported here because only this check needs it.
    from broadcaster.web.push.client import WhipClient  # noqa: PLC0415

    try:
        token = read_token(target.token_file) if target.token_file else target.token
    except BroadcasterError as error:
        return ServerAnswer(token_error=str(error))
    try:
        async with WhipClient(target.url) as client:
            status, _ = await client.options(token)
    except BroadcasterError as error:
        return ServerAnswer(error=str(error))
    return ServerAnswer(status)


def evaluate(target: PushTarget, answer: ServerAnswer) -> CheckResult:
    """Require a server that answers, and does not refuse the token; its certificate has been verified."""
    at = f'"{target.name}", {target.server}'
    if not target.enabled:
        return _ABOUT.ok(f"{at}: disabled")
    if answer.token_error:
        return _ABOUT.broken(f"{at}: token_file: {answer.token_error}", _write_token(target.token_file))
    if answer.error:
        return _ABOUT.warning(f"{at}: {answer.error}", reload_settings(_UNREACHABLE))
    if not answer.status:
        found = f"{at}: the server can be reached, but does not answer an OPTIONS request in time"
        return _ABOUT.warning(found, reload_settings(_UNREACHABLE))
    found = f"{at} answers with HTTP {answer.status}"
    if answer.status in (401, 403):
        advice = "Set the token that this server expects: token, or token_file."
        return _ABOUT.warning(f"{found}: it wants another token", reload_settings(advice))
    if answer.status == 404:
        advice = "Check the path of the URL; the documentation of the server calls it the WHIP URL."
        return _ABOUT.warning(f"{found}: there is no WHIP endpoint at this URL", reload_settings(advice))
    if answer.status >= 500:
        return _ABOUT.warning(f"{found}: the server has an error, or is no WHIP server", reload_settings(_UNREACHABLE))
    if _reveals_token(target):
        advice = "Use https for this server, or a token that is good for nothing else."
        return _ABOUT.warning(f"{found}; the token is sent to it without encryption", reload_settings(advice))
    return _ABOUT.ok(found)


def _write_token(file: str) -> str:
    """Return the fix for a token file that cannot be read, or holds something else."""
    command = shlex.join(["sudo", "install", "-m", "640", "-g", "broadcaster", "/dev/stdin", absolute(file)])
    return (
        "Write the token into the file, as one line that the daemon's user can read. For the service, paste the token "
        f"after this command, and press Enter and Ctrl-D:\n  {command}\n  sudo systemctl reload broadcaster"
    )


def _reveals_token(target: PushTarget) -> bool:
    scheme, _, authority = target.server.partition("://")
    host = authority.rpartition("@")[2].rsplit(":", 1)[0].strip("[]")
    return scheme == "http" and bool(target.token or target.token_file) and not is_loopback_host(host)


_UNREACHABLE = (
    "Check that the media server runs, that its name and port are right, and that no firewall is in between. For "
    "https, its certificate must come from a known authority and be valid for that name."
)
