"""The fakes keep the rules of the devices that they stand in for, and the signatures of their ports."""

import inspect

import av
import pytest

from broadcaster.devices.fakes import FakeCamera, FakeClock, FakeMicrophone, FakePanel
from broadcaster.devices.opus import FRAME_SAMPLES
from broadcaster.errors import PanelError, SourceAbsent, SourceError, StreamReason
from broadcaster.media.h264 import is_keyframe
from broadcaster.media.opus import packet_samples
from broadcaster.model.stream import AccessUnit, OpusFrame, StreamState
from broadcaster.ports import AudioSource, Clock, Control, Panel, VideoSource


class Sink:
    """Records everything that it receives."""

    def __init__(self) -> None:
        self.items: list[AccessUnit | OpusFrame] = []
        self.errors: list[SourceError] = []

    def picture(self, unit: AccessUnit) -> None:
        self.items.append(unit)

    def frame(self, frame: OpusFrame) -> None:
        self.items.append(frame)

    def failed(self, error: SourceError) -> None:
        self.errors.append(error)


class FakeDeviceDriver:
    """Drives a fake device, with a sink and a clock."""

    def __init__(self, kind: type[FakeCamera] | type[FakeMicrophone], **options: bool) -> None:
        self.clock = FakeClock()
        self.sink = Sink()
        self.device = kind(self.clock, **options)

    async def open(self) -> "FakeDeviceDriver":
        await self.device.open(self.sink)
        return self

    def step(self, count: int = 1) -> list[AccessUnit | OpusFrame]:
        before = len(self.sink.items)
        for _ in range(count):
            self.device.step()
            self.clock.advance(0.02)
        return self.sink.items[before:]


BOTH = pytest.mark.parametrize("kind", [FakeCamera, FakeMicrophone])


async def test_camera_delivers_real_h264_with_a_keyframe_per_second():
    driver = await FakeDeviceDriver(FakeCamera).open()
    units = driver.step(61)
    assert [index for index, unit in enumerate(units) if unit.keyframe] == [0, 30, 60]
    assert [is_keyframe(unit.data) for unit in units] == [unit.keyframe for unit in units]
    others = [len(unit.data) for unit in units if not unit.keyframe]
    assert 8 < len(units[0].data) / (sum(others) / len(others)) < 12
    decoder = av.CodecContext.create("h264", "r")
    assert sum(len(decoder.decode(av.Packet(unit.data))) for unit in units) == 61
    assert decoder.profile == "Constrained Baseline"


async def test_requested_keyframe_is_the_next_picture():
    driver = await FakeDeviceDriver(FakeCamera).open()
    driver.step(5)
    driver.device.request_keyframe()
    assert [unit.keyframe for unit in driver.step(2)] == [True, False]
    assert driver.device.keyframe_requests == 1


async def test_keyframe_requested_during_delivery_is_the_next_picture():
    driver = await FakeDeviceDriver(FakeCamera).open()
    driver.step(5)
    record = driver.sink.picture

    def record_and_request(unit: AccessUnit) -> None:
        record(unit)
        driver.device.request_keyframe()

    driver.sink.picture = record_and_request
    assert [unit.keyframe for unit in driver.step(3)] == [False, True, True]


async def test_camera_without_forced_keyframes_ignores_requests():
    driver = await FakeDeviceDriver(FakeCamera, forces_keyframes=False).open()
    driver.step(5)
    driver.device.request_keyframe()
    driver.device.set_bitrate(1)
    assert not driver.step()[0].keyframe
    assert driver.device.bitrates == []


async def test_microphone_delivers_real_opus():
    driver = await FakeDeviceDriver(FakeMicrophone).open()
    frames = driver.step(60)
    assert {packet_samples(frame.data) for frame in frames} == {FRAME_SAMPLES}
    decoder = av.CodecContext.create("opus", "r")
    decoder.sample_rate = 48000
    assert sum(len(decoder.decode(av.Packet(frame.data))) for frame in frames) == 60


@BOTH
async def test_items_have_the_time_of_the_clock(kind):
    driver = await FakeDeviceDriver(kind).open()
    assert [item.captured for item in driver.step(3)] == pytest.approx([1000.0, 1000.02, 1000.04])


@BOTH
async def test_nothing_is_delivered_before_open_or_after_close(kind):
    driver = FakeDeviceDriver(kind)
    assert driver.step() == []
    await driver.open()
    await driver.device.close()
    await driver.device.close()
    assert driver.step() == []
    assert (driver.device.opened, driver.device.closed) == (1, 1)


@BOTH
async def test_device_can_be_reopened_but_not_opened_twice(kind):
    driver = await FakeDeviceDriver(kind).open()
    with pytest.raises(RuntimeError):
        await driver.open()
    await driver.device.close()
    await driver.open()
    assert len(driver.step()) == 1


@BOTH
async def test_open_fails_as_often_as_scripted(kind):
    driver = FakeDeviceDriver(kind)
    driver.device.fail_open(StreamReason.CAMERA_BUSY, times=2)
    for _ in range(2):
        with pytest.raises(SourceError) as caught:
            await driver.open()
        assert caught.value.reason == StreamReason.CAMERA_BUSY
        assert not driver.device.is_open
    await driver.open()
    assert driver.device.is_open


@BOTH
async def test_mended_device_opens(kind):
    driver = FakeDeviceDriver(kind)
    driver.device.fail_open(StreamReason.NO_CAMERA, times=100)
    with pytest.raises(SourceError):
        await driver.open()
    driver.device.mend()
    await driver.open()
    assert driver.device.is_open


async def test_absent_microphone_opens_after_mend():
    driver = FakeDeviceDriver(FakeMicrophone)
    driver.device.be_absent(100)
    with pytest.raises(SourceAbsent):
        await driver.open()
    driver.device.mend()
    await driver.open()
    assert driver.device.is_open


async def test_resized_camera_continues_with_a_keyframe():
    driver = await FakeDeviceDriver(FakeCamera).open()
    driver.step(5)
    driver.device.resize(160, 90)
    units = driver.step(3)
    assert [unit.keyframe for unit in units] == [True, False, False]
    (frame,) = av.CodecContext.create("h264", "r").decode(av.Packet(units[0].data))
    assert (frame.width, frame.height) == (160, 90)


@BOTH
async def test_stalled_device_delivers_nothing_until_resumed(kind):
    driver = await FakeDeviceDriver(kind).open()
    driver.device.stall()
    assert driver.step(5) == []
    assert driver.sink.errors == []
    driver.device.resume()
    assert len(driver.step()) == 1


@pytest.mark.parametrize(("kind", "reason"), [(FakeCamera, "camera-lost"), (FakeMicrophone, "internal")])
async def test_vanished_device_fails_once_and_works_after_reopening(kind, reason):
    driver = await FakeDeviceDriver(kind).open()
    driver.device.vanish()
    driver.device.vanish()
    driver.device.resume()
    assert driver.step(3) == []
    assert [error.reason for error in driver.sink.errors] == [reason]
    await driver.device.close()
    await driver.open()
    assert len(driver.step()) == 1


@BOTH
async def test_capture_times_can_be_shifted_back(kind):
    driver = await FakeDeviceDriver(kind).open()
    before = driver.step()[0].captured
    driver.device.shift_time(-5.0)
    assert driver.step()[0].captured == pytest.approx(before + 0.02 - 5.0)


@BOTH
async def test_garbled_item_is_followed_by_a_valid_one(kind):
    driver = await FakeDeviceDriver(kind).open()
    driver.device.garble()
    garbage, valid = driver.step(2)
    assert not is_keyframe(garbage.data)
    assert garbage.data != valid.data
    assert garbage.data not in (item.data for item in driver.step(60))


async def test_bloated_keyframe_is_followed_by_a_normal_one():
    driver = await FakeDeviceDriver(FakeCamera).open()
    normal = driver.step(3)[0]
    driver.device.bloat()
    huge, following = driver.step(2)
    assert is_keyframe(huge.data)
    assert len(huge.data) > 10 * len(normal.data)
    assert following.data == normal.data


def test_fake_clock_is_monotonic():
    clock = FakeClock(monotonic=5.0, unix=100.0)
    clock.advance(2.0)
    clock.jump(-50.0)
    assert (clock.monotonic(), clock.unix()) == (7.0, 52.0)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1.0)


def test_fake_panel_records_what_is_shown():
    controls: list[Control] = []
    panel = FakePanel()
    panel.press()
    panel.show(StreamState.LIVE, muted=False)
    panel.open(controls.append)
    panel.press()
    panel.press(Control.HOLD)
    panel.show(StreamState.OFFLINE, muted=False)
    panel.show(StreamState.LIVE, muted=True)
    panel.show_viewers(2)
    panel.acknowledge()
    with pytest.raises(RuntimeError):
        panel.open(controls.append)
    panel.close()
    panel.close()
    panel.press()
    panel.show_viewers(0)
    panel.acknowledge()
    assert controls == [Control.TOGGLE, Control.HOLD]
    assert list(zip(panel.shown, panel.muted, strict=True)) == [("offline", False), ("live", True)]
    assert (panel.viewers, panel.acknowledged) == ([2], 1)


def test_missing_fake_panel_cannot_be_opened():
    panel = FakePanel()
    panel.missing = True
    with pytest.raises(PanelError):
        panel.open(lambda control: None)
    assert not panel.is_open


@pytest.mark.parametrize(
    ("fake", "port"), [(FakeCamera, VideoSource), (FakeMicrophone, AudioSource), (FakePanel, Panel), (FakeClock, Clock)]
)
def test_fake_takes_the_arguments_that_its_port_prescribes(fake, port):
    methods = {name: method for name, method in vars(port).items() if inspect.isfunction(method) and name[0] != "_"}
    assert methods
    for name, method in methods.items():
        assert list(inspect.signature(getattr(fake, name)).parameters) == list(inspect.signature(method).parameters)
