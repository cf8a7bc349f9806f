"""The whole daemon with its recorder: API, command line, status, the button; and nothing of it if it is off."""

import asyncio
import json
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from broadcaster.devices.panel import button
from tests.edges.app_rig import served
from tests.edges.recording_rig import Files
from tests.rigs.light import LightViewer
from tests.rigs.panel import panel_rig

RECORD = ("record.mode=demand", "record.keep_free=0")


async def post(port: int, body: object) -> tuple[int, dict[str, object] | str]:
    """Return status and answer of `POST /api/record`."""

    def send() -> tuple[int, dict[str, object] | str]:
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/record", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    return await asyncio.to_thread(send)


async def seconds_in_memory(daemon, seconds: float) -> None:
    async with asyncio.timeout(20):
        while (await daemon.until("live"))["recorder"]["in_memory"] < seconds:
            await asyncio.sleep(0.1)


async def test_recording_and_clips_over_http(tmp_path):
    files = Files(tmp_path / "recordings")
    async with served(tmp_path, "test", *RECORD, "audio.source=test") as daemon:
        await seconds_in_memory(daemon, 2)
        code, answer = await post(daemon.port, {"clip": True})
        assert code == 200
        (clip,) = answer["clip"]["files"]
        assert files.duration(clip) == pytest.approx(answer["clip"]["duration"], abs=0.01)
        code, answer = await post(daemon.port, {"record": True})
        assert (code, answer["recorder"]["mode"]) == (200, "demand")
        async with asyncio.timeout(20):
            while (await daemon.until("live"))["recorder"]["state"] != "recording":
                await asyncio.sleep(0.1)
        await post(daemon.port, {"record": False})
        status = await daemon.until("live")
        assert status["recorder"]["state"] == "off"
        for body in ({}, [], {"record": 1}, {"clip": False}, "clip"):
            assert (await post(daemon.port, body))[0] == 400
    recorded = next(name for name in files.names() if name != clip)
    assert files.duration(recorded) >= 2


async def test_file_of_a_live_stream_is_complete_after_a_stop_of_the_daemon(tmp_path):
    files = Files(tmp_path / "elsewhere")
    async with served(
        tmp_path, "test", "record.mode=live", "record.keep_free=0", f"record.folder={files.path}"
    ) as daemon:
        await seconds_in_memory(daemon, 1)
    assert [duration > 1 for duration in files.durations()] == [True]


async def test_recorder_that_is_off_says_so(tmp_path):
    async with served(tmp_path, "test") as daemon:
        assert "recorder" not in await daemon.until("live")
        code, answer = await post(daemon.port, {"clip": True})
        assert code == 409
        assert "record.mode" in answer


def test_recorder_is_not_loaded_with_the_daemon():
    program = "import sys, broadcaster.app; print(*(name for name in sys.modules if 'recording' in name))"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not loaded.stdout.strip()


async def test_held_button_saves_a_clip_and_the_light_confirms_it(tmp_path, monkeypatch):
    monkeypatch.setattr(button, "CLIP_HOLD", 0.3)
    files = Files(tmp_path)
    async with (
        panel_rig("panel.hold_action=clip", *RECORD, f"record.folder={tmp_path}") as rig,
        LightViewer(rig.port) as viewer,
    ):
        await viewer.message("welcome")
        await rig.press()
        await viewer.message("stream", limit=10, state="live")
        await rig.wait_for_lamp(True, 1)
        pressed = await rig.press(0.5)
        async with asyncio.timeout(10):
            while rig.dark_since(pressed) is None:  # it flickers when the clip is on the disk
                await asyncio.sleep(0.01)
        assert files.durations()[0] > 0.5
    assert "_kept" in files.names()[0]


async def test_held_button_without_a_stream_only_logs_why(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(button, "CLIP_HOLD", 0.3)
    async with panel_rig("panel.hold_action=clip", *RECORD, f"record.folder={tmp_path}") as rig:
        await rig.press(0.5)
        async with asyncio.timeout(10):
            while "no clip saved" not in caplog.text:
                await asyncio.sleep(0.01)
    assert not Files(tmp_path).names()
