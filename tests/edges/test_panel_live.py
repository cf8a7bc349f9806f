"""From a button press to the viewer: the whole daemon with a fake camera and mock pins."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest

from broadcaster.devices.panel import button
from tests.rigs.light import LightViewer
from tests.rigs.panel import LAMP, panel_rig

SLACK = 3.0
"""Seconds that a shared test machine may stall; `make bench ARGS=panel` measures without them."""


async def test_button_press_toggles_live():
    async with panel_rig() as rig, LightViewer(rig.port) as viewer:
        await viewer.message("welcome")
        assert not rig.camera.is_open
        pressed = await rig.press()
        await viewer.message("stream", limit=10, state="live")
        took = time.monotonic() - pressed
        print(f"button press to live at a viewer: {took:.2f} s")
        assert took < 1 + SLACK
        await rig.wait_for_lamp(True, 0.55)
        await viewer.keyframe()
        await rig.press()
        await viewer.message("stream", limit=10, state="offline")
        assert not rig.lamp
        assert not rig.camera.is_open
        assert [message["state"] for message in viewer.messages if message["type"] == "stream"] == [
            "starting", "live", "stopping", "offline"]  # fmt: skip


@pytest.mark.parametrize(("fault", "limit"), [("vanish", 0.5), ("stall", 2.5)])
async def test_failed_source_turns_the_tally_light_off_and_viewers_are_notified(fault, limit):
    async with panel_rig() as rig, LightViewer(rig.port) as viewer:
        await viewer.message("welcome")
        await rig.press()
        await viewer.message("stream", limit=10, state="live")
        assert rig.lamp
        failed_at = time.monotonic()
        getattr(rig.camera, fault)()
        await viewer.message("stream", limit=10, state="failed")
        notified, dark = time.monotonic() - failed_at, rig.dark_since(failed_at)
        assert dark is not None
        print(f"source fails by {fault}: light off after {dark:.2f} s, viewer notified after {notified:.2f} s")
        assert dark < limit + SLACK
        assert notified < limit + SLACK


async def test_tally_light_only_blinks_while_the_camera_cannot_be_opened():
    async with panel_rig() as rig:
        rig.camera.fail_open("no-camera", times=100)
        await rig.press()
        await asyncio.sleep(0.6)
        history = rig.factory.pin(LAMP).history
        lit = [off - on for (on, state), (off, _) in itertools.pairwise(history) if state]
        assert lit
        assert max(lit) < 0.5 + SLACK


async def test_second_led_is_on_with_viewers_and_a_long_press_mutes(monkeypatch):
    monkeypatch.setattr(button, "HOLD", 0.3)
    async with panel_rig("panel.hold_action=mute") as rig:
        async with LightViewer(rig.port) as viewer:
            await viewer.message("welcome")
            async with asyncio.timeout(10):
                while not rig.watch_lamp:
                    await asyncio.sleep(0.01)
            await rig.press()
            await viewer.message("stream", limit=10, state="live", sound="on")
            await rig.press(0.5)
            await viewer.message("stream", limit=10, state="live", sound="none")
        async with asyncio.timeout(10):
            while rig.watch_lamp:
                await asyncio.sleep(0.01)


async def test_at_exit_the_tally_light_is_off_and_pins_are_inputs():
    async with panel_rig() as rig:
        pin = rig.factory.pin(LAMP)
        await rig.press()
        await rig.wait_for_lamp(True, 0)
    assert pin.function == "input"
    assert pin.history[-1][1] is False


async def test_daemon_works_without_pins_and_warns_once(caplog):
    async with panel_rig(pins_missing=True) as rig, LightViewer(rig.port) as viewer:
        await viewer.message("welcome")
    assert [record.getMessage() for record in caplog.records if record.name == "broadcaster.service.panel"] == [
        "no live button and no tally light: this is no Raspberry Pi: it has no pins"
    ]
