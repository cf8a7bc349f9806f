"""TLS by certificate files, which may be renewed while the daemon runs."""

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

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_KEY = b"PRIVATE KEY-----"
_LARGEST = 1 << 20

Stamp = tuple[tuple[int, int, int], ...]


class Certificate:
    """`web.certificate` and `web.key`: each new connection gets what the files held at the last good `look`."""

    def __init__(self, certificate: str, key: str) -> None:
        self._files = (Path(expand(certificate)), Path(expand(key)))
        self._newest = self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._loaded: Stamp = ()
        self._seen: Stamp = ()
        self.names: tuple[str, ...] = ()
        """The host names that the certificate is for."""

    def load(self) -> ssl.SSLContext:
        """Return what connections are accepted with. Raises `BroadcasterError`, naming setting, file and reason."""
        self._loaded = self._seen = _stamp(self._files)
        self._newest = self._context = load_pair(*self._files)
        self._context.sni_callback = self._choose
        self.names = certificate_names(self._files[0])
        return self._context

    def reload_if_changed(self) -> bool:
        """Load the files again if they have changed; returns whether. Raises `BroadcasterError` once for invalid files.

        Certificate and key are two files, and are not written in one moment: only what has not changed since the last
        call is loaded.
        """
        seen, self._seen = self._seen, _stamp(self._files)
        if self._seen in ((), self._loaded) or self._seen != seen:
            return False
        self._loaded = self._seen
        self._newest = load_pair(*self._files)
        self.names = certificate_names(self._files[0])
        return True

    def _choose(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """Called by OpenSSL while a connection begins, whether or not it names a server (RFC 6066 §3)."""
        connection.context = self._newest


def certificate_names(file: Path) -> tuple[str, ...]:
    """Return the host names of a certificate's subjectAltName (RFC 6125), "*." in front of wildcards.

    Of the first certificate in a chain, which is the server's. None where it cannot be read: that is said elsewhere.
    """
    try:
        with file.open("rb") as opened:
            found = x509.load_pem_x509_certificates(opened.read(_LARGEST))[0].extensions
        names = found.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    except (OSError, ValueError, x509.ExtensionNotFound, x509.DuplicateExtension):
        return ()
    return tuple(dict.fromkeys(map(ascii_name, names)))


def load_pair(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return a context with that certificate and its key. Raises `BroadcasterError`."""
    _check(certificate, "web.certificate", _CERTIFICATE, "holds no certificate (PEM)")
    _check(key, "web.key", _KEY, "holds no private key (PEM)")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key, password=_no_password(key))
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise BroadcasterError(_explain(error, certificate, key)) from error
    return context


def _check(file: Path, setting: str, mark: bytes, wrong: str) -> None:
    try:
        with file.open("rb") as opened:
            text = opened.read(_LARGEST)
    except OSError as error:
        hint = f" to the daemon's user, {_user()}" if isinstance(error, PermissionError) else ""
        hint += sandbox.hint(str(file))
        raise BroadcasterError(f"{setting}: {file} cannot be read: {error.strerror}{hint}") from error
    if mark not in text:
        raise BroadcasterError(f"{setting}: {file} {wrong}")


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"number {os.geteuid()}"


def _no_password(key: Path) -> Callable[[], str]:
    """OpenSSL would ask for it at the terminal, and wait."""

    def refuse() -> str:
        raise BroadcasterError(f"web.key: {key} needs a password, and nobody is there to type it: store it without one")

    return refuse


def _explain(error: Exception, certificate: Path, key: Path) -> str:
    reason = getattr(error, "reason", None) or str(error)
    if reason == "KEY_VALUES_MISMATCH":
        return f"web.key: {key} is not the key of the certificate in {certificate}"
    return f"web.certificate, web.key: {certificate} and {key} cannot be used: {reason}"


def _stamp(files: tuple[Path, Path]) -> Stamp:
    """What tells whether files are others than before; empty while one is not there."""
    try:
        found = [file.stat() for file in files]
    except OSError:
        return ()
    return tuple((status.st_ino, status.st_mtime_ns, status.st_size) for status in found)
