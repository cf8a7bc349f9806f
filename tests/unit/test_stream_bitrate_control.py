"""The encoder's bit rate follows the viewers while the stream is live."""

from __future__ import annotations

import asyncio

from broadcaster.model.stream import AudioState, Quality, StreamState, StreamStatus
from broadcaster.ports import VideoTraits
from broadcaster.stream.bitrate import BitrateControl
from broadcaster.stream.rendition import Rendition
from tests.rigs.timetravel import TravelClock, travel

LOWEST, HIGHEST = 300_000, 2_500_000


class Encoder:
    def __init__(self, *, can_set_bitrate: bool = True) -> None:
        self.traits = VideoTraits("fake", "fake", 640, 360, 30, True, can_set_bitrate)
        self.rates: list[int] = []

    def set_bitrate(self, bits_per_second: int, quality: Quality = Quality.FULL) -> None:
        self.rates.append(bits_per_second)


class BitrateDriver:
    def __init__(self, **traits: bool) -> None:
        self.estimates: dict[str, int] = {}
        self.encoder = Encoder(**traits)
        self.control = BitrateControl(
            lambda: sorted(self.estimates.values()), Rendition(), self.encoder, LOWEST, HIGHEST
        )

    def viewer(self, name: str, estimate: int) -> None:
        self.estimates[name] = estimate

    def stream_is(self, state: StreamState) -> None:
        self.control.stream_changed(StreamStatus(state, 0.0, AudioState.ON))


def test_rate_is_adapted_only_while_the_stream_is_live():
    async def scenario(clock: TravelClock) -> None:
        driver = BitrateDriver()
        driver.viewer("a", 500_000)
        driver.stream_is(StreamState.STARTING)
        await asyncio.sleep(5)
        assert driver.encoder.rates == []
        driver.stream_is(StreamState.LIVE)
        await asyncio.sleep(1.1)
        assert driver.encoder.rates == [450_000]
        driver.stream_is(StreamState.FAILED)
        await asyncio.sleep(5)
        assert driver.encoder.rates == [450_000]
        driver.stream_is(StreamState.LIVE)
        assert driver.control.rate == HIGHEST
        driver.control.close()
        driver.control.close()

    travel(scenario)


def test_fall_is_followed_at_once_and_rise_once_a_second():
    async def scenario(clock: TravelClock) -> None:
        driver = BitrateDriver()
        driver.stream_is(StreamState.LIVE)
        await asyncio.sleep(1.1)
        driver.viewer("a", 500_000)
        await asyncio.sleep(0.2)
        assert driver.encoder.rates == [450_000]
        driver.viewer("a", 5_000_000)
        await asyncio.sleep(5)
        assert len(driver.encoder.rates) == 1 + 5
        driver.control.close()

    travel(scenario)


def test_change_of_audio_state_does_not_restart_the_rule():
    async def scenario(clock: TravelClock) -> None:
        driver = BitrateDriver()
        driver.viewer("a", 500_000)
        driver.stream_is(StreamState.LIVE)
        await asyncio.sleep(1.1)
        driver.stream_is(StreamState.LIVE)
        assert driver.control.rate == 450_000
        driver.control.close()

    travel(scenario)


def test_source_with_fixed_bit_rate_is_left_alone():
    async def scenario(clock: TravelClock) -> None:
        driver = BitrateDriver(can_set_bitrate=False)
        driver.viewer("a", 500_000)
        driver.stream_is(StreamState.LIVE)
        await asyncio.sleep(3)
        assert driver.encoder.rates == []

    travel(scenario)
