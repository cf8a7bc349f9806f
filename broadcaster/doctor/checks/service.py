"""Whether the service runs, and whether it starts at boot."""

from __future__ import annotations

from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.doctor.unit import UNIT, ServiceUnit

_MANY_RESTARTS = 3
"""Automatic restarts since the last manual start or boot: fewer may be chance, more have a cause."""
_READ_JOURNAL = f"Look for the cause in the log:\n  journalctl -u {UNIT} -p warning -n 30"
_ABOUT = Subject("service", "The service starts the stream at boot, and again after a crash.")


def probe(context: CheckContext) -> list[CheckResult]:
    """Return the only result."""
    uses_settings = context.settings_file == context.service.settings_file and not context.problems
    silent = uses_settings and context.running is None
    return [evaluate(context.service, silent_port=context.settings.web.port if silent else 0)]


def evaluate(service: ServiceUnit, silent_port: int = 0) -> CheckResult:
    """Require that an installed service runs, answers (`silent_port`: the port where it does not), starts at boot."""
    if not service.installed:
        return _ABOUT.ok("not installed (to install it: sudo make install)")
    if service.active == "failed" or (not service.is_running and service.active == "activating"):
        return _ABOUT.broken(f"the service is not running (state: {service.active})", _READ_JOURNAL)
    if not service.is_running:
        return _ABOUT.warning("the service is not running", f"Start it:\n  sudo systemctl start {UNIT}")
    if silent_port and service.active == "active":
        found = f"the service is running, but does not answer on port {silent_port}"
        return _ABOUT.broken(found, f"{_READ_JOURNAL}\nThen restart it:\n  sudo systemctl restart {UNIT}")
    if service.restarts >= _MANY_RESTARTS:
        found = f"the service is running, but was restarted {service.restarts} times after failures"
        return _ABOUT.warning(found, _READ_JOURNAL)
    if not service.enabled:
        found = "the service is running, but does not start at boot"
        return _ABOUT.warning(found, f"Enable it:\n  sudo systemctl enable {UNIT}")
    return _ABOUT.ok("running, and starts at boot")
