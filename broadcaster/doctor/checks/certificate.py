"""The page's certificate: whether it can be used, and how long it lasts."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from pathlib import Path

from broadcaster.doctor.advice import change
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.machine import Machine
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.errors import BroadcasterError
from broadcaster.settings import WebSettings
from broadcaster.settings.paths import expand
from broadcaster.web.certificate import load_pair

SOON = 14
"""Days: who renews by itself does so 30 days before the end (certbot), so something is wrong by then."""
_DAY = 86400

_ABOUT = Subject("certificate", "Browsers do not open the page with one that has ended or does not fit its key.")


@dataclass(frozen=True, slots=True)
class Found:
    """What became of loading it (empty: it can be used), and its end in Unix seconds, None if that is not known."""

    error: str
    end: float | None


def probe(case: CheckContext) -> list[CheckResult]:
    """The one line."""
    web = case.settings.web
    if not web.certificate:
        return [_ABOUT.ok("none: the page comes by plain HTTP (web.certificate)")]
    for file in (web.certificate, web.key):
        if hidden := case.hides(file):
            found = f"{file}: the service does not see {hidden.folder} ({hidden.option}=)"
            return [_ABOUT.broken(found, change("Put both files into /etc/broadcaster, and name them so"))]
    return [evaluate(read_certificate(case.machine, web), web.certificate, time.time())]


def read_certificate(machine: Machine, web: WebSettings) -> Found:
    """Load it as the daemon does, and ask OpenSSL for its end."""
    certificate, key = Path(expand(web.certificate)), Path(expand(web.key))
    try:
        load_pair(certificate, key)
    except BroadcasterError as error:
        return Found(str(error), None)
    return Found("", understand(machine.run("openssl", "x509", "-noout", "-enddate", "-in", str(certificate)) or ""))


def understand(said: str) -> float | None:
    """The time in `notAfter=Jun  1 12:00:00 2027 GMT`."""
    try:
        return float(ssl.cert_time_to_seconds(said.removeprefix("notAfter=")))
    except ValueError:
        return None


def evaluate(found: Found, file: str, now: float) -> CheckResult:
    """It fits its key, and lasts a while."""
    if found.error:
        fix = f"See that both files are there, readable for the daemon's user, and belong together:\n  ls -l {file}"
        return _ABOUT.broken(found.error, fix)
    if found.end is None:
        return _ABOUT.ok(f"{file}; when it ends is not known here (there is no openssl)")
    days = int((found.end - now) // _DAY)
    date = time.strftime("%Y-%m-%d", time.gmtime(found.end))
    renew = "Renew it; the daemon takes the new files by itself. With certbot:\n  sudo certbot renew"
    if days < 0:
        return _ABOUT.broken(f"{file} ended on {date}", renew)
    if days < SOON:
        return _ABOUT.warning(f"{file} ends on {date}, in {days} days", renew)
    return _ABOUT.ok(f"{file}, until {date}")
