"""Secrets that the daemon generates: each in a file of the state folder that only its owner can read."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from broadcaster.auth.tokens import MIN_LENGTH
from broadcaster.errors import BroadcasterError
from broadcaster.settings.paths import absolute

_BYTES = 32
"""Random bytes of a secret."""
_MAX_FILE = 4096
"""Bytes that are read of a file."""


class SecretFile:
    """A line of text in a file of mode 0600, generated when it is first needed; each change replaces the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> str:
        """Return the secret. Raises `BroadcasterError` when the file is missing or invalid."""
        try:
            with self.path.open("rb") as file:
                text = file.read(_MAX_FILE).decode("ascii", "replace").strip()
        except OSError as error:
            raise BroadcasterError(f"{self.path} cannot be read: {error.strerror}") from error
        if len(text) < MIN_LENGTH or not all("!" <= letter <= "~" for letter in text):
            raise BroadcasterError(f"{self.path} must hold one line of {MIN_LENGTH} or more visible ASCII characters")
        return text

    def read_or_create(self) -> str:
        """Return the secret, and generate it if there is no such file. Raises `BroadcasterError`."""
        try:
            return self.read()
        except BroadcasterError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return self.renew()
            raise

    def renew(self) -> str:
        """Replace the secret by a new one, and return that. Raises `BroadcasterError`."""
        secret = secrets.token_urlsafe(_BYTES)
        temporary = self.path.with_suffix(f".{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._write(temporary, f"{secret}\n")
            temporary.replace(self.path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise BroadcasterError(f"{self.path} cannot be written: {error.strerror} (stream.state_dir)") from error
        return secret

    def _write(self, file: Path, text: str) -> None:
        """Write a file that at no time anyone but its owner can read."""
        file.unlink(missing_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            if os.geteuid() == 0:  # written with sudo, read by the service's user
                folder = file.parent.stat()
                os.fchown(descriptor, folder.st_uid, folder.st_gid)
            opened.write(text)
            opened.flush()
            os.fsync(descriptor)


def read_token(path: str) -> str:
    """Return the token of another service in a file: one line, of any length. Raises `BroadcasterError`."""
    try:
        with open(absolute(path), "rb") as file:
            text = file.read(_MAX_FILE + 1).decode("ascii", "replace").strip()
    except OSError as error:
        raise BroadcasterError(f"{path} cannot be read: {error.strerror}") from error
    if not text or len(text) > _MAX_FILE or not all("!" <= letter <= "~" for letter in text):
        raise BroadcasterError(f"{path} must hold one line of visible ASCII characters, at most {_MAX_FILE}")
    return text


class WatchedSecret:
    """The value of a secret file that may change while the daemon runs; empty before `reload`, and while invalid."""

    def __init__(self, file: SecretFile) -> None:
        self.value = ""
        self._file = file
        self._problem = ""

    def reload(self, warn: Callable[[str], None]) -> bool:
        """Read the file, and return whether its value has replaced another; `warn` is called once for each new problem.

        The value is kept while the file cannot be read.
        """
        before, problem = self.value, ""
        try:
            self.value = self._file.read_or_create()
        except BroadcasterError as error:
            problem = str(error)
            self.value = before if isinstance(error.__cause__, OSError) else ""
        if problem and problem != self._problem:
            warn(problem)
        self._problem = problem
        return before not in ("", self.value)


@dataclass(frozen=True, slots=True)
class StateSecrets:
    """The secrets of a daemon: the key that signs viewer links, and the operator's token for other machines.

    `folder` is where the owner's browsers are stored; None: nowhere.
    """

    link_key: SecretFile
    operator_token: SecretFile
    folder: Path | None = None


def state_secrets(folder: Path) -> StateSecrets:
    """Return the secrets in a state folder."""
    return StateSecrets(SecretFile(folder / "link_key"), SecretFile(folder / "operator_token"), folder)
