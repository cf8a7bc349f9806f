"""The page's TLS certificate: whether it can be used, and when it expires."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from broadcaster.doctor.advice import change_settings
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.errors import BroadcasterError
from broadcaster.settings import WebSettings
from broadcaster.settings.paths import expand
from broadcaster.web.certificate import load_pair

WARNING_DAYS = 14
"""Automatic renewal happens 30 days before the end (certbot), so something is wrong by then."""
_DAY = 86400

_ABOUT = Subject("certificate", "Browsers refuse a page whose certificate has expired or does not match its key.")


@dataclass(frozen=True, slots=True)
class CertificateState:
    """The error of loading the certificate (empty: none), and its end in Unix seconds (None: unknown)."""

    error: str
    end: float | None


def probe(context: CheckContext) -> list[CheckResult]:
    """Return the only result."""
    web = context.settings.web
    if not web.certificate:
        return [_ABOUT.ok("none; the page is served over plain HTTP (web.certificate)")]
    for file in (web.certificate, web.key):
        if hidden := context.hides(file):
            found = f"{file}: the service does not see {hidden.folder} ({hidden.option}=)"
            advice = "Copy both files to /etc/broadcaster, and set [web] certificate and key to the copies."
            return [_ABOUT.broken(found, change_settings(advice))]
    return [evaluate(read_certificate(context.machine, web), web.certificate, time.time())]


def read_certificate(machine: Machine, web: WebSettings) -> CertificateState:
    """Load the certificate as the daemon does, and read its end with openssl."""
    certificate, key = Path(expand(web.certificate)), Path(expand(web.key))
    try:
        load_pair(certificate, key)
    except BroadcasterError as error:
        return CertificateState(str(error), None)
    output = machine.run("openssl", "x509", "-noout", "-enddate", "-in", str(certificate))
    return CertificateState("", parse_end(output or ""))


def parse_end(output: str) -> float | None:
    """Return the time of `notAfter=Jun  1 12:00:00 2027 GMT` in Unix seconds."""
    try:
        return float(ssl.cert_time_to_seconds(output.removeprefix("notAfter=")))
    except ValueError:
        return None


def evaluate(state: CertificateState, file: str, now: float) -> CheckResult:
    """Require a certificate that matches its key and does not expire soon."""
    if state.error:
        fix = f"Check that both files exist, can be read by the daemon's user, and belong together:\n  ls -l {file}"
        return _ABOUT.broken(state.error, fix)
    if state.end is None:
        return _ABOUT.ok(f"{file}; its expiry date is unknown, because openssl is not installed")
    days = int((state.end - now) // _DAY)
    date = time.strftime("%Y-%m-%d", time.gmtime(state.end))
    renew = "Renew the certificate; the daemon loads the new files by itself. With certbot:\n  sudo certbot renew"
    if days < 0:
        return _ABOUT.broken(f"{file} expired on {date}", renew)
    if days < WARNING_DAYS:
        return _ABOUT.warning(f"{file} expires on {date}, in {days} days", renew)
    return _ABOUT.ok(f"{file}, valid until {date}")
