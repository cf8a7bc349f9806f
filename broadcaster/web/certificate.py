"""TLS certificate files, which may be renewed while the daemon runs."""

from __future__ import annotations

import os
import pwd
import ssl
from collections.abc import Callable
from pathlib import Path

from cryptography import x509

from broadcaster import sandbox
from broadcaster.errors import BroadcasterError
from broadcaster.settings.host_names import ascii_name
from broadcaster.settings.paths import expand

_CERTIFICATE_MARK = b"-----BEGIN CERTIFICATE-----"
_KEY_MARK = b"PRIVATE KEY-----"
_MAX_SIZE = 1 << 20
"""Bytes of a file that are read."""

Version = tuple[tuple[int, int, int], ...]
"""Inode, modification time and size of each file; empty if one does not exist."""


class Certificate:
    """`web.certificate` and `web.key`: new connections use what was last loaded successfully."""

    def __init__(self, certificate: str, key: str) -> None:
        self._files = (Path(expand(certificate)), Path(expand(key)))
        self._current = self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._loaded: Version = ()
        self._seen: Version = ()
        self.names: tuple[str, ...] = ()
        """The host names in the certificate."""

    def load(self) -> ssl.SSLContext:
        """Load the files, and return the context for accepting connections.

        Raises `BroadcasterError`, naming setting, file and reason.
        """
        self._loaded = self._seen = _version(self._files)
        self._current = self._context = load_pair(*self._files)
        self._context.sni_callback = self._use_current
        self.names = certificate_names(self._files[0])
        return self._context

    def reload_if_changed(self) -> bool:
        """Load the files if they have changed, and return whether. Raises `BroadcasterError` once for invalid files.

        Certificate and key are not written at the same moment, so they are loaded only when neither has changed since
        the last call.
        """
        seen, self._seen = self._seen, _version(self._files)
        if self._seen in ((), self._loaded) or self._seen != seen:
            return False
        self._loaded = self._seen
        self._current = load_pair(*self._files)
        self.names = certificate_names(self._files[0])
        return True

    def _use_current(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """Switch a new connection to the current certificate; OpenSSL calls this with or without SNI (RFC 6066 §3)."""
        connection.context = self._current


def certificate_names(file: Path) -> tuple[str, ...]:
    """Return the host names in a certificate's subjectAltName (RFC 6125), with "*." before wildcards.

    They are taken from the first certificate of a chain, which is the server's. Empty if the file cannot be read;
    loading it reports that.
    """
    try:
        with file.open("rb") as opened:
            extensions = x509.load_pem_x509_certificates(opened.read(_MAX_SIZE))[0].extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    except (OSError, ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return ()
    return tuple(dict.fromkeys(map(ascii_name, names)))


def load_pair(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a context with that certificate and its key. Raises `BroadcasterError`, saying what to do."""
    _check(certificate, "web.certificate", _CERTIFICATE_MARK, "contains no certificate in PEM format")
    _check(key, "web.key", _KEY_MARK, "contains no private key in PEM format")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=_no_password(key))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise BroadcasterError(_explain(error, certificate, key)) from error
    return context


def _check(file: Path, setting: str, mark: bytes, problem: str) -> None:
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_SIZE)
    except OSError as error:
        hint = f"; make it readable for the user {_user()}" if isinstance(error, PermissionError) else ""
        hint += sandbox.hint(str(file))
        raise BroadcasterError(f"{setting}: {file} cannot be read: {error.strerror}{hint}") from error
    if mark not in content:
        raise BroadcasterError(f"{setting}: {file} {problem}")


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"with number {os.geteuid()}"


def _no_password(key: Path) -> Callable[[], str]:
    """Return a password callback that raises `BroadcasterError`; without one, OpenSSL would ask at the terminal."""

    def reject() -> str:
        raise BroadcasterError(f"web.key: {key} is encrypted with a password; store it without one")

    return reject


def _explain(error: Exception, certificate: Path, key: Path) -> str:
    reason = getattr(error, "reason", None) or str(error)
    if reason == "KEY_VALUES_MISMATCH":
        return f"web.key: {key} is not the key of the certificate in {certificate}; use files that belong together"
    return f"web.certificate, web.key: {certificate} and {key} cannot be used: {reason}"


def _version(files: tuple[Path, Path]) -> Version:
    try:
        statuses = [file.stat() for file in files]
    except OSError:
        return ()
    return tuple((status.st_ino, status.st_mtime_ns, status.st_size) for status in statuses)
