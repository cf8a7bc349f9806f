"""The microphone inside the virtual machine: a real ALSA card, by its name, taken by another program, and unplugged.

The card is the kernel's `snd-aloop`: what is played at one end is recorded at the other.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from broadcaster.devices.clock import SystemClock
from broadcaster.devices.microphone.cards import find_capture_devices
from broadcaster.devices.microphone.source import Microphone
from broadcaster.errors import SourceAbsent
from broadcaster.settings import AudioSettings
from tests.edges.devices_rig import Sink, loudnesses, opened

DRIVER = Path("/sys/bus/platform/drivers/snd_aloop")
CARD = "snd_aloop.0"
SLOW = 60.0
"""Seconds to wait for anything here."""


def microphone(device: str = "", *, optional: bool = False) -> Microphone:
    return Microphone(SystemClock(), AudioSettings(source="alsa", device=device), optional=optional)


def plug_in() -> None:
    if not (DRIVER / CARD).exists():
        (DRIVER / "bind").write_text(CARD)


@pytest.fixture(autouse=True)
def _plugged_in() -> Iterator[None]:
    plug_in()
    yield
    plug_in()


@contextlib.asynccontextmanager
async def noise(channels: int) -> AsyncIterator[None]:
    """Something to hear: the other end sets how many channels the card has."""
    player = ["aplay", "-q", "-D", "hw:CARD=Loopback,DEV=1", "-t", "raw", "-f", "S16_LE", "-r", "48000"]
    process = await asyncio.create_subprocess_exec(*player, "-c", str(channels), "/dev/urandom")
    await asyncio.sleep(1)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def test_the_card_is_found_by_its_name():
    assert [capture.display_name for capture in find_capture_devices()] == ["Loopback (Loopback)"] * 2


@pytest.mark.parametrize(("device", "channels"), [("", 1), ("Loopback", 2), ("plughw:CARD=Loopback", 2)])
async def test_sound_is_heard_in_as_many_channels_as_the_card_has(device, channels):
    async with noise(channels), opened(microphone(device)) as sink:
        frames = await sink.until(20, SLOW)
    assert {bool(frame.data[0] & 4) for frame in frames} == {channels == 2}  # RFC 6716 §3.1
    assert max(loudnesses(frames)) > 0.1


async def test_who_has_it_is_said():
    async with noise(1), opened(microphone()) as first:
        await first.until(5, SLOW)
        async with opened(microphone("Loopback")) as second:
            error = await second.failure(SLOW)
    assert error.detail.startswith("microphone Loopback (Loopback) is busy: arecord (process ")


async def test_it_is_unplugged_and_comes_back():
    source = microphone(optional=True)
    async with noise(1), opened(source) as sink:
        await sink.until(5, SLOW)
        # Ends when everybody has let go of it.
        pulling = asyncio.create_task(asyncio.to_thread((DRIVER / "unbind").write_text, CARD))
        error = await sink.failure(SLOW)
    await asyncio.wait_for(pulling, SLOW)
    print(error.detail)
    assert error.detail == "microphone Loopback (Loopback) was unplugged"
    sink = Sink()
    await source.open(sink)
    assert isinstance(await sink.failure(SLOW), SourceAbsent)
    await source.close()
    plug_in()
    async with noise(1), opened(source) as sink:
        await sink.until(5, SLOW)
