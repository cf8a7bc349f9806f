"""tests/tools.sh on a system with systemd: whatever it installs, no service is started, now or at the next boot."""

from __future__ import annotations

import pytest

from tests.system.container import Container
from tests.system.trees import CHECKOUT

pytestmark = pytest.mark.long

TOOLS = f"{CHECKOUT}/tests/tools.sh"
PROGRAMS = ("nginx", "caddy", "turnserver")
UNITS = {"nginx": "nginx", "caddy": "caddy", "turn": "coturn"}


def state(container: Container, question: str) -> list[str]:
    return container.try_run("systemctl", question, *UNITS.values()).split()


def test_services_are_named_and_not_installed(container):
    with pytest.raises(AssertionError, match="sudo apt install nginx-light caddy coturn"):
        container.run(TOOLS, *UNITS, outside=True)
    assert container.try_run("which", *PROGRAMS) == ""


def test_a_machine_that_only_tests_gets_them_and_they_stay_stopped(container):
    container.run(TOOLS, "--services", *UNITS, limit=300, outside=True)
    assert len(container.run("which", *PROGRAMS).split()) == len(PROGRAMS)
    assert state(container, "is-active") == ["inactive"] * 3
    assert state(container, "is-enabled") == ["disabled"] * 3
    assert not container.try_run("ls", "/usr/sbin/policy-rc.d"), "what the system's owner installs later starts"
