"""Networks that lose packets, get narrow, go away and come back: what a person sees in Chromium behind them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.faults.bystanders import unnoticed
from tests.faults.test_viewers import HEARTBEAT, assert_clean, until_viewers
from tests.rigs.healthy import HealthyViewer
from tests.rigs.light_process import LightProcess
from tests.rigs.namespaces import why_not
from tests.rigs.scene import FULL, Scene, scene
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.seen import broken, flows_after, frozen
from tests.rigs.shaper import Link, shaped
from tests.rigs.stalls import within

ELSEWHERE = "10.98.0.77"
NOTHING = Link(loss=1.0)
SOUNDS = 50
"""Packets of sound a second, when none is lost."""
NARROW = Link(rate=200_000)
WIDE, FALLEN = Link(rate=4_000_000, queue=3.0), Link(rate=500_000, queue=3.0)
"""With queues as deep as those of routers that never drop: what is sent too fast waits."""
LOOK = 0.25
"""Seconds between two looks at what is sent to the browser."""


@pytest.fixture(autouse=True)
def root():
    """Networks of our own, or a reason why not."""
    if reason := why_not():
        pytest.skip(reason)


@pytest.mark.long
async def test_row_2_a_viewer_whose_cable_is_pulled_is_gone_and_nobody_notices(measured):
    async with shaped() as network:
        with network.near.inside():
            async with ScriptedDaemon() as daemon, HealthyViewer(daemon.port) as other:
                await other.keyframe()
                before = await daemon.held()
                async with LightProcess(daemon.port, network=network), unnoticed(other) as seen:
                    network.set(NOTHING)
                    async with within(HEARTBEAT) as took:
                        await until_viewers(daemon, 1)
                    await assert_clean(daemon, before)
                measured("2", f"half-open: gone after {took.seconds:.1f} s, clean 1 s later, {seen}")


@pytest.mark.long
async def test_row_3_the_picture_comes_back_with_the_network(measured):
    async with scene() as here:
        for away, limit in ((2, 2.0), (5, 4.0), (20, 4.0)):
            before = await here.viewer.evaluate("window.testPeers.length")
            await here.during(NOTHING, away)
            pictures, back = await here.during(Link(), limit + 4)
            took = flows_after(pictures, back)
            peers = await here.viewer.evaluate("window.testPeers.length")
            measured("3", f"{away} s: after {took} s ({'a new' if peers > before else 'the same'} peer connection)")
            assert took is not None
            assert took < limit


@pytest.mark.long
async def test_row_4_a_new_address_brings_a_new_way(measured):
    async with scene() as here:
        here.network.move(ELSEWHERE)
        pictures, moved = await here.during(Link(), 9)
        took = flows_after(pictures, moved + 300)  # what was under way may still be shown
        peers = await here.viewer.evaluate("window.testPeers.length")
        sessions = here.daemon.log.count(" joined")
        figure = f"picture after {took if took is None else took + 0.3:.1f} s, {peers - 1} new peer connection"
        measured("4", f"{figure}, {'the same session' if sessions == 1 else 'a new session'}")
        assert took is not None
        assert took + 0.3 < 5


@pytest.mark.long
async def test_row_16_loss_is_repaired(measured):
    async with scene(others=1) as here:
        found = []
        async with unnoticed(*here.others) as seen:
            for loss, most, seconds in ((0.05, 0.01, 20), (0.1, 0.05, 20), (0.2, 0.2, 20)):
                quiet = await here.viewer.inbound("audio")
                pictures, began = await here.during(Link(loss=loss), seconds)
                sound = await here.viewer.inbound("audio")
                after, ended = await here.during(Link(), 4)
                heard = packets_a_second(quiet, sound)
                found.append((loss, frozen(pictures, began, seconds), most, flows_after(after, ended), heard))
                assert packets_a_second(sound, await here.viewer.inbound("audio")) > 0.9 * SOUNDS
        said = [
            f"{loss:.0%}: frozen {share:.1%}, back after {back} s, {heard:.0f} of {SOUNDS} packets of sound a second"
            for loss, share, _, back, heard in found
        ]
        measured("16", f"{'; '.join(said)}; others: {seen}")
        assert all(share <= most for _, share, most, _, _ in found)
        assert all(back is not None and back < 2 for *_, back, _ in found)
        assert all(heard >= (1 - loss) * 0.9 * SOUNDS for loss, *_, heard in found)


def packets_a_second(before: dict[str, Any], after: dict[str, Any]) -> float:
    """Between two reports of the browser."""
    packets: float = after["packetsReceived"] - before["packetsReceived"]
    return packets / (after["timestamp"] - before["timestamp"]) * 1000


@pytest.mark.long
async def test_row_17_the_rate_follows_the_bandwidth(measured):
    async with scene() as here:
        await here.during(WIDE, 3)
        async with watched_sending(here) as sending:
            here.network.set(FALLEN)
            down = await sending.until(lambda rate: rate < 550_000, 15)
            await asyncio.sleep(8)
            here.network.set(WIDE)
            up = await sending.until(lambda rate: rate > 0.8 * FULL, 60)
        trip = max(sending.round_trips.values())
        measured("17", f"down after {down:.1f} s, back after {up:.1f} s, round trip at most {trip * 1000:.0f} ms")
        assert trip < 0.8, sending.round_trips
        assert down <= 3
        assert up <= 40


class Sending:
    """What is sent to the browser, looked at all the time: rate and round trip by seconds since it began."""

    def __init__(self) -> None:
        self.round_trips: dict[float, float] = {}
        self.rates: dict[float, float] = {}

    async def watch(self, here: Scene) -> None:
        """Look until cancelled; rates, in bits a second, are those of the second before."""
        sent: deque[tuple[float, int]] = deque(maxlen=round(1 / LOOK) + 1)
        began = time.monotonic()
        while True:
            figures = await here.figures()
            now = round(time.monotonic() - began, 2)
            if figures:
                sent.append((now, figures["bytes_sent"]))
                self.round_trips[now] = figures["round_trip"] or 0.0
            if len(sent) == sent.maxlen:
                (before, few), (_, many) = sent[0], sent[-1]
                self.rates[now] = (many - few) * 8 / (now - before)
            await asyncio.sleep(LOOK)

    async def until(self, is_so: Callable[[float], bool], limit: float) -> float:
        """Seconds from now until the rate is so."""
        began, seen = time.monotonic(), len(self.rates)
        while time.monotonic() - began < limit:
            if any(map(is_so, list(self.rates.values())[seen + round(1 / LOOK) :])):
                return time.monotonic() - began
            await asyncio.sleep(LOOK / 5)
        raise AssertionError(f"not within {limit:g} s: {self.rates}")


@contextlib.asynccontextmanager
async def watched_sending(here: Scene) -> AsyncIterator[Sending]:
    """Watch while inside."""
    sending = Sending()
    watching = asyncio.create_task(sending.watch(here))
    try:
        yield sending
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


@pytest.mark.long
async def test_row_18_one_slow_viewer_of_five_suffers_alone(measured):
    async with scene(others=4) as here:
        async with unnoticed(*here.others) as seen:
            slow, _ = await here.during(NARROW, 12)
            after, released = await here.during(Link(), 6)
        back = flows_after(after, released)
        damaged = broken(slow + after)
        measured("18", f"others: {seen}; {len(slow)} pictures in 12 s, {damaged} broken, back after {back} s")
        assert damaged == 0
        assert back is not None
        assert back < 4
