"""The fan-out: who gets which pictures, and in what order."""

import asyncio
import itertools
from dataclasses import dataclass, field

import pytest

from broadcaster.delivery.congestion import ViewerHealth
from broadcaster.delivery.fanout import VIEWERS_AT_ONCE, Fanout
from broadcaster.delivery.ramp_up import GROWS_WITHIN
from broadcaster.media.rtp import Packetizer, RtpStream
from broadcaster.model.stats import ReceiverReport
from broadcaster.model.stream import AccessUnit, OpusFrame
from broadcaster.ports import VideoTraits
from broadcaster.stream.hub import Hub

SPS_PPS = b"\0\0\0\1\x67\x42\0\0\0\1\x68\xce"


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now

    def unix(self) -> float:
        return self.now


_hosts = itertools.count(1)


@dataclass
class Sender:
    """Notes the number that `picture` put into each picture."""

    listening: bool = True
    pictures: list[int] = field(default_factory=list)
    sounds: int = 0
    broken: bool = False
    told: int = 0
    network: str = field(default_factory=lambda: f"192.0.2.{next(_hosts)}")

    def is_listening(self, now: float) -> bool:
        return self.listening

    def send_video(self, frame, first, end, now) -> int:
        if self.broken:
            raise OSError("nobody foresaw this")
        if end == len(frame):
            self.pictures.append(frame.payloads[-1][1])
        return end - first

    def send_audio(self, frame) -> None:
        self.sounds += 1

    def broke(self) -> None:
        self.told += 1


class Source:
    def __init__(self, can_force: bool = True) -> None:
        self.traits = VideoTraits("fake", "fake", 640, 360, 30, can_force, False)
        self.requests = 0

    def request_keyframe(self) -> None:
        self.requests += 1


@dataclass
class FanoutRig:
    clock: Clock = field(default_factory=Clock)
    source: Source = field(default_factory=Source)
    number: int = 0

    def __post_init__(self) -> None:
        self.hub = Hub(self.clock)
        self.fanout = Fanout(self.hub, Packetizer(RtpStream(1, 101, "0"), RtpStream(2, 96, "1")), self.clock)
        self.fanout.open()
        self.hub.attach(self.source)

    def join(self, viewer: str, **kwargs) -> Sender:
        sender = Sender(**kwargs)
        self.fanout.subscribe(viewer, sender)
        return sender

    def picture(self, *, key: bool = False, size: int = 0, after: float = 1 / 30) -> int:
        self.clock.now += after
        self.number += 1
        body = (b"\0\0\0\1\x65" if key else b"\0\0\0\1\x41") + bytes([self.number]) + b"x" * size
        self.hub.publish_video(AccessUnit((SPS_PPS if key else b"") + body, self.clock.now, key))
        return self.number


@pytest.fixture
def rig():
    return FanoutRig()


def test_a_newcomer_waits_for_the_keyframe_that_was_forced_for_it(rig):
    rig.picture(key=True)
    rig.picture(after=1.0)
    viewer = rig.join("a")
    assert rig.source.requests == 1
    rig.picture()
    key = rig.picture(key=True)
    delta = rig.picture()
    assert viewer.pictures == [key, delta]


def test_a_newcomer_right_after_a_keyframe_is_served_from_the_cache(rig):
    sent = [rig.picture(key=True), rig.picture(), rig.picture()]
    viewer = rig.join("a")
    sent.append(rig.picture())
    assert viewer.pictures == sent
    assert rig.source.requests == 0


def test_the_keyframe_of_an_expected_viewer_is_made_while_it_connects(rig):
    rig.picture(key=True)
    rig.picture(after=1.0)
    rig.fanout.expect("a")
    assert rig.source.requests == 1
    sent = [rig.picture(key=True)]
    viewer = rig.join("a")
    assert viewer.pictures == sent
    assert rig.source.requests == 1


def test_a_viewer_that_was_expected_in_vain_is_forgotten(rig):
    rig.picture(key=True)
    rig.picture(after=1.0)
    rig.fanout.expect("a")
    rig.fanout.unsubscribe("a", None)
    rig.picture(after=1.0)
    assert rig.source.requests == 1
    assert rig.hub.rendition.gate.next_deadline() is None


def test_an_expected_viewer_costs_nothing_right_after_a_keyframe(rig):
    rig.picture(key=True)
    rig.fanout.expect("a")
    assert rig.source.requests == 0


def test_a_newcomer_that_the_gate_would_keep_waiting_is_served_from_the_cache(rig):
    rig.join("first")
    sent = [rig.picture(key=True), rig.picture(after=0.3)]
    viewer = rig.join("second")
    assert viewer.pictures == sent
    assert rig.source.requests == 1


def test_who_comes_back_in_a_moment_is_served_from_the_cache(rig):
    viewer = rig.join("a")
    key = rig.picture(key=True)
    rig.fanout.unsubscribe("a", viewer)
    delta = rig.picture(after=1.0)
    assert rig.join("a").pictures == [key, delta]
    assert rig.source.requests == 1


def test_where_no_keyframe_can_be_forced_the_cache_always_serves():
    rig = FanoutRig(source=Source(can_force=False))
    sent = [rig.picture(key=True), rig.picture(after=1.5)]
    viewer = rig.join("a")
    assert viewer.pictures == sent
    rig.fanout.request_keyframe("a")
    assert rig.source.requests == 0


async def test_a_join_storm_costs_one_keyframe(rig):
    rig.picture(key=True)
    rig.picture(after=1.0)
    viewers = [rig.join(str(number)) for number in range(50)]
    assert rig.source.requests == 1
    key = rig.picture(key=True)
    for _ in range(50):
        await asyncio.sleep(0)
    assert all(viewer.pictures == [key] for viewer in viewers)


async def test_every_viewer_gets_every_picture_in_order_while_the_loop_breathes(rig):
    viewers = [rig.join(str(number)) for number in range(3 * VIEWERS_AT_ONCE + 1)]
    sent = [rig.picture(key=True), rig.picture(), rig.picture()]
    late = rig.join("late")
    assert viewers[-1].pictures == []
    await asyncio.sleep(0)
    sent.append(rig.picture())
    for _ in range(20):
        await asyncio.sleep(0)
    assert all(viewer.pictures == sent for viewer in [*viewers, late])


async def test_what_was_held_back_goes_out_in_the_same_small_steps(rig):
    viewers = [rig.join(str(number)) for number in range(3 * VIEWERS_AT_ONCE)]
    rig.picture(key=True)
    rig.picture(size=19_000)  # a packet more than a burst: it waits for the tick
    for _ in range(20):
        await asyncio.sleep(0)
    assert all(rig.fanout._viewers.values())
    rig.clock.now += 0.02
    rig.fanout._tick()
    served = [not outgoing for outgoing in rig.fanout._viewers.values()]
    assert served.count(True) == VIEWERS_AT_ONCE
    for _ in range(20):
        await asyncio.sleep(0)
    assert not any(rig.fanout._viewers.values())
    assert all(len(viewer.pictures) == 2 for viewer in viewers)


async def test_who_leaves_during_a_walk_gets_nothing_more(rig):
    viewers = [rig.join(str(number)) for number in range(VIEWERS_AT_ONCE + 1)]
    rig.picture(key=True)
    rig.fanout.unsubscribe(str(VIEWERS_AT_ONCE), viewers[-1])
    await asyncio.sleep(0)
    assert viewers[-1].pictures == []


def test_what_breaks_at_one_viewer_ends_that_viewer_only(rig):
    viewers = [rig.join(str(number)) for number in range(3)]
    sent = [rig.picture(key=True)]
    viewers[0].broken = True
    sent += [rig.picture() for _ in range(5)]
    assert [viewer.pictures for viewer in viewers[1:]] == [sent, sent]
    assert viewers[0].told == 1
    assert list(rig.fanout._viewers) == ["1", "2"]


async def test_the_tick_goes_on_where_a_viewer_breaks_in_it(rig):
    viewers = [rig.join(str(number)) for number in range(2)]
    rig.picture(key=True)
    rig.picture(size=19_000)
    viewers[0].broken = True
    rig.clock.now += 0.02
    rig.fanout._tick()
    assert viewers[0].told == 1
    assert rig.fanout._tick_timer is not None
    assert len(viewers[1].pictures) == 2


def test_a_newcomer_that_breaks_at_its_first_picture_is_told(rig):
    rig.picture(key=True)
    viewer = rig.join("a", broken=True)
    assert viewer.told == 1
    assert rig.fanout._viewers == {}


def test_who_does_not_listen_gets_no_pictures_and_goes_on_with_a_keyframe(rig):
    viewer, other = rig.join("a"), rig.join("b")
    first = rig.picture(key=True)
    viewer.listening = False
    rig.picture(after=2.5)
    viewer.listening = True
    rig.picture()
    assert rig.source.requests == 2
    key = rig.picture(key=True)
    assert viewer.pictures == [first, key]
    assert other.pictures == [first, first + 1, first + 2, key]


def test_sound_passes_at_all_times(rig):
    viewer = rig.join("a", listening=False)
    rig.hub.publish_audio(OpusFrame(b"opus", rig.clock.now))
    assert viewer.sounds == 1


def test_a_new_source_makes_everybody_wait_for_its_keyframe(rig):
    viewer = rig.join("a")
    first = rig.picture(key=True)
    rig.hub.attach(Source())
    rig.picture()
    key = rig.picture(key=True)
    assert viewer.pictures == [first, key]


def test_the_reference_names_capture_time_and_timestamp_of_one_picture(rig):
    assert rig.fanout.reference is None
    rig.picture(key=True)
    first = rig.fanout.reference
    rig.picture(after=0.5)
    second = rig.fanout.reference
    assert (second[0] - first[0]) % (1 << 32) == 45_000
    assert second[1] - first[1] == pytest.approx(500)


def test_unknown_viewers_are_nobody(rig):
    rig.fanout.unsubscribe("ghost", Sender())
    rig.fanout.request_keyframe("ghost")
    rig.fanout.bandwidth_dropped("ghost", 100_000)
    assert rig.source.requests == 0


def test_the_viewers_that_keep_up_decide_and_where_none_does_all_of_them(rig):
    for viewer in ("slow", "well", "silent"):
        rig.join(viewer)
    rig.picture(key=True)
    for _ in range(2):  # the first estimates ramp up
        rig.fanout.report("slow", ReceiverReport(0.0, 0, 400_000))
        rig.fanout.report("well", ReceiverReport(0.0, 0, 5_000_000))
        rig.clock.now += GROWS_WITHIN
    rig.fanout._viewers["slow"]._congestion.health = ViewerHealth.SKIPPING
    assert rig.fanout.bandwidth_estimates() == [5_000_000]
    rig.fanout.unsubscribe("well", rig.fanout._viewers["well"].sender)
    assert rig.fanout.bandwidth_estimates() == [], "a viewer that keeps up and says nothing counts"
    rig.fanout.unsubscribe("silent", rig.fanout._viewers["silent"].sender)
    assert rig.fanout.bandwidth_estimates() == [400_000]


def test_each_network_has_one_vote_the_highest_of_its_viewers(rig):
    estimates = {"a": 900_000, "b": 3_000_000, "c": 2_000_000}
    networks = {"a": "192.0.2.1", "b": "192.0.2.1", "c": "2001:db8::/64"}
    for viewer, network in networks.items():
        rig.join(viewer).network = network
    rig.picture(key=True)
    for _ in range(2):
        for viewer, estimate in estimates.items():
            rig.fanout.report(viewer, ReceiverReport(0.0, 0, estimate))
        rig.clock.now += GROWS_WITHIN
    assert rig.fanout.bandwidth_estimates() == [2_000_000, 3_000_000]


async def test_after_a_failure_of_its_own_it_subscribes_again_and_viewers_go_on(rig, monkeypatch):
    monkeypatch.setattr("broadcaster.delivery.fanout.RESUBSCRIBE_AFTER", 0.01)
    viewer = rig.join("a")
    first = rig.picture(key=True)
    rig.fanout._packetizer.picture, whole = None, rig.fanout._packetizer.picture
    rig.picture()
    rig.fanout._packetizer.picture = whole
    lost = rig.picture()
    rig.clock.now += 1.0
    async with asyncio.timeout(10):
        while rig.fanout._subscription is None:
            await asyncio.sleep(0.005)
    second = rig.picture(key=True)
    assert viewer.pictures == [first, second]
    assert lost not in viewer.pictures
