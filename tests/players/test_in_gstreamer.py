"""GStreamer's elements for WHEP play, where they are installed."""

from __future__ import annotations

import asyncio
import json
import os
import shutil

import pytest

from tests.players.rig import FOLDER, PLAY_LIMIT, figures, wait_until, whep_url
from tests.rigs.daemon import Daemon

pytestmark = pytest.mark.long

FRAMES = 30
PYTHON = "/usr/bin/python3"
"""The system's own, which has the packages of apt."""
PIPELINES = {
    "whepclientsrc": (
        "whepclientsrc name=player signaller::whep-endpoint={url} video-codecs=H264 audio-codecs=OPUS"
        " player. ! queue ! videoconvert ! video/x-raw ! identity eos-after={frames} ! fakesink"
        " player. ! queue ! audioconvert ! audio/x-raw ! fakesink"
    ),
    "whepsrc": (
        "whepsrc name=player whep-endpoint={url}"
        " video-caps=application/x-rtp,media=video,encoding-name=H264,payload=103,clock-rate=90000"
        " player. ! rtph264depay ! h264parse ! avdec_h264 ! identity eos-after={frames} ! fakesink"
    ),
}


@pytest.mark.parametrize("element", PIPELINES)
async def test_gstreamer_decodes(element: str) -> None:
    if shutil.which("gst-launch-1.0") is None or not await _has(element):
        pytest.skip(f"no GStreamer with {element} on this machine (gstreamer1.0-plugins-rs)")
    async with Daemon() as daemon:
        pipeline = PIPELINES[element].format(url=whep_url(daemon), frames=FRAMES)
        process = await asyncio.create_subprocess_exec(
            *("gst-launch-1.0", "-q", *pipeline.split()),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            await wait_until(daemon, lambda viewers: any(viewer["connected"] for viewer in viewers), PLAY_LIMIT)
            output, _ = await asyncio.wait_for(process.communicate(), PLAY_LIMIT)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0, output.decode()
        await wait_until(daemon, lambda viewers: not viewers, 15)
        assert await figures(daemon) == []


async def test_webrtcbin_decodes_video_and_audio() -> None:
    if not await _imports():
        pytest.skip(
            "no webrtcbin for Python: sudo apt install gstreamer1.0-nice gstreamer1.0-libav python3-gi "
            "gstreamer1.0-plugins-good gir1.2-gst-plugins-bad-1.0"
        )
    async with Daemon() as daemon:
        process = await asyncio.create_subprocess_exec(
            *(PYTHON, str(FOLDER / "webrtcbin.py"), whep_url(daemon), str(FRAMES)),
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": ""},
        )
        try:
            output, _ = await asyncio.wait_for(process.communicate(), PLAY_LIMIT)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        assert process.returncode == 0
        result = json.loads(output)
        assert result["video"] >= FRAMES
        assert result["audio"] > 0
        assert (result["width"], result["deleted"]) == (1280, 200)


async def _imports() -> bool:
    """Return whether the system's Python has GStreamer's bindings, with webrtcbin and its decoders."""
    if shutil.which(PYTHON) is None or shutil.which("gst-inspect-1.0") is None:
        return False
    program = "import gi; gi.require_version('GstWebRTC', '1.0'); from gi.repository import GstWebRTC"
    process = await asyncio.create_subprocess_exec(
        PYTHON, "-c", program, env=os.environ | {"PYTHONPATH": ""}, stderr=asyncio.subprocess.DEVNULL
    )
    elements = ("webrtcbin", "avdec_h264", "avdec_opus", "rtph264depay")
    return await process.wait() == 0 and all([await _has(element) for element in elements])


async def _has(element: str) -> bool:
    """Return whether this GStreamer has the element."""
    process = await asyncio.create_subprocess_exec("gst-inspect-1.0", "--exists", element)
    return await process.wait() == 0
