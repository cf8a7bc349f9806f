"""The microphone with the real arecord, with a FIFO instead of a sound card."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from broadcaster.devices.clock import SystemClock
from broadcaster.devices.microphone import capture, child, conditioner, sample_clock
from broadcaster.devices.microphone.source import Microphone
from broadcaster.devices.opus import FRAME, FRAME_SAMPLES
from broadcaster.errors import SourceAbsent, SourceError
from broadcaster.media.opus import packet_samples
from broadcaster.model.stream import AudioState, OpusFrame
from broadcaster.settings import AudioSettings
from broadcaster.stream import backoff
from tests.edges.app_rig import served
from tests.edges.devices_rig import Sink, opened, peak_levels, steps
from tests.rigs.fifo_microphone import CONFIG, FifoMicrophone
from tests.rigs.light import LightViewer

TIMEOUT = 5.0
"""Seconds that a busy machine may need for what takes no time."""


def microphone(device: str = "fifo-mono", gain: float = 0.0) -> Microphone:
    return Microphone(SystemClock(), AudioSettings(source="alsa", device=device, gain=gain))


@pytest.fixture
def fifo(tmp_path, monkeypatch):
    def create(**options: float) -> FifoMicrophone:
        card = FifoMicrophone(tmp_path, **options)
        monkeypatch.setenv("ALSA_CONFIG_PATH", card.environment["ALSA_CONFIG_PATH"])
        return card

    return create


def children(parent: int) -> list[int]:
    """Return the ids of the running children of a process."""
    running = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, ppid = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(ppid) == parent and state != "Z":
            running.append(int(stat.parent.name))
    return running


def arecords(parent: int) -> list[int]:
    return [pid for pid in children(parent) if b"arecord" in command_line(pid)]


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def is_running(pid: int) -> bool:
    """Return whether a process exists and is not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(condition) -> None:
    async with asyncio.timeout(TIMEOUT):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("channels", "device"), [(1, "fifo-mono"), (2, "fifo-stereo")])
async def test_audio_arrives_as_opus_and_arecord_ends_on_close(fifo, caplog, channels, device):
    caplog.set_level(logging.INFO)
    source = microphone(device)
    assert source.name == "alsa"
    with fifo(channels=channels).running():
        async with opened(source) as sink:
            frames = (await sink.until(20))[:20]
            now = time.monotonic()
            assert len(arecords(os.getpid())) == 1
        assert arecords(os.getpid()) == []
    assert {packet_samples(frame.data) for frame in frames} == {FRAME_SAMPLES}
    assert {bool(frame.data[0] & 4) for frame in frames} == {channels == 2}  # RFC 6716 §3.1
    assert steps(frames) == pytest.approx([FRAME] * 19, abs=1e-6)
    assert now - TIMEOUT < frames[-1].captured < now
    assert all(level > 0.01 for level in peak_levels(frames)[2:])
    assert source.name == device
    assert f"microphone {device}: recording, {'mono' if channels == 1 else 'stereo'}" in caplog.messages


async def test_gain_is_applied(fifo):
    with fifo().running():
        async with opened(microphone()) as sink:
            normal = peak_levels((await sink.until(10))[:10])[-1]
        async with opened(microphone(gain=-20.0)) as sink:
            attenuated = peak_levels((await sink.until(10))[:10])[-1]
    assert attenuated == pytest.approx(normal / 10, rel=0.2)


@pytest.mark.parametrize("speed", [1.25, 0.9])
async def test_wrong_sample_rate_is_compensated(fifo, speed, monkeypatch):
    """Shows within a second what a real clock error of 200 ppm would take minutes for."""
    monkeypatch.setattr(sample_clock, "WINDOW", 0.1)
    ages: list[float] = []

    class AgeSink(Sink):
        def frame(self, frame: OpusFrame) -> None:
            ages.append(time.monotonic() - frame.captured - FRAME)

    with fifo(speed=speed).running():
        source = microphone()
        await source.open(AgeSink())
        await until(lambda: len(ages) > 50)
        await source.close()
    # Without compensation the times would end 0.25 s in the future, or 0.1 s in the past.
    assert min(ages) > -0.04
    assert min(ages[-20:]) < 0.07


async def test_audio_faster_than_real_time_is_detected(fifo):
    with fifo().running() as card:
        async with opened(microphone()) as sink:
            await sink.until(5)
            card.end()  # then ALSA's null PCM provides samples without pacing
            began = time.monotonic()
            error = await sink.failure()
            assert time.monotonic() - began < TIMEOUT
            assert len(sink.items) < 100
    assert error.detail == "microphone fifo-mono delivers audio faster than real time"


async def test_stalled_card_is_detected(fifo, monkeypatch):
    monkeypatch.setattr(capture, "STALL_LIMIT", 0.3)
    with fifo().running() as card:
        async with opened(microphone()) as sink:
            await sink.until(5)
            card.stall()
            error = await sink.failure()
            assert error.detail == "microphone fifo-mono has delivered no sample for 0.3 s"
            await until(lambda: not arecords(os.getpid()))


async def test_close_ends_arecord_that_hangs_in_open(fifo):
    fifo()  # without a writer: arecord blocks in open(2)
    source, sink = microphone(), Sink()
    await source.open(sink)
    await until(lambda: arecords(os.getpid()))
    began = time.monotonic()
    await source.close()
    assert time.monotonic() - began < TIMEOUT
    assert arecords(os.getpid()) == []
    assert sink.errors == []


async def test_recording_that_cannot_be_ended_costs_one_thread(fifo, monkeypatch):
    """A process in uninterruptible sleep cannot be killed."""
    monkeypatch.setattr("broadcaster.devices.thread.JOIN_LIMIT", 0.1)
    close, ended, calls = child.ChildProcess.close, threading.Event(), []

    def hang(self: child.ChildProcess) -> None:
        calls.append(self)
        assert ended.wait(60)
        close(self)

    source = microphone()
    with fifo().running():
        async with opened(source) as sink:
            await sink.until(3)
            monkeypatch.setattr(child.ChildProcess, "close", hang)
        for _ in range(3):
            with pytest.raises(SourceError, match="hangs: unplug it and plug it in again"):
                await source.open(Sink())
            await source.close()
        assert len(calls) == 1
        ended.set()
        await until(lambda: source._thread is None or not source._thread.is_running)
        async with opened(source) as sink:
            await sink.until(3)


async def test_unknown_device_lists_present_ones():
    async with opened(microphone("Mikrofon")) as sink:
        error = await sink.failure()
    assert error.detail.startswith("no microphone 'Mikrofon' (audio.device); ")
    assert "capture device" in error.detail


async def test_missing_device_is_absence_only_if_optional(monkeypatch):
    monkeypatch.setattr("broadcaster.devices.microphone.source.find_capture_devices", list)
    for optional in (True, False):
        async with opened(Microphone(SystemClock(), AudioSettings(), optional=optional)) as sink:
            error = await sink.failure()
        assert isinstance(error, SourceAbsent) is optional
        assert "is a microphone plugged in?" in error.detail


async def test_missing_arecord_is_reported_with_the_package(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    async with opened(microphone()) as sink:
        error = await sink.failure()
    assert error.detail == "arecord is not installed: sudo apt install alsa-utils"


async def test_microphone_is_lost_and_recovered_while_video_continues(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(backoff, "FIRST_DELAY", 0.2)
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / CONFIG))
    audio_settings = ("audio.source=alsa", "audio.device=fifo-mono")
    async with served(tmp_path, "test", *audio_settings) as daemon, LightViewer(daemon.port) as viewer:
        await viewer.keyframe()
        await wait_for_audio_state(viewer, AudioState.LOST)
        with FifoMicrophone(tmp_path).running():
            await wait_for_audio_state(viewer, AudioState.ON)
            await until(lambda: viewer.audio_packets > 10)
            (arecord,) = arecords(os.getpid())
            viewer.messages = [message for message in viewer.messages if message["type"] == "offer"]
            os.kill(arecord, signal.SIGKILL)
            await wait_for_audio_state(viewer, AudioState.LOST)
            await wait_for_audio_state(viewer, AudioState.ON)
            count = viewer.audio_packets
            await until(lambda: viewer.audio_packets > count + 10)
        assert [message["type"] for message in viewer.messages].count("offer") == 1
        assert viewer.gaps == 0
    assert "no audio: no microphone 'fifo-mono' (audio.device); " in caplog.text
    assert "no audio: microphone fifo-mono: arecord ended without an error message; retrying" in caplog.text


async def wait_for_audio_state(viewer: LightViewer, state: AudioState) -> None:
    """Wait until the viewer has received that state, in a `stream` message or in its `welcome`."""
    async with asyncio.timeout(3 * TIMEOUT):
        while not any(message.get("stream", message).get("sound") == state for message in viewer.messages):
            await asyncio.sleep(0.01)


async def test_zeros_are_not_delivered_until_there_is_audio(fifo, monkeypatch, caplog):
    monkeypatch.setattr(conditioner, "SILENCE_LIMIT", 0.2)
    with fifo().running() as card:
        tone, card.block = card.block, bytes(960)
        async with opened(microphone()) as sink:
            await sink.until(3)
            await until(lambda: caplog.messages)
            count = len(sink.items)
            await asyncio.sleep(0.1)
            assert len(sink.items) <= count + 1
            card.block = tone
            await sink.until(count + 5)
    assert ["only zeros" in message for message in caplog.messages] == [True]


DAEMON = """
import asyncio
from broadcaster.devices.clock import SystemClock
from broadcaster.devices.microphone.source import Microphone
from broadcaster.settings import AudioSettings

class Sink:
    def frame(self, frame): print("audio", flush=True)
    def failed(self, error): print(error, flush=True)

async def main():
    await Microphone(SystemClock(), AudioSettings(device="fifo-mono")).open(Sink())
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_arecord_does_not_outlive_a_killed_daemon(fifo):
    with fifo().running():
        daemon = subprocess.Popen([sys.executable, "-c", DAEMON], stdout=subprocess.PIPE)
        try:
            assert daemon.stdout.readline() == b"audio\n"
            (orphan,) = arecords(daemon.pid)
        finally:
            daemon.kill()
            daemon.communicate()
        deadline = time.monotonic() + TIMEOUT
        while is_running(orphan):
            assert time.monotonic() < deadline
            time.sleep(0.01)
