"""Switching the machine off: the command is run, and what it complains of is said. (Never the real one.)"""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys

import pytest

from broadcaster.service.power import POWER_OFF, PowerSwitch
from tests.house.project import read


def test_the_real_command_asks_for_a_clean_end_and_for_no_password():
    assert POWER_OFF == ("systemctl", "--no-ask-password", "poweroff")


async def test_it_is_asked_once_however_often_the_button_is_held(tmp_path, caplog):
    script = f"open({str(tmp_path / 'asked')!r}, 'a').write('x')"
    switch = PowerSwitch((sys.executable, "-c", script))
    switch.press()
    switch.press()
    await switch.close()
    await switch.close()
    assert (tmp_path / "asked").read_text() == "x"
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        ((sys.executable, "-c", "raise SystemExit('access denied')"), "access denied"),
        ((sys.executable, "-c", "raise SystemExit(3)"), "exit code 3"),
        (("/nonexistent/systemctl",), "No such file"),
    ],
)
async def test_a_refusal_is_said_with_where_to_read_on(command, complaint, caplog):
    switch = PowerSwitch(command)
    with caplog.at_level(logging.ERROR):
        switch.press()
        await switch.close()
    assert complaint in caplog.text
    assert "hardware/README.md" in caplog.text


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here; `make test` sees to it")
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
def test_the_rule_lets_the_services_user_do_that_and_nothing_else(user, action, allowed):
    rules = "let rule; const polkit = {Result: {YES: 'yes'}, addRule: (given) => { rule = given; }};"
    asked = f"console.log(rule({json.dumps({'id': action})}, {json.dumps({'user': user})}));"
    code = rules + read("systemd/broadcaster-poweroff.rules") + asked
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ("yes" if allowed else "undefined")
