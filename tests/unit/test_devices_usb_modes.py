import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.devices.usb.formats import COST
from broadcaster.devices.usb.modes import Mode, RequestedMode, choose_mode, nearest_rate, nearest_size
from tests.unit.recorded_cameras import C920, CHEAP, UHD, modes

HD = RequestedMode(1280, 720, 30)
HIGH = "its profile is High"


@pytest.mark.parametrize(
    ("camera", "requested", "best", "passthrough"),
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
def test_the_best_mode_is_chosen(camera, requested, best, passthrough):
    choice = choose_mode(camera, requested)
    assert (choice.mode, choice.passthrough) == (*modes(best), passthrough)


def test_the_reason_names_the_request_and_the_obstacle():
    assert choose_mode(C920, HD).reason == "as requested"
    assert choose_mode(CHEAP, RequestedMode(1920, 1080, 60)).reason == "the mode nearest to 1920x1080 at 60 fps"
    assert choose_mode(C920, HD, HIGH).reason == f"as requested; the camera's own H.264 is not used: {HIGH}"
    assert choose_mode(C920, RequestedMode(320, 240, 30)).reason.endswith(": all its sizes are too large")
    faster = [*modes("H264 640x480 5"), *CHEAP]
    assert choose_mode(faster, RequestedMode(640, 480, 30)).reason.endswith(": other modes are nearer")


def test_h264_that_cannot_pass_through_is_the_last_choice():
    assert choose_mode(C920, HD, HIGH).mode == Mode("MJPG", 1280, 720, 30)
    only = modes("H264 1280x720 30\nH264 640x480 30")
    choice = choose_mode(only, HD, HIGH)
    assert (choice.mode, choice.passthrough) == (only[0], False)


def test_h264_passes_through_only_up_to_the_requested_size():
    choice = choose_mode(modes("H264 1920x1080 30"), HD)
    assert not choice.passthrough
    assert choose_mode(modes("H264 640x360 30"), HD).passthrough


def test_frame_rate_counts_as_much_as_sharpness():
    raw_only = [mode for mode in CHEAP if mode.pixel_format == "YUYV"]
    assert choose_mode(raw_only, HD).mode == Mode("YUYV", 640, 480, 30)


def test_colour_formats_are_preferred_to_grey():
    infrared = modes("GREY 1280x720 30\nYUYV 640x480 30")
    assert choose_mode(infrared, HD).mode.pixel_format == "YUYV"
    assert choose_mode(infrared[:1], HD).mode.pixel_format == "GREY"


def test_unsupported_formats_are_not_chosen():
    assert choose_mode(modes("BA81 1280x720 30\nY16 640x480 30"), HD) is None
    assert choose_mode([], HD) is None


@pytest.mark.parametrize(
    ("span", "requested", "size"),
    [((32, 1920, 2), 1280, 1280), ((32, 1920, 2), 4000, 1920), ((64, 640, 16), 10, 64), ((10, 50, 0), 33, 33)],
)
def test_nearest_size_of_a_range(span, requested, size):
    assert nearest_size(*span, requested) == size


def test_nearest_rate_of_a_range_or_the_requested_rate_if_unknown():
    assert [nearest_rate(5, 60, rate) for rate in (1, 30, 90)] == [5, 30, 60]
    assert nearest_rate(0, 0, 30) == 30


MODES = st.builds(
    Mode, st.sampled_from(["BA81", *COST]), st.integers(16, 4096), st.integers(16, 4096), st.floats(0.5, 240)
)


@given(
    st.lists(MODES, max_size=20), st.builds(RequestedMode, st.integers(160, 3840), st.integers(90, 2160), st.just(30))
)
def test_the_choice_is_always_a_supported_mode_of_the_camera(offered, requested):
    choice = choose_mode(offered, requested)
    if choice is None:
        assert all(mode.pixel_format not in COST for mode in offered)
    else:
        assert choice.mode in offered
        assert choice.mode.pixel_format in COST
        assert choice.passthrough <= (choice.mode.pixel_format == "H264")


@given(st.lists(MODES, max_size=20), st.randoms())
def test_the_order_of_modes_does_not_matter(offered, random):
    shuffled = list(offered)
    random.shuffle(shuffled)
    first, second = choose_mode(offered, HD), choose_mode(shuffled, HD)
    assert (first is None) == (second is None)
    if first and second:
        assert first.mode.width * first.mode.height == second.mode.width * second.mode.height
        assert first.passthrough == second.passthrough
