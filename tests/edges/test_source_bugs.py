"""The whole daemon with an unexpected exception, or an error of libav or the system, in each kind of source.

The stream becomes `failed`, or its audio `lost`; the source is retried, and the daemon keeps running.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable
from typing import Any

import av
import pytest

from broadcaster.delivery import feed
from broadcaster.devices import choose
from broadcaster.devices.board import Board
from broadcaster.devices.encoder import Encoder
from broadcaster.devices.file.timeline import Timeline
from broadcaster.devices.microphone import source as microphone
from broadcaster.devices.picamera import hardware, software
from broadcaster.devices.testcard.beep import BeepTrack
from broadcaster.devices.testcard.pattern import Pattern
from broadcaster.devices.usb import source as usb
from broadcaster.devices.usb.find import DeviceScan
from broadcaster.media.rtp import Packetizer
from broadcaster.stream import backoff
from broadcaster.stream.hub import Hub
from tests.edges.app_rig import LiveDaemon, served
from tests.edges.devices_rig import make_file
from tests.edges.test_devices_usb_source import NODE, RealTimeCamera
from tests.rigs.fifo_microphone import CONFIG, FifoMicrophone
from tests.rigs.light import LightViewer
from tests.rigs.picamera2 import SimulatedPi

BUGS = [struct.error("unpack requires 4 bytes"), StopIteration("odd"), KeyError("odd")]
DISK = OSError(5, "Input/output error")
LIBAV = av.error.InvalidDataError(0, "Invalid data")
HIGH = {"profile": "high", "preset": "veryfast"}


class Breakable:
    """A function that raises `error` while it is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        self.error: Exception | None = None
        function = getattr(owner, name)

        def call(*arguments: Any, **options: Any) -> Any:
            if self.error is not None:
                raise self.error
            return function(*arguments, **options)

        monkeypatch.setattr(owner, name, call)


@pytest.fixture(autouse=True)
def _retry_soon(monkeypatch):
    monkeypatch.setattr(backoff, "FIRST_DELAY", 0.05)


def tracebacks(caplog: pytest.LogCaptureFixture) -> int:
    return sum(record.exc_info is not None for record in caplog.records)


async def fail_and_recover(daemon: LiveDaemon, part: Breakable, error: Exception, reason: str) -> dict[str, Any]:
    """Make `part` raise `error` until the stream fails with `reason`; return the status when it is live again."""
    await daemon.until("live")
    part.error = error
    await daemon.until("failed", reason)
    part.error = None
    return await daemon.until("live")


@pytest.mark.parametrize("error", BUGS, ids=lambda error: type(error).__name__)
async def test_bug_in_the_test_picture(tmp_path, monkeypatch, caplog, error):
    part = Breakable(monkeypatch, Pattern, "draw")
    async with served(tmp_path, "test") as daemon:
        status = await fail_and_recover(daemon, part, error, "internal")
    assert status["internal_errors"] >= 1
    assert tracebacks(caplog) == 1
    assert f"internal error in test-video: {type(error).__name__}" in caplog.text


@pytest.mark.parametrize(
    ("error", "reason", "traces"),
    [(KeyError("odd"), "internal", 1), (DISK, "file", 0), (LIBAV, "file", 0)],
    ids=["bug", "system", "libav"],
)
@pytest.mark.parametrize("options", [None, HIGH], ids=["passthrough", "encoded"])
async def test_error_in_a_film(tmp_path, monkeypatch, caplog, options, error, reason, traces):
    part = Breakable(monkeypatch, Timeline, "lateness")
    path = make_file(tmp_path / "a.mp4", seconds=2.0, options=options)
    async with served(tmp_path, "file", f"video.file={path}") as daemon:
        status = await fail_and_recover(daemon, part, error, reason)
    assert (status["internal_errors"] > 0, tracebacks(caplog)) == (bool(traces), traces)
    if not traces:
        assert caplog.text.count(f"{error.strerror}; retrying") == 1


@pytest.mark.parametrize(
    ("call", "error", "reason", "traces"),
    [
        ("read", struct.error("odd"), "internal", 1),
        ("read", DISK, "camera-lost", 0),
        ("is_ready", ValueError("odd"), "internal", 1),
        ("read", LIBAV, "camera-lost", 0),
    ],
)
async def test_error_in_a_usb_camera(tmp_path, monkeypatch, caplog, call, error, reason, traces):
    monkeypatch.setattr(usb, "Camera", RealTimeCamera)
    monkeypatch.setattr(usb, "scan_devices", lambda: DeviceScan((NODE,)))
    part = Breakable(monkeypatch, RealTimeCamera, call)
    async with served(tmp_path, "v4l2") as daemon:
        await fail_and_recover(daemon, part, error, reason)
    assert tracebacks(caplog) == traces


async def test_bug_while_a_usb_camera_is_opened(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(usb, "Camera", RealTimeCamera)
    monkeypatch.setattr(usb, "scan_devices", lambda: DeviceScan((NODE,)))
    part = Breakable(monkeypatch, RealTimeCamera, "start")
    part.error = struct.error("odd")
    async with served(tmp_path, "v4l2") as daemon:
        await daemon.until("failed", "internal")
        part.error = None
        await daemon.until("live")
    assert tracebacks(caplog) == 1


BOARDS = {
    "software": Board("Raspberry Pi 5", 8 << 30, "", True),
    "hardware": Board("Pi 4", 4 << 30, "/dev/video11", True),
}


@pytest.fixture
def csi(monkeypatch):
    pi = SimulatedPi()
    pi.install(monkeypatch)
    yield pi
    pi.reset()


@pytest.mark.parametrize(
    ("board", "owner", "name"),
    [
        ("software", software, "copy_picture"),  # on picamera2's own thread
        ("software", Encoder, "encode"),
        ("hardware", hardware, "is_keyframe"),  # on the thread of picamera2's encoder
    ],
)
async def test_bug_in_a_csi_camera(tmp_path, csi, monkeypatch, caplog, board, owner, name):
    monkeypatch.setattr(choose, "read_board", lambda: BOARDS[board])
    part = Breakable(monkeypatch, owner, name)
    async with served(tmp_path, "picamera2") as daemon:
        status = await fail_and_recover(daemon, part, KeyError("odd"), "internal")
    assert status["internal_errors"] >= 1
    assert tracebacks(caplog) == 1
    caplog.clear()  # the traceback refers to the camera


async def lose_audio_and_recover(port: int, part: Breakable, error: Exception) -> None:
    """Make a part of the audio raise `error` until the audio is lost, then not any more, with a viewer connected."""
    async with LightViewer(port) as viewer:
        await receive_audio(viewer)
        part.error = error
        await viewer.message("stream", sound="lost")
        packets = viewer.packets
        async with asyncio.timeout(5):
            while viewer.packets < packets + 10:
                await asyncio.sleep(0.01)
        part.error = None
        await receive_audio(viewer)
        assert viewer.gaps == 0


async def receive_audio(viewer: LightViewer) -> None:
    before = viewer.audio_packets
    async with asyncio.timeout(10):
        while viewer.audio_packets < before + 10:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("error", [*BUGS, DISK, LIBAV], ids=lambda error: type(error).__name__)
async def test_error_in_the_test_tone(tmp_path, monkeypatch, caplog, error):
    part = Breakable(monkeypatch, BeepTrack, "frame")
    async with served(tmp_path, "test", "audio.source=test") as daemon:
        await lose_audio_and_recover(daemon.port, part, error)
        assert (await daemon.until("live"))["openings"] == 1
    assert tracebacks(caplog) == (error in BUGS)


async def test_bug_in_a_microphone(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / CONFIG))
    part = Breakable(monkeypatch, microphone.Conditioner, "push")
    with FifoMicrophone(tmp_path).running():
        async with served(tmp_path, "test", "audio.source=alsa", "audio.device=fifo-mono") as daemon:
            await lose_audio_and_recover(daemon.port, part, KeyError("odd"))
    assert tracebacks(caplog) == 1


async def recover_for_viewer(
    daemon: LiveDaemon, break_part: Callable[[], None], repair: Callable[[], None]
) -> dict[str, Any]:
    """Assert that a viewer receives pictures again on the same connection; return the status."""
    async with LightViewer(daemon.port) as viewer:
        await viewer.keyframe()
        break_part()
        await asyncio.sleep(0.3)
        repair()
        packets = viewer.packets
        async with asyncio.timeout(10):
            while viewer.packets < packets + 30:
                await asyncio.sleep(0.01)
        assert viewer.close_code is None
    return await daemon.until("live")


async def test_bug_in_the_packetizer_interrupts_viewers_but_not_the_stream(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(feed, "RESUBSCRIBE_AFTER", 0.05)
    part = Breakable(monkeypatch, Packetizer, "packetize_video")
    async with served(tmp_path, "test") as daemon:
        status = await recover_for_viewer(
            daemon, lambda: setattr(part, "error", KeyError("odd")), lambda: setattr(part, "error", None)
        )
    assert (status["openings"], status["internal_errors"] > 1, tracebacks(caplog)) == (1, True, 1)


async def test_bug_in_the_hub_fails_the_stream_which_recovers(tmp_path, monkeypatch, caplog):
    part = Breakable(monkeypatch, Hub, "publish_video")
    async with served(tmp_path, "test") as daemon:
        status = await fail_and_recover(daemon, part, KeyError("odd"), "internal")
    assert status["internal_errors"] >= 1
    assert tracebacks(caplog) == 1
    assert "handling an item of test-video" in caplog.text
