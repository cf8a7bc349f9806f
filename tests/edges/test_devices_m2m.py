"""The hardware encoder with libx264 in place of the board's codec."""

from __future__ import annotations

import av
import pytest

from broadcaster.devices.m2m import HardwareEncoder, hardware_obstacle
from broadcaster.errors import SourceError
from broadcaster.media.h264 import NalType, is_keyframe, nal_type, split_nal_units
from tests.edges.devices_rig import decoded, pictures, times
from tests.edges.test_devices_usb_pipelines import FPS, HEIGHT, WIDTH, without_sets


class DelayedCodec:
    """libx264 that behaves like a hardware encoder: parameter sets only once, output one picture late."""

    opened = 0

    def __init__(self) -> None:
        object.__setattr__(self, "_codec", av.CodecContext.create("libx264", "w"))
        object.__setattr__(self, "_held", [])
        object.__setattr__(self, "_count", 0)
        self._codec.options = {"profile": "baseline", "tune": "zerolatency", "forced-idr": "1"}

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._codec, name, value)

    def open(self) -> None:
        DelayedCodec.opened += 1
        self._codec.open()

    def encode(self, picture: av.VideoFrame | None) -> list[av.Packet]:
        held, new = list(self._held), []
        for packet in self._codec.encode(picture):
            data = bytes(packet)
            first = self._count == 0
            object.__setattr__(self, "_count", self._count + 1)
            if first:
                sets = b"".join(
                    b"\0\0\0\1" + bytes(nal)
                    for nal in split_nal_units(data)
                    if nal_type(nal) in (NalType.SPS, NalType.PPS)
                )
                new.append(av.Packet(sets))
            picture_packet = av.Packet(without_sets(data))
            picture_packet.pts = packet.pts
            new.append(picture_packet)
        self._held[:] = new
        return held + (new if picture is None else [])


def test_hardware_encoder_keeps_capture_times_and_repeats_parameter_sets():
    DelayedCodec.opened = 0
    encoder = HardwareEncoder(
        width=WIDTH, height=HEIGHT, fps=FPS, bitrate=500_000, keyframe_interval=0.4, create=DelayedCodec
    )
    units = []
    for number, picture in enumerate(pictures(25, WIDTH, HEIGHT)):
        if number == 4:
            encoder.request_keyframe()
        if number == 12:
            encoder.set_bitrate(300_000)
        units += encoder.encode(picture, 50 + number)
    assert times(units) == [50 + number for number in range(24)]  # the last one is still in the encoder
    assert [int(unit.captured - 50) for unit in units if unit.keyframe] == [0, 4, 14]
    assert all(is_keyframe(unit.data) for unit in units if unit.keyframe)
    assert len(decoded(units)) == 24
    assert DelayedCodec.opened == 2  # the new rate needed a new encoder, at the next due keyframe


def test_hardware_encoder_with_an_unsupported_profile_raises():
    class High(DelayedCodec):
        def __init__(self) -> None:
            super().__init__()
            self._codec.options = {"profile": "high", "preset": "medium", "tune": "zerolatency"}

    encoder = HardwareEncoder(width=WIDTH, height=HEIGHT, fps=FPS, bitrate=500_000, keyframe_interval=1, create=High)
    first, second = pictures(2, WIDTH, HEIGHT)
    assert encoder.encode(first, 0) == []
    with pytest.raises(SourceError, match="profile is High"):
        encoder.encode(second, 0)


@pytest.mark.parametrize(
    ("size", "text"),
    [((1280, 720), None), ((1920, 1080), None), ((2560, 1440), "at most 1920x1080"), ((848, 480), "multiples of 64")],
)
def test_hardware_obstacle(size, text):
    obstacle = hardware_obstacle(*size)
    assert obstacle is None if text is None else text in obstacle
