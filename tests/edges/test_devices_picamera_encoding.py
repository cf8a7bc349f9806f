"""Hardware and software encoding of CSI cameras: the real picamera2 on a simulated board."""

from __future__ import annotations

import threading

import pytest

from broadcaster.devices import v4l2
from broadcaster.devices.fakes import canned
from broadcaster.devices.picamera import source
from broadcaster.errors import SourceError
from tests.edges.devices_rig import Sink, decoded, opened
from tests.edges.picamera_rig import PI_4, failing, new_camera, simulated_pi, until
from tests.rigs.libcamera import LEVELS, U, V


@pytest.fixture
def pi(monkeypatch):
    yield from simulated_pi(monkeypatch)


# Software encoding, as on a Pi 5


async def test_a_pi_5_encodes_in_software(pi):
    camera = new_camera(width=336)  # its rows are padded to 384
    async with opened(camera) as sink:
        units = list(await sink.until(12))
    assert (camera.traits.source, camera.traits.encoder) == ("picamera2 (imx708)", "libx264")
    assert units[0].keyframe
    assert [unit.captured for unit in units] == pytest.approx(
        [time for time in pi.sensor.times if time in _times(units)]
    )
    for picture in decoded(units):
        assert (picture.width, picture.height) == (336, 180)
        colours = [
            bytes(plane)[row * plane.line_size + 100] for plane in picture.planes for row in (0, plane.height - 1)
        ]
        assert min(abs(colours[0] - level) for level in LEVELS) <= 2
        assert colours == pytest.approx([colours[0], colours[0], U, U, V, V], abs=3)


def _times(units) -> list[float]:
    return [unit.captured for unit in units]


async def test_software_encoding_honours_keyframe_requests_and_bit_rates(pi):
    camera = new_camera(keyframe_interval=30.0)
    async with opened(camera) as sink:
        seen = len(await sink.until(3))
        assert not any(unit.keyframe for unit in sink.items[1:])
        camera.request_keyframe()
        camera.set_bitrate(300_000)
        await until(lambda: any(unit.keyframe for unit in sink.items[seen:]))
    assert not pi.codec.opened


async def test_pictures_are_skipped_with_one_warning_if_encoding_is_too_slow(pi, monkeypatch, caplog):
    go, exposed = threading.Event(), []
    encode = source.Encoder.encode

    def slow(*arguments: object) -> object:
        exposed.append(len(pi.sensor.times))
        assert go.wait(10)
        return encode(*arguments)

    monkeypatch.setattr(source.Encoder, "encode", slow)
    async with opened(new_camera()) as sink:
        await until(lambda: exposed and len(pi.sensor.times) > exposed[0] + 10)
        go.set()
        units = await sink.until(4)
        # The first picture and the one that waited, then current ones: those in between were skipped, not delayed.
        assert units[2].captured - units[1].captured > 4 / 30
    assert sum("pictures skipped" in record.message for record in caplog.records) == 1


async def test_a_failing_encoder_is_reported_and_the_camera_can_be_closed(pi, monkeypatch):
    def fail(*_: object) -> None:
        raise SourceError("encoder", "libx264: broken")

    monkeypatch.setattr(source.Encoder, "encode", fail)
    camera, sink = new_camera(), Sink()
    await camera.open(sink)
    assert (await sink.failure()).reason == "encoder"
    await camera.close()
    assert not pi.sensor.is_open


# The board's hardware encoder


async def test_a_board_with_a_hardware_encoder_uses_it(pi):
    camera = new_camera(PI_4, keyframe_interval=1.0)
    async with opened(camera) as sink:
        units = list(await sink.until(12))
    assert camera.traits.encoder == "hardware (/dev/video11)"
    assert camera.traits.can_force_keyframe
    assert camera.traits.can_set_bitrate
    assert [unit.data for unit in units[:12]] == list(canned.pictures()[:12])
    assert [unit.keyframe for unit in units[:12]] == [True] + [False] * 11
    sensor = iter(pi.sensor.times)  # in order; picamera2's encoder counts from its own first picture
    assert all(any(abs(unit.captured - moment) < 2e-6 for moment in sensor) for unit in units)
    kernel = pi.codec.v4l2
    assert pi.codec.log == [
        ("V4L2_CID_MPEG_VIDEO_BITRATE", 500_000),
        ("format", 320, 180),
        ("format", 320, 180),
        ("V4L2_CID_MPEG_VIDEO_H264_PROFILE", kernel.V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE),
        ("V4L2_CID_MPEG_VIDEO_H264_I_PERIOD", 30),
        ("V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER", 1),
        "on",
        "on",
        "off",
        "off",
    ]
    assert pi.codec.closed


@pytest.mark.parametrize("old", [False, True], ids=["force_key_frame", "picamera2 before 0.3.32"])
async def test_hardware_encoding_honours_keyframe_requests(pi, monkeypatch, old):
    if old:
        monkeypatch.delattr(pi.modules["picamera2.encoders.h264_encoder"].H264Encoder, "force_key_frame")
    camera = new_camera(PI_4)
    async with opened(camera) as sink:
        seen = len(await sink.until(3))
        camera.request_keyframe()
        await until(lambda: any(unit.keyframe for unit in sink.items[seen:]))
    assert pi.codec.log.count(("V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME", 1)) == 1


async def test_hardware_bit_rate_changes_while_running_in_steps(pi):
    camera = new_camera(PI_4)
    async with opened(camera) as sink:
        await sink.until(2)
        for rate in (509_999, 412_345, 400_001, 10):
            camera.set_bitrate(rate)
        requests = [("V4L2_CID_MPEG_VIDEO_BITRATE", rate) for rate in (400_000, 25_000)]
        await until(lambda: pi.codec.log[-2:] == requests)


def test_control_numbers_are_those_of_the_kernel(pi):
    kernel = pi.codec.v4l2
    assert v4l2.VIDIOC_S_CTRL == kernel.VIDIOC_S_CTRL & 0xFFFFFFFF
    assert {
        "HFLIP": v4l2.HFLIP,
        "VFLIP": v4l2.VFLIP,
        "MPEG_VIDEO_BITRATE": v4l2.BITRATE,
        "MPEG_VIDEO_REPEAT_SEQ_HEADER": v4l2.REPEAT_SETS,
        "MPEG_VIDEO_FORCE_KEY_FRAME": v4l2.FORCE_KEYFRAME,
        "MPEG_VIDEO_H264_I_PERIOD": v4l2.KEYFRAME_INTERVAL,
        "MPEG_VIDEO_H264_PROFILE": v4l2.PROFILE,
    }.items() <= {name.removeprefix("V4L2_CID_"): number for name, number in vars(kernel).items()}.items()
    assert v4l2.CONSTRAINED_BASELINE == kernel.V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE


@pytest.mark.parametrize(
    ("call", "error", "reason", "text"),
    [
        ("open", PermissionError(13, "Permission denied"), "internal", "usermod"),
        ("open", FileNotFoundError(2, "No such file or directory", "/dev/video11"), "encoder", "/dev/video11"),
        ("VIDIOC_STREAMON", ProcessLookupError(3, "No such process"), "encoder", "No such process"),
        ("VIDIOC_REQBUFS", OSError(16, "Device or resource busy"), "encoder", "busy"),
    ],
)
async def test_an_encoder_that_fails_to_start_is_released(pi, call, error, reason, text):
    camera, threads = new_camera(PI_4), threading.active_count()
    pi.codec.errors[call] = error
    async with failing(camera) as caught:
        assert caught.reason == reason
        assert text in caught.detail
    await until(lambda: threading.active_count() <= threads)
    pi.codec.errors.clear()
    async with opened(camera) as sink:
        assert (await sink.until(1))[0].keyframe


async def test_the_hardware_encoder_rejects_pictures_that_are_too_wide(pi):
    async with failing(new_camera(PI_4, width=2304, height=1296)) as caught:
        assert caught.reason == "encoder"
        assert "video.width = 2304" in caught.detail
