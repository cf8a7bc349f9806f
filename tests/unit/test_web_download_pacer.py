"""How fast recordings are downloaded: slower as soon as viewers get less, and together never faster than allowed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.devices.fakes.clock import FakeClock
from broadcaster.model.stats import Capacity, RenditionStats, Traffic
from broadcaster.web.download_pacer import (
    INTERVAL,
    MAX_RATE,
    MIN_RATE,
    START_RATE,
    DownloadPacer,
    DownloadRate,
    ViewerState,
    viewer_state,
)

NOBODY = ViewerState(0)


class Viewers:
    """Ten viewers, whose totals grow by what they get in each interval."""

    def __init__(self) -> None:
        self.state = ViewerState(10, bitrate=2_500_000)

    def after(self, *, lost: int = 0, skipped: int = 0, bitrate: int = 2_500_000, small: int = 0) -> ViewerState:
        """Return the state an interval later; `lost` of 1000 packets are sent again."""
        before = self.state
        self.state = ViewerState(
            10, before.packets + 1000, before.retransmitted + lost, before.skipped + skipped, bitrate, small
        )
        return self.state


def test_nobody_watches():
    rate = DownloadRate(NOBODY)
    assert (rate.rate, rate.is_shared) == (MAX_RATE, False)
    rate.update(NOBODY)
    assert rate.rate == MAX_RATE


def test_rate_rises_while_viewers_get_everything():
    viewers = Viewers()
    rate = DownloadRate(viewers.state)
    assert (rate.rate, rate.is_shared) == (START_RATE, True)
    seconds = 0
    while rate.rate < MAX_RATE:
        rate.update(viewers.after(lost=20))  # as many as any wireless network loses
        seconds += 1
    assert seconds <= 8


@pytest.mark.parametrize("worse", [{"lost": 40}, {"skipped": 1}, {"bitrate": 2_400_000}, {"small": 1}])
def test_rate_falls_at_once_when_viewers_get_less(worse):
    viewers = Viewers()
    rate = DownloadRate(viewers.state)
    rate.update(viewers.after(**worse))
    assert rate.rate == START_RATE / 2
    worse.pop("lost", 0), worse.pop("skipped", 0)
    risen = []
    for _ in range(20):
        rate.update(viewers.after(**worse))
        risen.append(rate.rate)
    assert risen[0] == START_RATE / 2 * 1.25
    assert risen[3] == pytest.approx(START_RATE * 0.8 * 1.02)  # slowly, from a little below where it was too much
    assert risen[-1] == pytest.approx(START_RATE * 0.8 * 1.02**17)


def test_what_lasts_at_the_lowest_rate_has_another_reason():
    viewers = Viewers()
    rate = DownloadRate(viewers.state)
    for _ in range(10):
        rate.update(viewers.after(lost=100, skipped=4))
    assert rate.rate > MIN_RATE
    before = rate.rate
    rate.update(viewers.after(lost=100, skipped=4))
    assert rate.rate >= before
    rate.update(viewers.after(lost=100, skipped=7))
    assert rate.rate < before


def test_viewers_come_and_leave():
    rate, viewers = DownloadRate(NOBODY), Viewers()
    rate.update(viewers.after())
    assert (rate.rate, rate.is_shared) == (START_RATE, True)
    rate.update(NOBODY)
    assert (rate.rate, rate.is_shared) == (MAX_RATE, False)


@given(
    st.lists(
        st.builds(
            ViewerState, st.integers(0, 3), *[st.integers(0, 1000)] * 3, st.integers(0, 10**7), st.integers(0, 3)
        ),
        min_size=1,
    )
)
def test_rate_stays_within_its_limits_whatever_the_viewers_report(states):
    rate = DownloadRate(states[0])
    for state in states[1:]:
        rate.update(state)
        assert MIN_RATE <= rate.rate <= MAX_RATE
        assert rate.is_shared == (state.viewers > 0)


def test_uplink_is_used_and_viewers_seldom_suffer():
    """The uplink has 2 MB/s for downloads; what is more costs the viewers packets."""
    uplink, viewers = 2_000_000.0, Viewers()
    rate = DownloadRate(viewers.state)
    rates, bad = [], 0
    for _ in range(300):
        excess = max(rate.rate - uplink, 0) / uplink
        bad += excess > 0.05
        rates.append(rate.rate)
        rate.update(viewers.after(lost=round(min(excess * 1000, 900)), skipped=round(excess * 10)))
    assert bad < 30
    assert sum(rates) / len(rates) > 0.75 * uplink


class Downloads:
    """A pacer whose time passes only while downloads sleep."""

    def __init__(self, state: ViewerState) -> None:
        self.clock = FakeClock(0.0)
        self.state = state
        self.asked = 0
        self.pacer = DownloadPacer(self._ask, self.clock.monotonic, self._sleep)

    def _ask(self) -> ViewerState:
        self.asked += 1
        return self.state

    async def _sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)


async def test_download_has_the_highest_rate_if_nobody_watches():
    downloads = Downloads(NOBODY)
    with downloads.pacer.download() as download, downloads.pacer.download():
        await download.sent(0)
        block = download.block
        for _ in range(400):
            await download.sent(block)
    assert downloads.clock.monotonic() == pytest.approx(400 * block / MAX_RATE)


async def test_downloads_share_the_rate_while_somebody_watches():
    downloads = Downloads(Viewers().state)
    with downloads.pacer.download() as first, downloads.pacer.download() as second:
        await first.sent(0)
        assert first.block < 100_000
        sent = 0
        while downloads.clock.monotonic() < INTERVAL * 0.9:
            await first.sent(first.block)
            sent += first.block
        assert sent == pytest.approx(START_RATE / 2 * 0.9, rel=0.05)
        assert second.block == first.block
    with downloads.pacer.download() as alone:
        began, size = downloads.clock.monotonic(), START_RATE // 10
        await alone.sent(size)
        assert downloads.clock.monotonic() - began == pytest.approx(0.1)


async def test_viewers_are_looked_at_once_a_second():
    downloads = Downloads(Viewers().state)
    with downloads.pacer.download() as download:
        while downloads.clock.monotonic() < 10 * INTERVAL:
            await download.sent(10_000)
    assert downloads.asked == pytest.approx(11, abs=1)


async def test_slow_client_makes_up_for_a_second_only():
    downloads = Downloads(NOBODY)
    with downloads.pacer.download() as download:
        await download.sent(1000)
        downloads.clock.advance(60)
        began = downloads.clock.monotonic()
        await download.sent(MAX_RATE)
        assert downloads.clock.monotonic() == began
        await download.sent(MAX_RATE)
        assert downloads.clock.monotonic() == pytest.approx(began + 1)


def test_state_of_the_viewers_is_that_of_capacity():
    traffic = Traffic(packets=7, retransmitted=3, pictures_skipped=2)
    small = RenditionStats(4, 320, 180, 100_000, 100_000)
    capacity = Capacity(4, 5, 1.0, 2.0, overloaded=False, traffic=traffic, renditions={"small": small})
    assert viewer_state(9, capacity) == ViewerState(9, 7, 3, 2, 5, 4)
