"""Cameras and microphones that are missing, unplugged or hang, or deliver invalid data."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.faults.continuity import uninterrupted
from tests.rigs.healthy import HealthyViewer
from tests.rigs.light import LightViewer
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.stalls import PATIENCE, within

MESSAGE_DELAY = 0.05
"""Seconds until a viewer has received a message about what the daemon has noticed."""


async def reason_of(viewer: LightViewer, state: str) -> Any:
    """Wait until the viewer is notified of `state`, and return the reason."""
    return (await viewer.message("stream", PATIENCE, state=state)).get("reason")


async def until_keyframe(viewer: LightViewer) -> None:
    """Wait until the viewer receives a keyframe."""
    before, began = viewer.keyframes, time.monotonic()
    while viewer.keyframes == before:
        assert time.monotonic() - began < PATIENCE
        await asyncio.sleep(0.01)


@pytest.mark.long
async def test_row_9_camera_that_is_plugged_in_is_live_soon(record):
    async with ScriptedDaemon(live=False, stream__start="offline") as daemon, LightViewer(daemon.port) as viewer:
        await daemon.call("camera", "fail_open", "no-camera", "scripted: nothing there", 1000)
        await daemon.set_live(True)
        assert await reason_of(viewer, "failed") == "no-camera"
        await asyncio.sleep(8)  # attempts after 0, 1, 3 and 7 s; the next one would be after 15 s
        assert int(str((await daemon.status())["openings"])) >= 4
        await daemon.call("camera", "mend")
        async with within(5) as took:
            await daemon.call("devices", "add", "video7")
            await reason_of(viewer, "live")
        record("9", f"failed (no-camera), live {took.seconds:.1f} s after it was plugged in")
        assert daemon.log.count("nothing there") == 1


async def test_row_10_lost_camera_is_reported_and_recovers(record):
    async with ScriptedDaemon() as daemon, LightViewer(daemon.port) as viewer:
        await viewer.keyframe()
        async with within(2) as noticed:
            await daemon.call("camera", "vanish")
            assert await reason_of(viewer, "failed") == "camera-lost"
        async with within(5) as back:
            await until_keyframe(viewer)
        record("10", f"notified after {noticed.seconds * 1000:.0f} ms, live again {back.seconds:.1f} s later")
        assert sum(message["type"] == "offer" for message in viewer.messages) == 1


@pytest.mark.long
async def test_row_11_stalled_camera_is_reopened(record):
    async with ScriptedDaemon() as daemon, LightViewer(daemon.port) as viewer:
        await viewer.keyframe()
        async with within(2 + MESSAGE_DELAY) as noticed:
            await daemon.call("camera", "stall")
            assert await reason_of(viewer, "failed") == "camera-stalled"
        async with within(5) as back:
            await until_keyframe(viewer)
        record("11", f"noticed after {noticed.seconds:.1f} s, live again {back.seconds:.1f} s later")


@pytest.mark.long
async def test_row_11_camera_that_cannot_be_closed_ends_the_process(record):
    async with ScriptedDaemon() as daemon, LightViewer(daemon.port) as viewer:
        await viewer.keyframe()
        began = time.monotonic()
        await daemon.call("camera", "hang")
        assert daemon.process is not None
        code = await asyncio.wait_for(daemon.process.wait(), 10)
        took = time.monotonic() - began
        record("11", f"closing hangs: the process exits with code {code} after {took:.1f} s")
        assert code == 1
        assert "hangs and cannot be closed" in daemon.log
        assert await viewer.wait_closed() == 1001


async def test_row_12_lost_microphone_does_not_affect_video(record):
    async with ScriptedDaemon() as daemon, HealthyViewer(daemon.port) as viewer:
        await viewer.keyframe()
        async with uninterrupted(viewer) as continuity:
            began = time.monotonic()
            await daemon.call("microphone", "vanish")
            lost = await viewer.message("stream", sound="lost")
            took = time.monotonic() - began
            await until_audio(viewer, 5, since=len(viewer.messages))
        assert lost["state"] == "live"
        record("12", f"notified after {took * 1000:.0f} ms, reopened, video: {continuity}")


@pytest.mark.long
async def test_row_12_video_plays_without_a_microphone(record):
    async with ScriptedDaemon(live=False, stream__start="offline") as daemon, HealthyViewer(daemon.port) as viewer:
        await daemon.call("microphone", "be_absent", 1000)
        await daemon.set_live(True)
        await viewer.keyframe()
        async with uninterrupted(viewer) as continuity:
            without_audio = await viewer.message("stream", sound="none", state="live")
            await asyncio.sleep(2)
            assert viewer.audio_packets == 0
            await daemon.call("microphone", "mend")
            took = await until_audio(viewer, 5, since=len(viewer.messages))
        offers = sum(message["type"] == "offer" for message in viewer.messages)
        assert without_audio["sound"] == "none"
        assert offers == 1
        assert daemon.log.count("no audio") == 1
        record("12", f"none at first: audio {took:.1f} s after it was plugged in, video: {continuity}")


async def until_audio(viewer: LightViewer, limit: float, since: int) -> float:
    """Wait for a message about audio after the first `since` messages, and for audio; return the seconds."""
    began, received = time.monotonic(), viewer.audio_packets
    while viewer.audio_packets == received or not any(
        m["type"] == "stream" and m["sound"] == "on" for m in viewer.messages[since:]
    ):
        assert time.monotonic() - began < limit
        await asyncio.sleep(0.01)
    return time.monotonic() - began


@pytest.mark.long
async def test_row_13_invalid_video_is_repaired_by_the_next_keyframe(record, open_page):
    faults = {
        "garbage": [("garble",)],
        "100 kB": [("bloat",)],
        "160x90": [("resize", 160, 90)],
        "timestamps jump back": [("shift_time", -5)],
        "timestamps jump ahead": [("shift_time", 3600)],
        "stall": [("stall",)],
    }
    async with ScriptedDaemon() as daemon:
        viewer = await open_page(daemon.url)
        await viewer.state("live")
        times = []
        for name, calls in faults.items():
            for call in calls:
                await daemon.call("camera", *call)
            await asyncio.sleep(0.2)
            frames = await viewer.presented_count()
            async with within(4) as took, asyncio.timeout(PATIENCE):
                while await viewer.presented_count() < frames + 15:
                    await asyncio.sleep(0.05)
                await viewer.state("live")
            times.append(f"{name}: {took.seconds:.1f} s")
        assert (await daemon.status())["openings"] == 2, "the camera is reopened for the stall, and for nothing else"
        size = await viewer.evaluate("(v => v.videoWidth)(document.querySelector('video'))")
        record("13", f"15 more frames shown after {', '.join(times)}")
        assert size == 160
        assert daemon.process is not None
        assert daemon.process.returncode is None
        assert "Traceback" not in daemon.log
