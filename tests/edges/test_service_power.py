"""Powering off, with other commands in place of the real one."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys

import pytest

from broadcaster.service.power import POWER_OFF, PowerSwitch
from tests.house.project import read


def test_command_powers_off_without_asking_for_a_password():
    assert POWER_OFF == ("systemctl", "--no-ask-password", "poweroff")


async def test_command_runs_once_for_repeated_presses(tmp_path, caplog):
    script = f"open({str(tmp_path / 'runs')!r}, 'a').write('x')"
    switch = PowerSwitch((sys.executable, "-c", script))
    switch.press()
    switch.press()
    await switch.close()
    await switch.close()
    assert (tmp_path / "runs").read_text() == "x"
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ((sys.executable, "-c", "raise SystemExit('access denied')"), "access denied"),
        ((sys.executable, "-c", "raise SystemExit(3)"), "exit code 3"),
        (("/nonexistent/systemctl",), "No such file"),
    ],
)
async def test_failure_is_logged_with_a_reference_to_the_documentation(command, error, caplog):
    switch = PowerSwitch(command)
    with caplog.at_level(logging.ERROR):
        switch.press()
        await switch.close()
    assert error in caplog.text
    assert "hardware/README.md" in caplog.text


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js, which `make test` installs")
@pytest.mark.parametrize(
    ("user", "action", "allowed"),
    [
        ("broadcaster", "org.freedesktop.login1.power-off", True),
        ("broadcaster", "org.freedesktop.login1.power-off-multiple-sessions", True),
        ("broadcaster", "org.freedesktop.login1.reboot", False),
        ("broadcaster", "org.freedesktop.systemd1.manage-units", False),
        ("pi", "org.freedesktop.login1.power-off", False),
    ],
)
def test_polkit_rule_allows_the_service_user_only_to_power_off(user, action, allowed):
    rules = "let rule; const polkit = {Result: {YES: 'yes'}, addRule: (added) => { rule = added; }};"
    query = f"console.log(rule({json.dumps({'id': action})}, {json.dumps({'user': user})}));"
    code = rules + read("systemd/broadcaster-poweroff.rules") + query
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ("yes" if allowed else "undefined")
