"""The microphone, by the real arecord, over a FIFO instead of a sound card."""

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
from tests.edges.devices_rig import Sink, loudnesses, opened, steps
from tests.rigs.fifo_microphone import CONFIG, FifoMicrophone
from tests.rigs.light import LightViewer

LATE = 5.0
"""Seconds that a busy machine may take for what takes no time."""


def microphone(device: str = "fifo-mono", gain: float = 0.0) -> Microphone:
    return Microphone(SystemClock(), AudioSettings(source="alsa", device=device, gain=gain))


@pytest.fixture
def fifo(tmp_path, monkeypatch):
    def make(**how: float) -> FifoMicrophone:
        made = FifoMicrophone(tmp_path, **how)
        monkeypatch.setenv("ALSA_CONFIG_PATH", made.environment["ALSA_CONFIG_PATH"])
        return made

    return make


def children(of: int) -> list[int]:
    """Processes of that parent that run, by their ids."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if int(parent) == of and state != "Z":
            found.append(int(stat.parent.name))
    return found


def arecords(of: int) -> list[int]:
    return [pid for pid in children(of) if b"arecord" in command(pid)]


def command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def is_running(pid: int) -> bool:
    """Not gone, and not only waiting for its new parent to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def until(true) -> None:
    async with asyncio.timeout(LATE):
        while not true():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(("channels", "device"), [(1, "fifo-mono"), (2, "fifo-stereo")])
async def test_sound_arrives_as_opus_and_arecord_goes_when_it_is_closed(fifo, caplog, channels, device):
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
    assert now - LATE < frames[-1].captured < now
    assert all(loudness > 0.01 for loudness in loudnesses(frames)[2:])
    assert source.name == device
    assert f"microphone {device}: recording, {'mono' if channels == 1 else 'stereo'}" in caplog.messages


async def test_gain_is_applied(fifo):
    with fifo().running():
        async with opened(microphone()) as sink:
            plain = loudnesses((await sink.until(10))[:10])[-1]
        async with opened(microphone(gain=-20.0)) as sink:
            softer = loudnesses((await sink.until(10))[:10])[-1]
    assert softer == pytest.approx(plain / 10, rel=0.2)


@pytest.mark.parametrize("speed", [1.25, 0.9])
async def test_a_skewed_card_stays_in_step_with_the_picture(fifo, speed, monkeypatch):
    """So much is no drift, but shows within a second what 200 parts in a million take minutes for."""
    monkeypatch.setattr(sample_clock, "WINDOW", 0.1)
    ages: list[float] = []

    class Ages(Sink):
        def frame(self, frame: OpusFrame) -> None:
            ages.append(time.monotonic() - frame.captured - FRAME)

    with fifo(speed=speed).running():
        source = microphone()
        await source.open(Ages())
        await until(lambda: len(ages) > 50)
        await source.close()
    # Believing the card would end 0.25 s in the future, or 0.1 s in the past.
    assert min(ages) > -0.04
    assert min(ages[-20:]) < 0.07


async def test_a_writer_that_is_gone_runs_free_and_is_noticed(fifo):
    with fifo().running() as card:
        async with opened(microphone()) as sink:
            await sink.until(5)
            card.end()
            began = time.monotonic()
            error = await sink.failure()
            assert time.monotonic() - began < LATE
            assert len(sink.items) < 100
    assert error.detail == "microphone fifo-mono delivers audio faster than real time"


async def test_a_card_that_stalls_is_noticed(fifo, monkeypatch):
    monkeypatch.setattr(capture, "STALL_LIMIT", 0.3)
    with fifo().running() as card:
        async with opened(microphone()) as sink:
            await sink.until(5)
            card.stall()
            error = await sink.failure()
            assert error.detail == "microphone fifo-mono has delivered no sample for 0.3 s"
            await until(lambda: not arecords(os.getpid()))


async def test_a_card_that_hangs_when_it_is_opened_is_left(fifo):
    fifo()  # and nobody writes: arecord waits inside of open
    source, sink = microphone(), Sink()
    await source.open(sink)
    await until(lambda: arecords(os.getpid()))
    began = time.monotonic()
    await source.close()
    assert time.monotonic() - began < LATE
    assert arecords(os.getpid()) == []
    assert sink.errors == []


async def test_a_recording_that_cannot_be_ended_costs_one_thread_however_often_it_is_tried(fifo, monkeypatch):
    """A process that waits for its device in the kernel cannot be killed."""
    monkeypatch.setattr("broadcaster.devices.thread.JOIN_LIMIT", 0.1)
    ours, ended, asked = child.ChildProcess.close, threading.Event(), []

    def hang(self: child.ChildProcess) -> None:
        asked.append(self)
        assert ended.wait(60)
        ours(self)

    source = microphone()
    with fifo().running():
        async with opened(source) as sink:
            await sink.until(3)
            monkeypatch.setattr(child.ChildProcess, "close", hang)
        for _ in range(3):
            with pytest.raises(SourceError, match="hangs: unplug it and plug it in again"):
                await source.open(Sink())
            await source.close()
        assert len(asked) == 1
        ended.set()
        await until(lambda: source._thread is None or not source._thread.is_running)
        async with opened(source) as sink:
            await sink.until(3)


async def test_a_wrong_name_lists_what_there_is():
    async with opened(microphone("Mikrofon")) as sink:
        error = await sink.failure()
    assert error.detail.startswith("no microphone 'Mikrofon' (audio.device); ")
    assert "capture device" in error.detail


async def test_no_device_at_all_is_absence_only_when_none_was_asked_for(monkeypatch):
    monkeypatch.setattr("broadcaster.devices.microphone.source.find_capture_devices", list)
    for optional in (True, False):
        async with opened(Microphone(SystemClock(), AudioSettings(), optional=optional)) as sink:
            error = await sink.failure()
        assert isinstance(error, SourceAbsent) is optional
        assert "is a microphone plugged in?" in error.detail


async def test_without_arecord_it_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    async with opened(microphone()) as sink:
        error = await sink.failure()
    assert error.detail == "arecord is not installed: sudo apt install alsa-utils"


async def test_a_microphone_comes_goes_and_comes_while_the_video_goes_on(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(backoff, "FIRST_DELAY", 0.2)
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(tmp_path / CONFIG))
    sound = ("audio.source=alsa", "audio.device=fifo-mono")
    async with served(tmp_path, "test", *sound) as daemon, LightViewer(daemon.port) as viewer:
        await viewer.keyframe()
        await told(viewer, AudioState.LOST)
        with FifoMicrophone(tmp_path).running():
            await told(viewer, AudioState.ON)
            await until(lambda: viewer.audio_packets > 10)
            (arecord,) = arecords(os.getpid())
            viewer.messages = [message for message in viewer.messages if message["type"] == "offer"]
            os.kill(arecord, signal.SIGKILL)
            await told(viewer, AudioState.LOST)
            await told(viewer, AudioState.ON)
            heard = viewer.audio_packets
            await until(lambda: viewer.audio_packets > heard + 10)
        assert [message["type"] for message in viewer.messages].count("offer") == 1
        assert viewer.gaps == 0
    assert "no audio: no microphone 'fifo-mono' (audio.device); " in caplog.text
    assert "no audio: microphone fifo-mono: arecord ended without an error message; retrying" in caplog.text


async def told(viewer: LightViewer, sound: AudioState) -> None:
    """Wait until the viewer has been told so; or it was so when it came."""
    async with asyncio.timeout(3 * LATE):
        while not any(message.get("stream", message).get("sound") == sound for message in viewer.messages):
            await asyncio.sleep(0.01)


async def test_a_card_that_gives_only_zeros_is_silence_until_it_is_not(fifo, monkeypatch, caplog):
    monkeypatch.setattr(conditioner, "SILENCE_LIMIT", 0.2)
    with fifo().running() as card:
        sound, card._sound = card._sound, bytes(960)
        async with opened(microphone()) as sink:
            await sink.until(3)
            await until(lambda: caplog.messages)
            heard = len(sink.items)
            await asyncio.sleep(0.1)
            assert len(sink.items) <= heard + 1
            card._sound = sound
            await sink.until(heard + 5)
    assert ["only zeros" in message for message in caplog.messages] == [True]


DAEMON = """
import asyncio
from broadcaster.devices.clock import SystemClock
from broadcaster.devices.microphone.source import Microphone
from broadcaster.settings import AudioSettings

class Sink:
    def frame(self, frame): print("sound", flush=True)
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
            assert daemon.stdout.readline() == b"sound\n"
            (orphan,) = arecords(daemon.pid)
        finally:
            daemon.kill()
            daemon.communicate()
        deadline = time.monotonic() + LATE
        while is_running(orphan):
            assert time.monotonic() < deadline
            time.sleep(0.01)
