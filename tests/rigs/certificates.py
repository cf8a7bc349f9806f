"""Self-signed certificates for tests, in files named like certbot's."""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

NAME = "cam.example.org"


@dataclass(frozen=True)
class CertificatePair:
    """Files with a certificate and its key."""

    certificate: Path
    key: Path

    @property
    def settings(self) -> dict[str, str]:
        """Arguments for `WebSettings`."""
        return {"certificate": str(self.certificate), "key": str(self.key)}

    def trusted(self) -> ssl.SSLContext:
        """Return a TLS context for clients that trust only this certificate."""
        return ssl.create_default_context(cafile=str(self.certificate))


def make_pair(
    folder: Path, password: bytes | None = None, names: Sequence[str] = (NAME, "localhost")
) -> CertificatePair:
    """Write a new pair for `names` into the folder, and replace an existing one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now, month = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=30)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - month)
        .not_valid_after(now + month)
        .add_extension(x509.SubjectAlternativeName(list(map(x509.DNSName, names))), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encryption: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
    pair = CertificatePair(folder / "fullchain.pem", folder / "privkey.pem")
    _replace(pair.certificate, certificate.public_bytes(Encoding.PEM))
    _replace(pair.key, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return pair


def _replace(file: Path, content: bytes) -> None:
    """Replace the file atomically, as tools that renew certificates do."""
    fresh = file.with_suffix(".fresh")
    fresh.write_bytes(content)
    fresh.replace(file)
