"""The encoder follows the viewers while the stream is live, on a clock that costs no time."""

from __future__ import annotations

import asyncio

from broadcaster.model.stream import AudioState, StreamState, StreamStatus
from broadcaster.ports import VideoTraits
from broadcaster.stream.adaptation import Adaptation
from tests.rigs.timetravel import TravelClock, travel

LOWEST, HIGHEST = 300_000, 2_500_000


class Encoder:
    def __init__(self, *, can_set_bitrate: bool = True) -> None:
        self.traits = VideoTraits("fake", "fake", 640, 360, 30, True, can_set_bitrate)
        self.rates: list[int] = []

    def set_bitrate(self, bits_per_second: int) -> None:
        self.rates.append(bits_per_second)


class AdaptationRig:
    def __init__(self, **traits: bool) -> None:
        self.estimates: dict[str, int] = {}
        self.encoder = Encoder(**traits)
        self.adaptation = Adaptation(lambda: sorted(self.estimates.values()), self.encoder, LOWEST, HIGHEST)

    def viewer(self, name: str, estimate: int) -> None:
        self.estimates[name] = estimate

    def tell(self, state: StreamState) -> None:
        self.adaptation.stream_changed(StreamStatus(state, 0.0, AudioState.ON))


def test_it_looks_only_while_the_stream_is_live():
    async def scenario(clock: TravelClock) -> None:
        rig = AdaptationRig()
        rig.viewer("a", 500_000)
        rig.tell(StreamState.STARTING)
        await asyncio.sleep(5)
        assert rig.encoder.rates == []
        rig.tell(StreamState.LIVE)
        await asyncio.sleep(1.1)
        assert rig.encoder.rates == [450_000]
        rig.tell(StreamState.FAILED)
        await asyncio.sleep(5)
        assert rig.encoder.rates == [450_000]
        rig.tell(StreamState.LIVE)
        assert rig.adaptation.rate == HIGHEST
        rig.adaptation.close()
        rig.adaptation.close()

    travel(scenario)


def test_a_fall_is_followed_at_once_and_a_rise_once_a_second():
    async def scenario(clock: TravelClock) -> None:
        rig = AdaptationRig()
        rig.tell(StreamState.LIVE)
        await asyncio.sleep(1.1)
        rig.viewer("a", 500_000)
        await asyncio.sleep(0.2)
        assert rig.encoder.rates == [450_000]
        rig.viewer("a", 5_000_000)
        await asyncio.sleep(5)
        assert len(rig.encoder.rates) == 1 + 5
        rig.adaptation.close()

    travel(scenario)


def test_a_change_of_sound_does_not_begin_it_anew():
    async def scenario(clock: TravelClock) -> None:
        rig = AdaptationRig()
        rig.viewer("a", 500_000)
        rig.tell(StreamState.LIVE)
        await asyncio.sleep(1.1)
        rig.tell(StreamState.LIVE)
        assert rig.adaptation.rate == 450_000
        rig.adaptation.close()

    travel(scenario)


def test_a_source_with_a_rate_of_its_own_is_left_alone():
    async def scenario(clock: TravelClock) -> None:
        rig = AdaptationRig(can_set_bitrate=False)
        rig.viewer("a", 500_000)
        rig.tell(StreamState.LIVE)
        await asyncio.sleep(3)
        assert rig.encoder.rates == []

    travel(scenario)
