"""Selection and configuration of a CSI camera, without opening one."""

from unittest import mock

import pytest

from broadcaster.devices.board import Board
from broadcaster.devices.picamera.cameras import Camera, pick_camera
from broadcaster.devices.picamera.configuration import configuration
from broadcaster.errors import SourceError
from broadcaster.settings import VideoSettings

FRONT = Camera(0, "imx708", "/base/soc/i2c0mux/i2c@1/imx708@1a")
BACK = Camera(1, "imx219", "/base/soc/i2c0mux/i2c@0/imx219@10")
PI_4 = Board("Raspberry Pi 4 Model B Rev 1.4", 4 << 30, "/dev/video11", True)


@pytest.mark.parametrize("device", ["1", "imx219", "IMX219", BACK.id])
def test_pick_camera_by_number_model_or_id(device):
    assert pick_camera([FRONT, BACK], device) == BACK


def test_pick_camera_without_a_name_returns_the_first():
    assert pick_camera([FRONT, BACK], "") == FRONT


@pytest.mark.parametrize("device", ["2", "imx477", "/dev/video0"])
def test_an_unknown_camera_error_lists_the_available_ones(device):
    with pytest.raises(SourceError, match=f"'{device}': no such CSI camera; available: 0: imx708 .*, 1: imx219"):
        pick_camera([FRONT, BACK], device)


def test_no_camera_error_mentions_the_cable():
    with pytest.raises(SourceError, match="ribbon cable"):
        pick_camera([], "imx477")


@pytest.mark.parametrize(
    ("rotation", "flip", "flips"),
    [
        (0, "none", {"hflip": False, "vflip": False}),
        (180, "none", {"hflip": True, "vflip": True}),
        (0, "horizontal", {"hflip": True, "vflip": False}),
        (0, "vertical", {"hflip": False, "vflip": True}),
        (180, "horizontal", {"hflip": False, "vflip": True}),
        (180, "vertical", {"hflip": True, "vflip": False}),
    ],
)
def test_configuration_combines_rotation_and_flip(rotation, flip, flips):
    transform = mock.Mock()
    configuration(mock.Mock(), transform, VideoSettings(rotation=rotation, flip=flip), PI_4)
    transform.assert_called_once_with(**flips)


@pytest.mark.parametrize(("memory", "buffers"), [(437_904 << 10, 4), (931_116 << 10, 6), (8 << 30, 6)])
def test_configuration_uses_fewer_buffers_with_little_memory(memory, buffers):
    camera = mock.Mock()
    configuration(camera, mock.Mock(), VideoSettings(), Board("", memory, "", True))
    assert camera.create_video_configuration.call_args.kwargs["buffer_count"] == buffers
