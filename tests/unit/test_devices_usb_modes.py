import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.devices.usb.formats import COST
from broadcaster.devices.usb.modes import Mode, RequestedMode, choose_mode, nearest_rate, nearest_size
from tests.unit.recorded_cameras import C920, CHEAP, UHD, modes

HD = RequestedMode(1280, 720, 30)
HIGH = "its profile is High"


@pytest.mark.parametrize(
    ("camera", "wanted", "best", "passes"),
    [
        (C920, HD, "H264 1280x720 30", True),
        (C920, RequestedMode(1920, 1080, 30), "H264 1920x1080 30", True),
        (C920, RequestedMode(1280, 720, 15), "H264 1280x720 15", True),
        (C920, RequestedMode(640, 480, 30), "H264 640x480 30", True),
        (C920, RequestedMode(320, 240, 30), "YUYV 320x240 30", False),
        (C920, RequestedMode(160, 90, 60), "YUYV 160x90 30", False),
        (C920, RequestedMode(3840, 2160, 30), "H264 1920x1080 30", True),
        (CHEAP, HD, "MJPG 1280x720 30", False),
        (CHEAP, RequestedMode(640, 480, 30), "YUYV 640x480 30", False),
        (CHEAP, RequestedMode(1280, 720, 8), "YUYV 1280x720 9", False),
        (CHEAP, RequestedMode(1920, 1080, 60), "MJPG 1280x720 30", False),
        (UHD, HD, "NV12 1280x720 30", False),
        (UHD, RequestedMode(1280, 720, 60), "MJPG 1280x720 60", False),
        (UHD, RequestedMode(3840, 2160, 30), "MJPG 3840x2160 30", False),
        (UHD, RequestedMode(1600, 900, 30), "MJPG 1920x1080 30", False),
    ],
)
def test_the_best_mode_is_chosen(camera, wanted, best, passes):
    choice = choose_mode(camera, wanted)
    assert (choice.mode, choice.passthrough) == (*modes(best), passes)


def test_the_reason_says_what_was_asked_and_what_stands_against_it():
    assert choose_mode(C920, HD).reason == "as requested"
    assert choose_mode(CHEAP, RequestedMode(1920, 1080, 60)).reason == "the mode nearest to 1920x1080 at 60 fps"
    assert choose_mode(C920, HD, HIGH).reason == f"as requested; the camera's own H.264 is not used: {HIGH}"
    assert choose_mode(C920, RequestedMode(320, 240, 30)).reason.endswith(": all its sizes are too large")
    faster = [*modes("H264 640x480 5"), *CHEAP]
    assert choose_mode(faster, RequestedMode(640, 480, 30)).reason.endswith(": other modes are nearer")


def test_h264_that_cannot_be_sent_gives_way_and_is_decoded_only_when_there_is_nothing_else():
    assert choose_mode(C920, HD, HIGH).mode == Mode("MJPG", 1280, 720, 30)
    only = modes("H264 1280x720 30\nH264 640x480 30")
    choice = choose_mode(only, HD, HIGH)
    assert (choice.mode, choice.passthrough) == (only[0], False)


def test_h264_larger_than_wanted_does_not_pass_and_smaller_does():
    choice = choose_mode(modes("H264 1920x1080 30"), HD)
    assert not choice.passthrough
    assert choose_mode(modes("H264 640x360 30"), HD).passthrough


def test_motion_counts_as_much_as_sharpness():
    raw_only = [mode for mode in CHEAP if mode.pixel_format == "YUYV"]
    assert choose_mode(raw_only, HD).mode == Mode("YUYV", 640, 480, 30)


def test_a_camera_in_colour_is_not_shown_in_grey():
    infrared = modes("GREY 1280x720 30\nYUYV 640x480 30")
    assert choose_mode(infrared, HD).mode.pixel_format == "YUYV"
    assert choose_mode(infrared[:1], HD).mode.pixel_format == "GREY"


def test_formats_that_nobody_here_can_read_are_no_choice():
    assert choose_mode(modes("BA81 1280x720 30\nY16 640x480 30"), HD) is None
    assert choose_mode([], HD) is None


@pytest.mark.parametrize(
    ("span", "wanted", "size"),
    [((32, 1920, 2), 1280, 1280), ((32, 1920, 2), 4000, 1920), ((64, 640, 16), 10, 64), ((10, 50, 0), 33, 33)],
)
def test_of_a_range_the_nearest_size_is_taken(span, wanted, size):
    assert nearest_size(*span, wanted) == size


def test_of_a_range_the_nearest_rate_is_taken_and_an_unknown_one_is_hoped_for():
    assert [nearest_rate(5, 60, rate) for rate in (1, 30, 90)] == [5, 30, 60]
    assert nearest_rate(0, 0, 30) == 30


MODES = st.builds(
    Mode, st.sampled_from(["BA81", *COST]), st.integers(16, 4096), st.integers(16, 4096), st.floats(0.5, 240)
)


@given(
    st.lists(MODES, max_size=20), st.builds(RequestedMode, st.integers(160, 3840), st.integers(90, 2160), st.just(30))
)
def test_whatever_a_camera_offers_the_choice_is_one_of_it_that_can_be_used(offered, wanted):
    choice = choose_mode(offered, wanted)
    if choice is None:
        assert all(mode.pixel_format not in COST for mode in offered)
    else:
        assert choice.mode in offered
        assert choice.mode.pixel_format in COST
        assert choice.passthrough <= (choice.mode.pixel_format == "H264")


@given(st.lists(MODES, max_size=20), st.randoms())
def test_the_order_of_the_offer_means_nothing(offered, random):
    shuffled = list(offered)
    random.shuffle(shuffled)
    first, second = choose_mode(offered, HD), choose_mode(shuffled, HD)
    assert (first is None) == (second is None)
    if first and second:
        assert first.mode.width * first.mode.height == second.mode.width * second.mode.height
        assert first.passthrough == second.passthrough
