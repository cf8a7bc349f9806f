"""Whether the service runs, and will after the next boot."""

from __future__ import annotations

from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.doctor.unit import UNIT, Service

_MANY_RESTARTS = 3
"""Restarts since the service was started by hand or at boot: one may be bad luck, more have a cause."""
_JOURNAL = f"journalctl -u {UNIT} -p warning -n 30"
_ABOUT = Subject("service", "It starts the stream at boot and again after a crash.")


def probe(case: CheckContext) -> list[CheckResult]:
    """The one line."""
    ours = case.settings_file == case.service.settings_file and not case.problems and case.settings.web.port
    return [evaluate(case.service, silent_at=case.settings.web.port if ours and case.running is None else 0)]


def evaluate(service: Service, silent_at: int = 0) -> CheckResult:
    """What that means; `silent_at` is the port at which it should answer and does not."""
    if not service.installed:
        return _ABOUT.ok("not installed (sudo make install does that)")
    if service.active == "failed" or (not service.is_running and service.active == "activating"):
        return _ABOUT.broken(f"does not run ({service.active})", f"See why:\n  {_JOURNAL}")
    if not service.is_running:
        return _ABOUT.warning("does not run", f"Start it:\n  sudo systemctl start {UNIT}")
    if silent_at and service.active == "active":
        found = f"runs, but does not answer at port {silent_at}"
        return _ABOUT.broken(found, f"See why, and start it anew:\n  {_JOURNAL}\n  sudo systemctl restart {UNIT}")
    if service.restarts >= _MANY_RESTARTS:
        found = f"runs, and was restarted {service.restarts} times after it ended by itself"
        return _ABOUT.warning(found, f"See why:\n  {_JOURNAL}")
    if not service.enabled:
        return _ABOUT.warning("runs, but not after the next boot", f"Enable it:\n  sudo systemctl enable {UNIT}")
    return _ABOUT.ok("runs, and starts at boot")
