"""Which small rendition a CSI camera has on which board, and why it has none."""

import pytest

from broadcaster.devices.board import Board
from broadcaster.devices.picamera.configuration import small_size
from broadcaster.settings import VideoSettings

ZERO_2_W = Board("Raspberry Pi Zero 2 W Rev 1.0", 437_904 << 10, "/dev/video11", True)
PI_4 = Board("Raspberry Pi 4 Model B Rev 1.4", 4 << 30, "/dev/video11", True)
PI_5 = Board("Raspberry Pi 5 Model B Rev 1.0", 8 << 30, "", True)


@pytest.mark.parametrize(
    ("settings", "board", "size", "reason"),
    [
        ({"width": 1280, "height": 720}, PI_4, (640, 360), ""),
        ({"width": 1280, "height": 720, "fps": 60}, PI_4, None, "it manages 245760"),
        ({"width": 1920, "height": 1080}, PI_4, None, "no time for 640x360 besides 1920x1080 at 30 fps (272400"),
        ({"width": 1920, "height": 1080, "fps": 25}, PI_4, (640, 360), ""),
        ({"width": 1280, "height": 720}, ZERO_2_W, None, 'set video.second = "640x360" to have one nevertheless'),
        ({"width": 1280, "height": 720, "second": "640x360"}, ZERO_2_W, (640, 360), ""),
        ({"width": 1920, "height": 1080, "fps": 60}, PI_5, (640, 360), ""),
        ({"width": 1280, "height": 720, "second": "off"}, PI_4, None, "video.second is off"),
        ({"width": 320, "height": 180}, PI_4, None, "too small for a second rendition"),
    ],
)
def test_size_or_reason_by_board(settings, board, size, reason):
    found, obstacle = small_size(VideoSettings(**settings), board)
    assert found == size
    assert reason in obstacle
    assert bool(obstacle) == (size is None)
