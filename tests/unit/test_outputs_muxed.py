"""The muxed stream: shared by its viewers, and its choice of rendition on simulated networks."""

from itertools import pairwise

import pytest

from broadcaster.media.mp4_reader import read
from broadcaster.media.mp4_timing import SILENCE
from broadcaster.model.stream import AccessUnit, Quality, QualityPreference
from tests.unit.muxed_driver import MuxedDriver, lateness
from tests.unit.simulated_tcp import SimulatedPlayer

FULL, SMALL = Quality.FULL, Quality.SMALL


def contents(player: SimulatedPlayer):
    movie = read(
        b"".join(segment for segment in player.segments if segment[4:8] != b"ftyp" or segment is player.segments[0])
    )
    video = [sample for part in movie.fragments for sample in part.video]
    audio = [sample for part in movie.fragments for sample in part.audio]
    return video, audio


def gaps(samples) -> list[int]:
    return [after.time - before.time - before.duration for before, after in pairwise(samples)]


async def test_viewers_share_the_bytes_and_nothing_is_muxed_for_nobody():
    driver = MuxedDriver()
    driver.run(1)
    assert not driver.hub._subscriptions
    first, second = driver.join(), driver.join()
    driver.run(3)
    assert first.segments[-1] is not second.segments[-1]
    assert first.segments == second.segments
    assert driver.stream.viewers_by_quality == {FULL: 2}
    driver.leave(first)
    driver.leave(second)
    assert not driver.hub._subscriptions
    assert driver.stream.totals().bytes_sent > 2 * 2_500_000 / 8 * 2


async def test_audio_and_video_have_no_gap_on_a_good_network():
    driver = MuxedDriver()
    player = driver.join()
    driver.run(5)
    video, audio = contents(player)
    assert len(video) > 140
    assert len(audio) > 230
    assert set(gaps(video)) == set(gaps(audio)) == {0}
    assert max(late for _, late in lateness(driver, player)) < 0.25


async def test_a_newcomer_begins_with_the_cached_keyframe_or_a_forced_one():
    driver = MuxedDriver()
    driver.run(0.1)
    player = driver.join()
    driver.run(0.1)
    assert player.pictures[0][1].keyframe
    assert driver.source.requests == 0, "the cached keyframe is fresh"
    driver.run(1)
    driver.join()
    assert driver.source.requests == 1
    driver.run(0.2)
    assert driver.players[1].pictures[0][1].keyframe


async def test_a_slow_network_gets_the_small_rendition_before_pictures_are_skipped():
    driver = MuxedDriver()
    player = driver.join(1_000_000)
    driver.run(15)
    assert player.qualities[:2] == [FULL, SMALL]
    assert driver.stream.viewers_by_quality == {SMALL: 1}
    late = [late for arrived, late in lateness(driver, player) if arrived > player.pictures[0][0] + 5]
    assert max(late) < 0.5
    assert len(late) > 0.95 * 30 * 9.5
    assert driver.source.small_on


@pytest.mark.parametrize("rate", [1_000_000, 400_000])
@pytest.mark.parametrize("buffer", [32_000, 4_000_000], ids=["router", "proxy"])
@pytest.mark.parametrize("has_small", [True, False], ids=["small", "full-only"])
async def test_never_late_and_soon_back_after_the_link_has_been_down(rate, buffer, has_small):
    """Down for 5 s, then with plenty of bandwidth."""
    driver = MuxedDriver(has_small=has_small)
    player = driver.join(50e6, buffer=buffer)
    driver.run(3)
    player.rate = rate
    driver.run(10)
    # Only the encoder could do more: without a small rendition, what is under way when the bandwidth falls is much.
    limit = 4 if rate < 500_000 and buffer > 1e6 and not has_small else 3
    assert max(late for _, late in lateness(driver, player)) < limit
    player.rate = 0
    driver.run(5)
    player.rate = 50e6
    returned = driver.clock.monotonic()
    driver.run(6)
    back = [late for arrived, late in lateness(driver, player) if arrived > returned + 3]
    assert len(back) > 80
    assert max(back) < 0.5
    assert player.timeouts == 0


async def test_the_full_rendition_comes_back_without_a_gap_when_the_network_does():
    driver = MuxedDriver()
    player = driver.join(1_000_000)
    driver.run(8)
    assert player.viewer.quality is SMALL
    player.rate = 20e6
    before = len(player.pictures)
    driver.run(15)
    assert player.viewer.quality is FULL
    assert not driver.hub.small._users
    pictures = [sample for _, sample in player.pictures[before + 5 :]]
    assert set(gaps(pictures)) == {0}
    _, audio = contents(player)
    assert set(gaps(audio[-500:])) == {0}


async def test_each_failed_return_doubles_the_wait():
    driver = MuxedDriver()
    driver.join(1_200_000)
    driver.run(90)
    changes = len(driver.players[0].qualities)
    assert changes < 8, driver.players[0].qualities


async def test_the_viewers_choice_is_kept():
    driver = MuxedDriver()
    player = driver.join(20e6, QualityPreference.SMALL)
    driver.run(12)
    assert driver.stream.viewers_by_quality == {SMALL: 1}
    player.viewer.prefer(QualityPreference.FULL)
    driver.run(3)
    assert driver.stream.viewers_by_quality == {FULL: 1}
    player.rate = 800_000
    driver.run(10)
    assert driver.stream.viewers_by_quality == {FULL: 1}, "the viewer has chosen it"
    assert max(late for _, late in lateness(driver, player)) < 3


async def test_a_change_that_is_taken_back_loses_nothing():
    driver = MuxedDriver()
    player = driver.join(20e6)
    driver.run(3)
    player.viewer.prefer(QualityPreference.SMALL)
    driver.run(0.02)
    player.viewer.prefer(QualityPreference.FULL)
    driver.run(3)
    video, audio = contents(player)
    assert set(gaps(video)) == set(gaps(audio)) == {0}
    assert not driver.hub.small._users


async def test_viewers_return_when_the_small_encoder_fails():
    driver = MuxedDriver()
    player = driver.join(20e6, QualityPreference.SMALL)
    driver.run(3)
    driver.hub.small.failure = "the encoder has failed"
    driver.hub.small._failed_at = driver.clock.monotonic()
    driver.run(3)
    assert player.viewer.quality is FULL
    assert player.pictures[-1][0] > driver.clock.monotonic() - 0.2


@pytest.mark.parametrize(
    ("rate", "has_small", "quality"), [(800_000, False, FULL), (350_000, True, SMALL)], ids=["full", "small"]
)
async def test_the_bit_rate_follows_viewers_for_whom_nothing_smaller_is_left(rate, has_small, quality):
    driver = MuxedDriver(has_small=has_small)
    player, wide = driver.join(rate), driver.join(50e6)
    driver.run(12)
    (estimate,) = driver.stream.bandwidth_estimates(quality)
    assert 0.6 * rate < estimate < 1.3 * rate
    assert wide.viewer.vote is None
    player.rate = 50e6
    driver.run(9)
    assert driver.stream.bandwidth_estimates(quality) == []


async def test_each_network_has_one_vote():
    driver = MuxedDriver(has_small=False)
    for rate in (300_000, 800_000):
        driver.join(rate).network = "192.0.2.1"
    driver.run(12)
    assert len(driver.stream.bandwidth_estimates(FULL)) == 1
    assert driver.stream.bandwidth_estimates(FULL)[0] > 500_000


async def test_lost_audio_is_silence_and_the_picture_goes_on():
    driver = MuxedDriver()
    player = driver.join()
    driver.run(3)
    has_audio = driver.has_audio
    driver._steps += 1  # no audio frame falls on these steps
    driver.hub.publish_audio = lambda frame: None  # type: ignore[method-assign]
    driver.run(1.5)
    assert has_audio
    video, audio = contents(player)
    assert audio[-1].data == SILENCE
    assert set(gaps(audio)) == {0}
    assert video[-1].time / 90_000 - audio[-1].time / 48_000 < 0.6


async def test_audio_that_ends_leaves_the_tracks_at_the_next_keyframe():
    driver = MuxedDriver()
    player = driver.join()
    driver.run(3)
    driver.has_audio = False
    driver.run(3)
    inits = [segment for segment in player.segments if segment[4:8] == b"ftyp"]
    assert [read(init).tracks.audio for init in inits] == [True, False]


async def test_a_change_of_the_source_begins_with_an_init_segment_and_a_keyframe():
    driver = MuxedDriver()
    player = driver.join()
    driver.run(2)
    driver.hub.attach(driver.source)  # type: ignore[arg-type]
    driver.run(0.5)
    driver.source.keyframes.add(FULL)
    driver.run(0.5)
    inits = [index for index, segment in enumerate(player.segments) if segment[4:8] == b"ftyp"]
    assert len(inits) == 2
    assert read(player.segments[inits[1]] + player.segments[inits[1] + 1]).fragments[0].video[0].keyframe


async def test_unusable_parameter_sets_are_logged_once_for_each_source(caplog):
    driver = MuxedDriver()

    def publish_keyframe() -> None:
        now = driver.clock.monotonic()
        data = b"\0\0\1\x67\x42\xe0\x1f\0\0\1\x68\xce\0\0\1\x65x"
        driver.hub.publish_video(AccessUnit(data, now, keyframe=True))

    for sources in (1, 2):
        for _ in range(2):  # the stream is muxed anew for the second
            player = driver.join()
            publish_keyframe()
            publish_keyframe()
            driver.leave(player)
        lines = [record.getMessage() for record in caplog.records if "no video over /media" in record.getMessage()]
        assert len(lines) == sources
        assert "full rendition" in lines[-1]
        assert "SPS" in lines[-1]
        driver.hub.attach(driver.source)  # type: ignore[arg-type]


async def test_a_stalled_source_shows_its_last_picture():
    driver = MuxedDriver()
    player = driver.join()
    driver.run(1)
    shown = len(player.pictures)
    driver.stream._muxers[FULL]._stalled()
    driver.run(0.1)
    assert len(player.pictures) > shown


async def test_a_viewer_that_acknowledges_nothing_is_closed_after_ten_seconds():
    driver = MuxedDriver()
    player = driver.join()
    driver.run(1)
    player.rate = 0
    driver.run(9)
    assert player.timeouts == 0
    driver.run(3)
    assert player.timeouts > 0


async def test_a_broken_viewer_does_not_affect_the_others(caplog):
    driver = MuxedDriver()
    broken, other = driver.join(), driver.join()
    driver.run(1)
    broken.write = lambda data: 1 / 0  # type: ignore[method-assign,assignment,return-value]
    before = len(other.segments)
    driver.run(1)
    assert broken.failed
    assert len(other.segments) > before + 28
    assert len(driver.stream) == 1
