"""Networks with loss, low bandwidth and outages: what Chromium shows behind them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.faults.continuity import uninterrupted
from tests.faults.waiting import HEARTBEAT_LIMIT, assert_clean, until_viewers
from tests.rigs.healthy import HealthyViewer
from tests.rigs.light_process import LightProcess
from tests.rigs.namespaces import unavailable
from tests.rigs.presented import broken_frames, frozen_fraction, seconds_until_fluent
from tests.rigs.scene import FULL, Scene, scene
from tests.rigs.scripted import ScriptedDaemon
from tests.rigs.shaper import Link, shaped
from tests.rigs.stalls import within

NEW_ADDRESS = "10.98.0.77"
DOWN = Link(loss=1.0)
AUDIO_RATE = 50
"""Audio packets per second without loss."""
NARROW = Link(rate=200_000)
FAST, SLOW = Link(rate=4_000_000, queue=3.0), Link(rate=500_000, queue=3.0)
"""With deep queues, as in routers with bufferbloat: packets that are sent too fast wait."""
POLL_INTERVAL = 0.25
"""Seconds between two polls of what is sent to the browser."""


@pytest.fixture(autouse=True)
def _needs_namespaces():
    """Skip the tests where network namespaces cannot be created."""
    if reason := unavailable():
        pytest.skip(reason)


@pytest.mark.long
async def test_row_2_half_open_viewer_is_removed_without_affecting_others(record):
    async with shaped() as network:
        with network.near.inside():
            async with ScriptedDaemon() as daemon, HealthyViewer(daemon.port) as other:
                await other.keyframe()
                before = await daemon.resources()
                async with LightProcess(daemon.port, network=network), uninterrupted(other) as continuity:
                    network.set(DOWN)
                    async with within(HEARTBEAT_LIMIT) as took:
                        await until_viewers(daemon, 1)
                    await assert_clean(daemon, before)
                record("2", f"half-open: closed after {took.seconds:.1f} s, clean 1 s later, {continuity}")


@pytest.mark.long
async def test_row_3_video_resumes_with_the_network(record):
    async with scene() as here:
        for seconds_down, limit in ((2, 2.0), (5, 4.0), (20, 4.0)):
            before = await here.viewer.evaluate("window.testPeers.length")
            await here.during(DOWN, seconds_down)
            frames, restored = await here.during(Link(), limit + 4)
            took = seconds_until_fluent(frames, restored)
            peers = await here.viewer.evaluate("window.testPeers.length")
            record("3", f"{seconds_down} s: after {took} s ({'new' if peers > before else 'same'} peer connection)")
            assert took is not None
            assert took < limit


@pytest.mark.long
async def test_row_4_video_resumes_after_a_change_of_address(record):
    async with scene() as here:
        here.network.move(NEW_ADDRESS)
        frames, moved = await here.during(Link(), 9)
        took = seconds_until_fluent(frames, moved + 300)  # frames in flight may still be shown
        peers = await here.viewer.evaluate("window.testPeers.length")
        sessions = here.daemon.log.count(" joined")
        result = f"video after {took if took is None else took + 0.3:.1f} s, {peers - 1} new peer connections"
        record("4", f"{result}, {'same session' if sessions == 1 else 'new session'}")
        assert took is not None
        assert took + 0.3 < 5


@pytest.mark.long
async def test_row_16_packet_loss_is_repaired(record):
    async with scene(others=1) as here:
        results = []
        async with uninterrupted(*here.others) as continuity:
            for loss, limit, seconds in ((0.05, 0.01, 20), (0.1, 0.05, 20), (0.2, 0.2, 20)):
                before = await here.viewer.inbound("audio")
                frames, began = await here.during(Link(loss=loss), seconds)
                during = await here.viewer.inbound("audio")
                after, ended = await here.during(Link(), 4)
                audio = packets_per_second(before, during)
                frozen, fluent = frozen_fraction(frames, began, seconds), seconds_until_fluent(after, ended)
                results.append((loss, frozen, limit, fluent, audio))
                assert packets_per_second(during, await here.viewer.inbound("audio")) > 0.9 * AUDIO_RATE
        texts = [
            f"{loss:.0%}: frozen {fraction:.1%}, fluent after {fluent} s,"
            f" {audio:.0f} of {AUDIO_RATE} audio packets per second"
            for loss, fraction, _, fluent, audio in results
        ]
        record("16", f"{'; '.join(texts)}; other viewers: {continuity}")
        assert all(fraction <= limit for _, fraction, limit, _, _ in results)
        assert all(fluent is not None and fluent < 2 for *_, fluent, _ in results)
        assert all(audio >= (1 - loss) * 0.9 * AUDIO_RATE for loss, *_, audio in results)


def packets_per_second(before: dict[str, Any], after: dict[str, Any]) -> float:
    """Return the packet rate between two statistics reports of the browser."""
    packets: float = after["packetsReceived"] - before["packetsReceived"]
    return packets / (after["timestamp"] - before["timestamp"]) * 1000


DRAINED = 8.0
"""Seconds after a fall from which on no queue may be left. What is sent until a browser has noticed the fall (0.4 to
0.8 s) makes a queue of up to 3 s, whatever the sender does then; a report may or may not happen to see it."""


@pytest.mark.long
async def test_row_17_bit_rate_follows_the_bandwidth(record):
    async with scene() as here:
        await here.during(FAST, 3)
        async with send_monitor(here) as monitor:
            here.network.set(SLOW)
            down = await monitor.until(lambda rate: rate < 550_000, 15)
            await asyncio.sleep(8)
            here.network.set(FAST)
            up = await monitor.until(lambda rate: rate > 0.8 * FULL, 60)
        queue = [round_trip for at, round_trip in monitor.round_trips.items() if at >= DRAINED]
        peak = max(monitor.round_trips.values())
        times = f"reduced after {down:.1f} s, back after {up:.1f} s"
        record("17", f"{times}, round-trip time at most {peak * 1000:.0f} ms, then {max(queue) * 1000:.0f} ms")
        assert max(queue) < 0.8, monitor.round_trips
        assert down <= 3
        assert up <= 30


class SendMonitor:
    """Polls what is sent to the browser: bit rate and round-trip time by seconds since the start."""

    def __init__(self) -> None:
        self.round_trips: dict[float, float] = {}
        self.rates: dict[float, float] = {}

    async def watch(self, here: Scene) -> None:
        """Poll until cancelled; rates, in bits per second, are averaged over the previous second."""
        sent: deque[tuple[float, int]] = deque(maxlen=round(1 / POLL_INTERVAL) + 1)
        began = time.monotonic()
        while True:
            stats = await here.stats()
            now = round(time.monotonic() - began, 2)
            if stats:
                sent.append((now, stats["bytes_sent"]))
                self.round_trips[now] = stats["round_trip"] or 0.0
            if len(sent) == sent.maxlen:
                (start, bytes_before), (_, bytes_after) = sent[0], sent[-1]
                self.rates[now] = (bytes_after - bytes_before) * 8 / (now - start)
            await asyncio.sleep(POLL_INTERVAL)

    async def until(self, condition: Callable[[float], bool], limit: float) -> float:
        """Return the seconds until the bit rate meets `condition`."""
        began, known = time.monotonic(), len(self.rates)
        while time.monotonic() - began < limit:
            if any(map(condition, list(self.rates.values())[known + round(1 / POLL_INTERVAL) :])):
                return time.monotonic() - began
            await asyncio.sleep(POLL_INTERVAL / 5)
        raise AssertionError(f"not within {limit:g} s: {self.rates}")


@contextlib.asynccontextmanager
async def send_monitor(here: Scene) -> AsyncIterator[SendMonitor]:
    """Monitor inside the block."""
    monitor = SendMonitor()
    watching = asyncio.create_task(monitor.watch(here))
    try:
        yield monitor
    finally:
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


@pytest.mark.long
async def test_row_18_slow_viewer_does_not_affect_others(record):
    async with scene(others=4) as here:
        async with uninterrupted(*here.others) as continuity:
            slow, _ = await here.during(NARROW, 12)
            after, released = await here.during(Link(), 6)
        fluent = seconds_until_fluent(after, released)
        broken = broken_frames(slow + after)
        record(
            "18", f"other viewers: {continuity}; {len(slow)} frames in 12 s, {broken} broken, fluent after {fluent} s"
        )
        assert broken == 0
        assert fluent is not None
        assert fluent < 4
