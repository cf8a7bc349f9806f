"""tests/tools.sh on a system with systemd: no service that it installs is started, now or at the next boot."""

from __future__ import annotations

import pytest

from tests.system.container import Container
from tests.system.trees import CHECKOUT

pytestmark = pytest.mark.long

TOOLS = f"{CHECKOUT}/tests/tools.sh"
PROGRAMS = ("nginx", "caddy", "turnserver")
UNITS = {"nginx": "nginx", "caddy": "caddy", "turn": "coturn"}


def unit_states(container: Container, query: str) -> list[str]:
    return container.try_run("systemctl", query, *UNITS.values()).split()


def test_packages_with_services_are_named_and_not_installed(container):
    with pytest.raises(AssertionError, match="sudo apt install nginx-light caddy coturn"):
        container.run(TOOLS, *UNITS, outside=True)
    assert container.try_run("which", *PROGRAMS) == ""


def test_services_option_installs_them_and_leaves_them_stopped(container):
    container.run(TOOLS, "--services", *UNITS, limit=300, outside=True)
    assert len(container.run("which", *PROGRAMS).split()) == len(PROGRAMS)
    assert unit_states(container, "is-active") == ["inactive"] * 3
    assert unit_states(container, "is-enabled") == ["disabled"] * 3
    assert not container.try_run("ls", "/usr/sbin/policy-rc.d"), "services that are installed later may start"
