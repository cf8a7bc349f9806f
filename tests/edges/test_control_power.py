"""Switching the machine off: the command is run, and what it complains of is said. (Never the real one.)"""

from __future__ import annotations

import logging
import sys

import pytest

from broadcaster.control.power import POWER_OFF, PowerSwitch


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
