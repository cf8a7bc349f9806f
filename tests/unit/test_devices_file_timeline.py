import pytest

from broadcaster.devices.file.timeline import AUDIO_TAIL, START_DELAY, TOLERANCE, Timeline


def playing(*kinds):
    timeline = Timeline()
    for kind in kinds:
        timeline.enter(kind, 100.0)
    return timeline


def test_timeline_moves_when_playback_is_too_late():
    timeline = playing("video")
    start = timeline.due(0.0)
    assert start == 100.0 + START_DELAY
    assert timeline.lateness(1.0, start + 1.0 + TOLERANCE) == pytest.approx(TOLERANCE)
    assert timeline.lateness(1.0, start + 0.5) == pytest.approx(-0.5)
    assert timeline.lateness(1.0, start + 6.0, tolerance=5.1) == pytest.approx(5.0)
    assert timeline.lateness(1.0, start + 61.0) == 0.0
    assert timeline.due(1.0) == pytest.approx(start + 61.0)
    assert timeline.lateness(1.0, start + 61.0) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("video", "audio", "end"),
    [(10.0, 9.0, 10.0), (10.0, 10.0 + AUDIO_TAIL, 10.0), (10.0, 10.3, 10.3), (0.04, 180.0, 180.0)],
    ids=["audio shorter", "audio slightly longer", "audio longer", "single picture"],
)
def test_loop_ends_with_the_longer_track(video, audio, end):
    timeline = playing("video", "audio")
    timeline.set_end("video", 0, video)
    assert timeline.loop_end(0) is None
    timeline.set_end("audio", 0, audio)
    assert timeline.loop_end(0) == end
    assert timeline.join(timeline.due(end + 7.0)) == (1, end, pytest.approx(end + 7.0))


def test_single_source_determines_the_loop_end():
    timeline = playing("audio")
    timeline.set_end("audio", 0, 3.0)
    assert timeline.loop_end(0) == 3.0


def test_source_that_left_does_not_delay_the_loop_end():
    timeline = playing("video", "audio")
    timeline.set_end("video", 0, 3.0)
    assert timeline.loop_end(0) is None
    timeline.leave("audio")
    assert timeline.loop_end(0) == 3.0


def test_loop_has_a_minimum_duration():
    timeline = playing("video")
    timeline.set_end("video", 0, 0.0)
    assert timeline.loop_end(0) > 0


def test_past_loops_are_forgotten():
    timeline = playing("video")
    for loop in range(1000):
        timeline.set_end("video", loop, loop + 1.0)
        assert timeline.loop_end(loop) == loop + 1.0
    assert len(timeline._begins) < 5
    assert len(timeline._ends) < 5


def test_source_joins_at_the_loop_start_or_at_the_current_position():
    timeline = playing("video")
    timeline.set_end("video", 0, 10.0)
    timeline.loop_end(0)
    assert timeline.join(timeline.due(-1.0)) == (0, 0.0, 0.0)
    assert timeline.join(timeline.due(4.0)) == (0, 0.0, pytest.approx(4.0))
    assert timeline.join(timeline.due(10.4)) == (1, 10.0, 10.0)


def test_timeline_restarts_after_all_sources_left():
    timeline = playing("video", "audio")
    timeline.leave("video")
    timeline.enter("video", 150.0)
    assert timeline.due(0.0) == 100.0 + START_DELAY
    timeline.leave("video")
    timeline.leave("audio")
    timeline.enter("video", 200.0)
    assert timeline.due(0.0) == 200.0 + START_DELAY
