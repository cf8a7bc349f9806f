"""Times and durations of samples: exact, without gaps, whatever the capture times are."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from broadcaster.media.mp4 import Sample
from broadcaster.media.mp4_timing import MAX_SILENCE, SILENCE, STALL, AudioTiming, VideoTiming
from broadcaster.media.opus import packet_samples
from broadcaster.model.stream import AccessUnit, OpusFrame

PICTURE = b"\0\0\1\x65x"
BASE = 100.0


def picture(captured: float, *, keyframe: bool = True) -> AccessUnit:
    return AccessUnit(PICTURE, BASE + captured, keyframe)


def frame(captured: float) -> OpusFrame:
    return OpusFrame(b"\xfc1", BASE + captured)


def are_contiguous(samples: list[Sample]) -> bool:
    return all(before.time + before.duration == after.time for before, after in pairwise(samples))


def test_a_picture_leaves_when_the_next_one_shows_its_duration():
    timing = VideoTiming(BASE)
    assert timing.add(picture(1.0)) is None
    sample = timing.add(picture(1.05, keyframe=False))
    assert sample == Sample(b"\0\0\0\2\x65x", 90_000, 4_500, True)


@given(st.lists(st.floats(0, 1000), min_size=2, max_size=50))
def test_pictures_follow_each_other_whatever_the_capture_times_are(captured):
    timing = VideoTiming(BASE)
    samples = [sample for time in captured if (sample := timing.add(picture(time)))]
    assert len(samples) == len(captured) - 1
    assert are_contiguous(samples)
    assert all(sample.duration > 0 for sample in samples)


def test_a_stall_has_a_limit_and_the_next_picture_continues():
    timing = VideoTiming(BASE)
    timing.add(picture(1.0))
    last = timing.flush()
    assert last == Sample(b"\0\0\0\2\x65x", 90_000, round(STALL * 90_000), True)
    assert timing.flush() is None
    late = picture(1.0 + 2 * STALL, keyframe=False)
    assert timing.follows(late)
    assert not timing.follows(picture(1.1 + 2 * STALL, keyframe=False))
    assert timing.add(late) is None
    assert timing.add(picture(4.0)) == Sample(b"\0\0\0\2\x65x", 90_000 * 3, 90_000, False)


def test_a_picture_that_comes_right_after_the_limit_does_not_overlap():
    timing = VideoTiming(BASE)
    timing.add(picture(1.0))
    flushed = timing.flush()
    timing.add(picture(1.0 + STALL / 2))
    following = timing.add(picture(1.2 + STALL))
    assert flushed is not None
    assert following is not None
    assert following.time == flushed.time + flushed.duration


@given(st.lists(st.floats(-0.009, 0.009), min_size=2, max_size=60))
def test_jitter_of_the_capture_times_is_removed(jitter):
    timing = AudioTiming(BASE)
    samples = [sample for index, off in enumerate(jitter) for sample in timing.add(frame(1 + index * 0.02 + off / 2))]
    assert len(samples) == len(jitter)
    assert are_contiguous(samples)


@given(st.lists(st.floats(0, MAX_SILENCE * 0.02 - 0.01), min_size=1, max_size=20))
def test_silence_fills_every_gap(pauses):
    timing, captured, samples, frames = AudioTiming(BASE), 1.0, [], 0
    for pause in pauses:
        captured += 0.02 + pause
        made = timing.add(frame(captured))
        frames += sum(sample.data != SILENCE for sample in made)
        samples += made
    assert are_contiguous(samples)
    assert frames == len(pauses)
    assert abs(samples[-1].time - captured * 48_000) <= 480 + 1, "half a frame, and rounding"


def test_a_frame_that_comes_too_early_is_dropped():
    timing = AudioTiming(BASE)
    assert len(timing.add(frame(1.0))) == 1
    assert timing.add(frame(1.0)) == []
    assert len(timing.add(frame(1.02))) == 1


def test_after_a_long_gap_the_audio_goes_on_at_its_own_time():
    timing = AudioTiming(BASE)
    timing.add(frame(1.0))
    (sample,) = timing.add(frame(60.0))
    assert sample.time == 60 * 48_000


def test_silence_replaces_audio_that_does_not_come():
    timing = AudioTiming(BASE)
    timing.add(frame(1.0))
    assert timing.fill(BASE + 1.01) == []
    silence = timing.fill(BASE + 1.5)
    assert {sample.data for sample in silence} == {SILENCE}
    assert 1.48 < (silence[-1].time + 960) / 48_000 <= 1.5
    assert are_contiguous([*silence, *timing.add(frame(1.52))])


def test_audio_that_never_comes_is_silence_from_the_first_picture_on():
    timing = AudioTiming(BASE)
    assert timing.fill(BASE + 0.6) == []
    silence = timing.fill(BASE + 1.0)
    assert silence[0].time == round(0.6 * 48_000)
    assert len(silence) == 20


def test_first_frame_begins_at_its_own_time_even_after_the_first_call():
    timing = AudioTiming(BASE)
    timing.fill(BASE + 0.6)
    (sample,) = timing.add(frame(1.0))
    assert sample.time == 48_000


def test_silence_is_an_opus_packet_of_20_ms():
    assert packet_samples(SILENCE) == 960
