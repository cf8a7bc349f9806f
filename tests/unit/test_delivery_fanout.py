"""The fan-out: which viewer receives which frames, and in what order."""

import asyncio

import pytest

from broadcaster.delivery.congestion import ViewerHealth
from broadcaster.delivery.ramp_up import GROWS_WITHIN
from broadcaster.delivery.walks import VIEWERS_AT_ONCE
from broadcaster.media.packet_format import PacketFormat
from broadcaster.model.stats import ReceiverReport
from broadcaster.model.stream import OpusFrame
from tests.unit.fanout_driver import FanoutDriver, RecordingSender, Source


@pytest.fixture
def driver():
    return FanoutDriver()


def test_new_viewer_waits_for_its_forced_keyframe(driver):
    driver.publish(key=True)
    driver.publish(after=1.0)
    viewer = driver.join("a")
    assert driver.source.requests == 1
    driver.publish()
    key = driver.publish(key=True)
    delta = driver.publish()
    assert viewer.frames == [key, delta]


def test_new_viewer_right_after_a_keyframe_is_served_from_the_cache(driver):
    sent = [driver.publish(key=True), driver.publish(), driver.publish()]
    viewer = driver.join("a")
    sent.append(driver.publish())
    assert viewer.frames == sent
    assert driver.source.requests == 0


def test_expected_viewer_requests_its_keyframe_while_it_connects(driver):
    driver.publish(key=True)
    driver.publish(after=1.0)
    driver.fanout.expect("a")
    assert driver.source.requests == 1
    sent = [driver.publish(key=True)]
    viewer = driver.join("a")
    assert viewer.frames == sent
    assert driver.source.requests == 1


def test_expected_viewer_that_never_connects_is_forgotten(driver):
    driver.publish(key=True)
    driver.publish(after=1.0)
    driver.fanout.expect("a")
    driver.fanout.unsubscribe("a", None)
    driver.publish(after=1.0)
    assert driver.source.requests == 1
    assert driver.hub.full.gate.next_deadline() is None


def test_expected_viewer_requests_nothing_right_after_a_keyframe(driver):
    driver.publish(key=True)
    driver.fanout.expect("a")
    assert driver.source.requests == 0


def test_new_viewer_held_back_by_the_keyframe_gate_is_served_from_the_cache(driver):
    driver.join("first")
    sent = [driver.publish(key=True), driver.publish(after=0.3)]
    viewer = driver.join("second")
    assert viewer.frames == sent
    assert driver.source.requests == 1


def test_viewer_that_reconnects_soon_is_served_from_the_cache(driver):
    viewer = driver.join("a")
    key = driver.publish(key=True)
    driver.fanout.unsubscribe("a", viewer)
    delta = driver.publish(after=1.0)
    assert driver.join("a").frames == [key, delta]
    assert driver.source.requests == 1


def test_cache_always_serves_when_keyframes_cannot_be_forced():
    driver = FanoutDriver(source=Source(can_force=False))
    sent = [driver.publish(key=True), driver.publish(after=1.5)]
    viewer = driver.join("a")
    assert viewer.frames == sent
    driver.fanout.request_keyframe("a")
    assert driver.source.requests == 0


async def test_many_viewers_at_once_share_one_forced_keyframe(driver):
    driver.publish(key=True)
    driver.publish(after=1.0)
    viewers = [driver.join(str(number)) for number in range(50)]
    assert driver.source.requests == 1
    key = driver.publish(key=True)
    for _ in range(50):
        await asyncio.sleep(0)
    assert all(viewer.frames == [key] for viewer in viewers)


async def test_every_viewer_receives_every_frame_in_order_over_several_loop_iterations(driver):
    viewers = [driver.join(str(number)) for number in range(3 * VIEWERS_AT_ONCE + 1)]
    sent = [driver.publish(key=True), driver.publish(), driver.publish()]
    late = driver.join("late")
    assert viewers[-1].frames == []
    await asyncio.sleep(0)
    sent.append(driver.publish())
    for _ in range(20):
        await asyncio.sleep(0)
    assert all(viewer.frames == sent for viewer in [*viewers, late])


async def test_queued_packets_are_sent_to_a_few_viewers_per_loop_iteration(driver):
    viewers = [driver.join(str(number)) for number in range(3 * VIEWERS_AT_ONCE)]
    driver.publish(key=True)
    driver.publish(size=19_000)  # one packet more than a burst: it waits for the next tick
    for _ in range(20):
        await asyncio.sleep(0)
    assert all(driver.fanout._viewers.values())
    driver.clock.advance(0.02)
    driver.fanout._tick()
    served = [not queue for queue in driver.fanout._viewers.values()]
    assert served.count(True) == VIEWERS_AT_ONCE
    for _ in range(20):
        await asyncio.sleep(0)
    assert not any(driver.fanout._viewers.values())
    assert all(len(viewer.frames) == 2 for viewer in viewers)


async def test_viewer_that_leaves_during_a_fanout_receives_nothing_more(driver):
    viewers = [driver.join(str(number)) for number in range(VIEWERS_AT_ONCE + 1)]
    driver.publish(key=True)
    driver.fanout.unsubscribe(str(VIEWERS_AT_ONCE), viewers[-1])
    await asyncio.sleep(0)
    assert viewers[-1].frames == []


def test_error_at_one_viewer_ends_only_that_viewer(driver):
    viewers = [driver.join(str(number)) for number in range(3)]
    sent = [driver.publish(key=True)]
    viewers[0].broken = True
    sent += [driver.publish() for _ in range(5)]
    assert [viewer.frames for viewer in viewers[1:]] == [sent, sent]
    assert viewers[0].broke_calls == 1
    assert list(driver.fanout._viewers) == ["1", "2"]


async def test_tick_continues_when_a_viewer_fails_in_it(driver):
    viewers = [driver.join(str(number)) for number in range(2)]
    driver.publish(key=True)
    driver.publish(size=19_000)
    viewers[0].broken = True
    driver.clock.advance(0.02)
    driver.fanout._tick()
    assert viewers[0].broke_calls == 1
    assert driver.fanout._tick_timer is not None
    assert len(viewers[1].frames) == 2


def test_new_viewer_that_fails_at_its_first_frame_is_closed(driver):
    driver.publish(key=True)
    viewer = driver.join("a", broken=True)
    assert viewer.broke_calls == 1
    assert driver.fanout._viewers == {}


def test_unreachable_viewer_receives_no_video_and_resumes_with_a_keyframe(driver):
    viewer, other = driver.join("a"), driver.join("b")
    first = driver.publish(key=True)
    viewer.listening = False
    driver.publish(after=2.5)
    viewer.listening = True
    driver.publish()
    assert driver.source.requests == 2
    key = driver.publish(key=True)
    assert viewer.frames == [first, key]
    assert other.frames == [first, first + 1, first + 2, key]


def test_audio_is_sent_even_to_an_unreachable_viewer(driver):
    viewer = driver.join("a", listening=False)
    driver.hub.publish_audio(OpusFrame(b"opus", driver.clock.monotonic()))
    assert viewer.audio_frames == 1


def test_all_viewers_wait_for_the_keyframe_of_a_new_source(driver):
    viewer = driver.join("a")
    first = driver.publish(key=True)
    driver.hub.attach(Source())
    driver.publish()
    key = driver.publish(key=True)
    assert viewer.frames == [first, key]


def test_reference_maps_rtp_timestamp_to_capture_time(driver):
    assert driver.fanout.reference is None
    driver.publish(key=True)
    first = driver.fanout.reference
    driver.publish(after=0.5)
    second = driver.fanout.reference
    assert (second[0] - first[0]) % (1 << 32) == 45_000
    assert second[1] - first[1] == pytest.approx(500)


def test_unknown_viewers_are_ignored(driver):
    driver.fanout.unsubscribe("ghost", RecordingSender())
    driver.fanout.request_keyframe("ghost")
    driver.fanout.bandwidth_dropped("ghost", 100_000)
    assert driver.source.requests == 0


def test_estimates_are_those_of_healthy_viewers_or_of_all_if_none_is_healthy(driver):
    for viewer in ("slow", "healthy", "silent"):
        driver.join(viewer)
    driver.publish(key=True)
    for _ in range(2):  # the first estimates ramp up
        driver.fanout.report("slow", ReceiverReport(0.0, 0, 400_000))
        driver.fanout.report("healthy", ReceiverReport(0.0, 0, 5_000_000))
        driver.clock.advance(GROWS_WITHIN)
    driver.fanout._viewers["slow"]._congestion.health = ViewerHealth.SKIPPING
    assert driver.fanout.bandwidth_estimates() == [5_000_000]
    driver.fanout.unsubscribe("healthy", driver.fanout._viewers["healthy"].sender)
    assert driver.fanout.bandwidth_estimates() == [], "a healthy viewer without an estimate counts"
    driver.fanout.unsubscribe("silent", driver.fanout._viewers["silent"].sender)
    assert driver.fanout.bandwidth_estimates() == [400_000]


def test_each_network_counts_once_with_its_highest_estimate(driver):
    estimates = {"a": 900_000, "b": 3_000_000, "c": 2_000_000}
    networks = {"a": "192.0.2.1", "b": "192.0.2.1", "c": "2001:db8::/64"}
    for viewer, network in networks.items():
        driver.join(viewer).network = network
    driver.publish(key=True)
    for _ in range(2):
        for viewer, estimate in estimates.items():
            driver.fanout.report(viewer, ReceiverReport(0.0, 0, estimate))
        driver.clock.advance(GROWS_WITHIN)
    assert driver.fanout.bandwidth_estimates() == [2_000_000, 3_000_000]


async def test_fanout_resubscribes_after_an_error_of_its_own(driver, monkeypatch):
    monkeypatch.setattr("broadcaster.delivery.feed.RESUBSCRIBE_AFTER", 0.01)
    viewer = driver.join("a")
    first = driver.publish(key=True)
    driver.fanout._full._packetizer.packetize_video, working = None, driver.fanout._full._packetizer.packetize_video
    driver.publish()
    driver.fanout._full._packetizer.packetize_video = working
    lost = driver.publish()
    driver.clock.advance(1.0)
    async with asyncio.timeout(10):
        while driver.fanout._full._subscription is None:
            await asyncio.sleep(0.005)
    second = driver.publish(key=True)
    assert viewer.frames == [first, second]
    assert lost not in viewer.frames


async def test_viewers_with_equal_packet_formats_are_served_one_after_the_other():
    """What a format needs is prepared once for all of them (see `webrtc.packet_buffer.PacketBuffer`)."""
    driver, served = FanoutDriver(), []
    formats = [PacketFormat.of(tag, number) for tag in (16, 10) for number in (101, 96)]
    senders = [driver.join(f"v{index}", packet_format=formats[index % 4]) for index in range(8)]
    for sender in senders:
        sender.send_audio = lambda frame, sender=sender: served.append(sender.packet_format)
    driver.hub.publish_audio(OpusFrame(b"x", 0.0))
    assert served == sorted(formats * 2)
    senders[0].packet_format, served[:] = formats[0].with_delay_allowed(), []
    driver.fanout.packet_format_changed("v0")
    driver.hub.publish_audio(OpusFrame(b"x", 0.0))
    assert served == sorted(sender.packet_format for sender in senders)
