"""Secrets that the daemon makes for itself: each in a file of the state folder, for nobody else's eyes."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from broadcaster.auth.tokens import MIN_LENGTH
from broadcaster.errors import BroadcasterError

_BYTES = 32
_LARGEST = 4096


class SecretFile:
    """One line of text in a file of mode 0600, made when it is first needed; every change is a new file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> str:
        """Return the secret. Raises `BroadcasterError` where there is none, or none that will do."""
        try:
            with self.path.open("rb") as file:
                text = file.read(_LARGEST).decode("ascii", "replace").strip()
        except OSError as error:
            raise BroadcasterError(f"{self.path} cannot be read: {error.strerror}") from error
        if len(text) < MIN_LENGTH or not all("!" <= letter <= "~" for letter in text):
            raise BroadcasterError(f"{self.path} must hold one line of {MIN_LENGTH} or more visible ASCII characters")
        return text

    def read_or_create(self) -> str:
        """Return the secret, which is made if there is no such file. Raises `BroadcasterError`."""
        try:
            return self.read()
        except BroadcasterError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                return self.renew()
            raise

    def renew(self) -> str:
        """Make another secret, and return it. Raises `BroadcasterError`."""
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
        """Write a file that only its owner can read, from its first moment on."""
        file.unlink(missing_ok=True)
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            if os.geteuid() == 0:  # made by `sudo`, read by the service's own user
                folder = file.parent.stat()
                os.fchown(descriptor, folder.st_uid, folder.st_gid)
            opened.write(text)
            opened.flush()
            os.fsync(descriptor)


class WatchedSecret:
    """The value of a secret file that may change while the daemon runs; empty before `reload`, or if it is invalid."""

    def __init__(self, file: SecretFile) -> None:
        self.value = ""
        self._file = file
        self._problem = ""

    def reload(self, warn: Callable[[str], None]) -> bool:
        """Read the file, and return whether the value has replaced another one; `warn` gets each new problem once.

        While the disk cannot be read, the value stays what it was.
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
    """The secrets of one daemon: what links for viewers are signed with, and what the operator shows from elsewhere."""

    link_key: SecretFile
    operator_token: SecretFile


def state_secrets(folder: Path) -> StateSecrets:
    """Return the secrets that are kept in a state folder."""
    return StateSecrets(SecretFile(folder / "link_key"), SecretFile(folder / "operator_token"))
