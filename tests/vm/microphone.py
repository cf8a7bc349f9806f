"""The microphone in the virtual machine: a real ALSA card that is found by name, busy, and unplugged.

The card is the kernel's `snd-aloop`, which records at one end what is played at the other.
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
from tests.edges.devices_rig import Sink, opened, peak_levels

DRIVER = Path("/sys/bus/platform/drivers/snd_aloop")
CARD = "snd_aloop.0"
LIMIT = 60.0
"""Seconds to wait for any event; the virtual machine is slow."""


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
    """Play noise into the other end of the card, which also determines its number of channels."""
    player = ["aplay", "-q", "-D", "hw:CARD=Loopback,DEV=1", "-t", "raw", "-f", "S16_LE", "-r", "48000"]
    process = await asyncio.create_subprocess_exec(*player, "-c", str(channels), "/dev/urandom")
    await asyncio.sleep(1)
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def test_the_card_is_found():
    assert [capture.display_name for capture in find_capture_devices()] == ["Loopback (Loopback)"] * 2


@pytest.mark.parametrize(("device", "channels"), [("", 1), ("Loopback", 2), ("plughw:CARD=Loopback", 2)])
async def test_audio_has_as_many_channels_as_the_card(device, channels):
    async with noise(channels), opened(microphone(device)) as sink:
        frames = await sink.until(20, LIMIT)
    assert {bool(frame.data[0] & 4) for frame in frames} == {channels == 2}  # RFC 6716 §3.1
    assert max(peak_levels(frames)) > 0.1


async def test_a_busy_microphone_error_names_the_process():
    async with noise(1), opened(microphone()) as first:
        await first.until(5, LIMIT)
        async with opened(microphone("Loopback")) as second:
            error = await second.failure(LIMIT)
    assert error.detail.startswith("microphone Loopback (Loopback) is busy: arecord (process ")


async def test_an_unplugged_microphone_is_reported_and_can_be_reopened():
    source = microphone(optional=True)
    async with noise(1), opened(source) as sink:
        await sink.until(5, LIMIT)
        # Returns when all processes have closed the card.
        unbinding = asyncio.create_task(asyncio.to_thread((DRIVER / "unbind").write_text, CARD))
        error = await sink.failure(LIMIT)
    await asyncio.wait_for(unbinding, LIMIT)
    print(error.detail)
    assert error.detail == "microphone Loopback (Loopback) was unplugged"
    sink = Sink()
    await source.open(sink)
    assert isinstance(await sink.failure(LIMIT), SourceAbsent)
    await source.close()
    plug_in()
    async with noise(1), opened(source) as sink:
        await sink.until(5, LIMIT)
