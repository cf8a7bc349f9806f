"""The key that signs viewer links: whether it is the running daemon's, and its renewal, which revokes all links."""

from __future__ import annotations

import time
from collections.abc import Callable

from broadcaster.auth.links import key_id
from broadcaster.errors import BroadcasterError
from broadcaster.service.daemon_client import DaemonClient, NoDaemon, Refused
from broadcaster.storage.secrets import SecretFile

RELOAD_LIMIT = 5.0
"""Seconds for a running daemon to read the new key; it looks every two."""
_POLL = 0.2
_SAME_SETTINGS = "Use the settings that the daemon was started with (--settings FILE, --set stream.state_dir=FOLDER)."


def revoke(key: SecretFile, running: str | None, query: Callable[[], str | None]) -> str:
    """Replace the link key, and return a message for the owner. Raises `BroadcasterError`.

    `running` is the id of the running daemon's key (`running_id`), and `query` asks for it again: until the daemon has
    the new key.
    """
    _require_same(key, _read_if_valid(key), running)
    new = key_id(key.renew())
    changed = f"The link key in {key.path} has changed"
    deadline = time.monotonic() + RELOAD_LIMIT
    while running is not None and time.monotonic() < deadline:
        if query() == new:
            return f"{changed}, and the running daemon has revoked all existing links."
        time.sleep(_POLL)
    return f"{changed}: a running daemon revokes all existing links within seconds."


def running_id(client: DaemonClient) -> str | None:
    """Return the id of the running daemon's key, empty if it accepts no links; None if the daemon does not tell."""
    try:
        answer = client.status()
    except (NoDaemon, Refused):
        return None
    key = answer.get("link_key") if isinstance(answer, dict) else None
    return key if isinstance(key, str) else None


def check(key: SecretFile, running: str | None) -> None:
    """Raise `BroadcasterError` if the daemon has no key or another one, so that it would refuse the link."""
    try:
        current = key.read()
    except BroadcasterError as error:
        raise _explained(key, error) from None
    if running == "":
        raise BroadcasterError("the running daemon accepts no links; restart it with web.links = true")
    _require_same(key, current, running)


def _read_if_valid(key: SecretFile) -> str:
    """Return the key, empty if the file's content is invalid, which a new key mends. Raises `BroadcasterError`."""
    try:
        return key.read()
    except BroadcasterError as error:
        if error.__cause__ is None:
            return ""
        raise _explained(key, error) from None


def _require_same(key: SecretFile, current: str, running: str | None) -> None:
    if current and running and key_id(current) != running:
        raise BroadcasterError(f"{key.path} is not the link key of the running daemon. {_SAME_SETTINGS}")


def _explained(key: SecretFile, error: BroadcasterError) -> BroadcasterError:
    """Return the error for an unreadable key. A missing one is not created: no daemon would accept its links."""
    if isinstance(error.__cause__, FileNotFoundError):
        why = "the daemon creates the link key when it starts with web.links = true"
        return BroadcasterError(f"{key.path} does not exist; {why}. {_SAME_SETTINGS}")
    return error
