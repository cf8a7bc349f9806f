"""Cameras and microphones that are missing, get lost, hang, or give what no encoder should."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.faults.bystanders import unnoticed
from tests.rigs.healthy import HealthyViewer
from tests.rigs.light import LightViewer
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.stalls import PATIENCE, within

HEARD = 0.05
"""Seconds within which what the daemon has noticed is told, and has come here."""


async def told(viewer: LightViewer, state: str) -> Any:
    """The reason, when a viewer is told of that state for the first time."""
    return (await viewer.message("stream", PATIENCE, state=state)).get("reason")


async def moves(viewer: LightViewer) -> None:
    """Wait until a keyframe comes."""
    before, began = viewer.keyframes, time.monotonic()
    while viewer.keyframes == before:
        assert time.monotonic() - began < PATIENCE
        await asyncio.sleep(0.01)


@pytest.mark.long
async def test_row_9_a_camera_that_is_plugged_in_is_live_soon(measured):
    async with ScriptedDaemon(live=False, stream__start="offline") as daemon, LightViewer(daemon.port) as viewer:
        await daemon.call("camera", "fail_open", "no-camera", "scripted: nothing there", 1000)
        await daemon.set_live(True)
        assert await told(viewer, "failed") == "no-camera"
        await asyncio.sleep(8)  # tries at 0, 1, 3 and 7 s: the next one would be at 15 s
        assert int(str((await daemon.status())["openings"])) >= 4
        await daemon.call("camera", "mend")
        async with within(5) as took:
            await daemon.call("plugs", "plug", "video7")
            await told(viewer, "live")
        measured("9", f"failed (no-camera), live {took.seconds:.1f} s after it was plugged in")
        assert daemon.log.count("nothing there") == 1


async def test_row_10_a_lost_camera_is_told_and_comes_back(measured):
    async with ScriptedDaemon() as daemon, LightViewer(daemon.port) as viewer:
        await viewer.keyframe()
        async with within(2) as noticed:
            await daemon.call("camera", "vanish")
            assert await told(viewer, "failed") == "camera-lost"
        async with within(5) as back:
            await moves(viewer)
        measured("10", f"told after {noticed.seconds * 1000:.0f} ms, live again {back.seconds:.1f} s later")
        assert sum(message["type"] == "offer" for message in viewer.messages) == 1


@pytest.mark.long
async def test_row_11_a_camera_that_hangs_is_opened_anew(measured):
    async with ScriptedDaemon() as daemon, LightViewer(daemon.port) as viewer:
        await viewer.keyframe()
        async with within(2 + HEARD) as noticed:
            await daemon.call("camera", "stall")
            assert await told(viewer, "failed") == "camera-stalled"
        async with within(5) as back:
            await moves(viewer)
        measured("11", f"noticed after {noticed.seconds:.1f} s, live again {back.seconds:.1f} s later")


@pytest.mark.long
async def test_row_11_a_camera_that_cannot_be_closed_ends_the_process(measured):
    async with ScriptedDaemon() as daemon, LightViewer(daemon.port) as viewer:
        await viewer.keyframe()
        began = time.monotonic()
        await daemon.call("camera", "hang")
        assert daemon.process is not None
        code = await asyncio.wait_for(daemon.process.wait(), 10)
        took = time.monotonic() - began
        measured("11", f"close hangs: the process ends with code {code} after {took:.1f} s")
        assert code == 1
        assert "hangs and cannot be closed" in daemon.log
        assert await viewer.closed() == 1001


async def test_row_12_a_lost_microphone_leaves_the_picture_alone(measured):
    async with ScriptedDaemon() as daemon, HealthyViewer(daemon.port) as viewer:
        await viewer.keyframe()
        async with unnoticed(viewer) as seen:
            began = time.monotonic()
            await daemon.call("microphone", "vanish")
            lost = await viewer.message("stream", sound="lost")
            took = time.monotonic() - began
            await sounds(viewer, 5, since=len(viewer.messages))
        assert lost["state"] == "live"
        measured("12", f"told after {took * 1000:.0f} ms, opened again, video: {seen}")


@pytest.mark.long
async def test_row_12_without_a_microphone_there_is_a_picture(measured):
    async with ScriptedDaemon(live=False, stream__start="offline") as daemon, HealthyViewer(daemon.port) as viewer:
        await daemon.call("microphone", "be_absent", 1000)
        await daemon.set_live(True)
        await viewer.keyframe()
        async with unnoticed(viewer) as seen:
            told = await viewer.message("stream", sound="none", state="live")
            await asyncio.sleep(2)
            assert viewer.sounds == 0
            await daemon.call("microphone", "mend")
            took = await sounds(viewer, 5, since=len(viewer.messages))
        offers = sum(message["type"] == "offer" for message in viewer.messages)
        assert told["sound"] == "none"
        assert offers == 1
        assert daemon.log.count("no audio") == 1
        measured("12", f"none at first: sound {took:.1f} s after there is one, video: {seen}")


async def sounds(viewer: LightViewer, limit: float, since: int) -> float:
    """Seconds until a viewer is told of sound, in the messages after the first `since`, and hears it."""
    began, heard = time.monotonic(), viewer.sounds
    while viewer.sounds == heard or not any(
        m["type"] == "stream" and m["sound"] == "on" for m in viewer.messages[since:]
    ):
        assert time.monotonic() - began < limit
        await asyncio.sleep(0.01)
    return time.monotonic() - began


@pytest.mark.long
async def test_row_13_what_the_encoder_breaks_the_next_keyframe_repairs(measured, open_page):
    faults = {
        "garbage": [("garble",)],
        "100 kB": [("bloat",)],
        "160x90": [("resize", 160, 90)],
        "time goes back": [("shift_time", -5)],
        "time goes on": [("shift_time", 3600)],
        "a stall": [("stall",)],
    }
    async with ScriptedDaemon() as daemon:
        viewer = await open_page(daemon.url)
        await viewer.state("live")
        said = []
        for name, calls in faults.items():
            for call in calls:
                await daemon.call("camera", *call)
            await asyncio.sleep(0.2)
            frames = await viewer.shown()
            async with within(4) as took, asyncio.timeout(PATIENCE):
                while await viewer.shown() < frames + 15:
                    await asyncio.sleep(0.05)
                await viewer.state("live")
            said.append(f"{name}: {took.seconds:.1f} s")
        assert (await daemon.status())["openings"] == 2, "it was opened anew for the stall, and for nothing else"
        size = await viewer.evaluate("(v => v.videoWidth)(document.querySelector('video'))")
        measured("13", f"15 more pictures shown after {', '.join(said)}")
        assert size == 160
        assert daemon.process is not None
        assert daemon.process.returncode is None
        assert "Traceback" not in daemon.log
