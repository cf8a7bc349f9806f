import array

from broadcaster.devices.opus import FRAME
from broadcaster.devices.testcard.beep import BeepTrack


def play(track: BeepTrack, start: float, frames: int) -> list[int]:
    """Return the samples of `frames` frames from wall-clock time `start` on."""
    samples = array.array("h")
    for index in range(frames):
        samples.frombytes(track.frame(start + index * FRAME))
    return list(samples)


def audible(samples: list[int]) -> set[int]:
    """Return the numbers of the milliseconds that are not silent."""
    return {index // 48 for index, sample in enumerate(samples) if abs(sample) > 500}


def test_beep_fills_the_first_tenth_of_each_second():
    assert audible(play(BeepTrack(), 1_700_000_000.0, 50)) == set(range(100))


def test_beep_may_begin_within_a_frame():
    assert audible(play(BeepTrack(), 1_700_000_000.993, 10)) == set(range(7, 107))


def test_clock_jitter_causes_no_discontinuity():
    track = BeepTrack()
    jittering = b"".join(track.frame(5.0 + index * FRAME + 0.0003 * (-1) ** index) for index in range(50))
    assert jittering in (BeepTrack()._second * 2)


def test_beep_follows_a_wall_clock_that_was_set():
    track = BeepTrack()
    play(track, 5.0, 20)
    assert audible(play(track, 9.5, 30)) == set(range(500, 600))
