import array

from broadcaster.devices.opus import FRAME
from broadcaster.devices.testcard.beep import BeepTrack


def play(track: BeepTrack, start: float, frames: int) -> list[int]:
    """The samples of `frames` frames from wall-clock time `start` on."""
    sound = array.array("h")
    for index in range(frames):
        sound.frombytes(track.frame(start + index * FRAME))
    return list(sound)


def loud(samples: list[int]) -> set[int]:
    """Numbers of the milliseconds in which there is sound."""
    return {index // 48 for index, sample in enumerate(samples) if abs(sample) > 500}


def test_the_beep_lasts_the_first_tenth_of_a_second():
    assert loud(play(BeepTrack(), 1_700_000_000.0, 50)) == set(range(100))


def test_a_second_may_begin_in_the_middle_of_a_frame():
    assert loud(play(BeepTrack(), 1_700_000_000.993, 10)) == set(range(7, 107))


def test_the_tone_has_no_seams_though_the_clock_trembles():
    track = BeepTrack()
    trembling = b"".join(track.frame(5.0 + index * FRAME + 0.0003 * (-1) ** index) for index in range(50))
    assert trembling in (BeepTrack()._second * 2)


def test_a_wall_clock_that_was_set_takes_the_beep_along():
    track = BeepTrack()
    play(track, 5.0, 20)
    assert loud(play(track, 9.5, 30)) == set(range(500, 600))
