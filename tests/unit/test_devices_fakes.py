import av
import pytest

from broadcaster.devices.fakes import FakeCamera, FakeClock, FakeMicrophone, FakePanel
from broadcaster.devices.opus import FRAME_SAMPLES
from broadcaster.errors import PanelError, SourceAbsent, SourceError, StreamReason
from broadcaster.media.h264 import is_keyframe
from broadcaster.media.opus import packet_samples
from broadcaster.model.stream import AccessUnit, OpusFrame, StreamState
from broadcaster.ports import Control


class Sink:
    """Remembers all that it gets."""

    def __init__(self) -> None:
        self.items: list[AccessUnit | OpusFrame] = []
        self.errors: list[SourceError] = []

    def picture(self, unit: AccessUnit) -> None:
        self.items.append(unit)

    def frame(self, frame: OpusFrame) -> None:
        self.items.append(frame)

    def failed(self, error: SourceError) -> None:
        self.errors.append(error)


class FakesRig:
    """A fake device that is open, and its sink."""

    def __init__(self, kind: type[FakeCamera] | type[FakeMicrophone], **options: bool) -> None:
        self.clock = FakeClock()
        self.sink = Sink()
        self.device = kind(self.clock, **options)

    async def open(self) -> "FakesRig":
        await self.device.open(self.sink)
        return self

    def step(self, count: int = 1) -> list[AccessUnit | OpusFrame]:
        before = len(self.sink.items)
        for _ in range(count):
            self.device.step()
            self.clock.advance(0.02)
        return self.sink.items[before:]


BOTH = pytest.mark.parametrize("kind", [FakeCamera, FakeMicrophone])


async def test_the_camera_gives_real_pictures_with_a_keyframe_each_second():
    rig = await FakesRig(FakeCamera).open()
    units = rig.step(61)
    assert [index for index, unit in enumerate(units) if unit.keyframe] == [0, 30, 60]
    assert [is_keyframe(unit.data) for unit in units] == [unit.keyframe for unit in units]
    others = [len(unit.data) for unit in units if not unit.keyframe]
    assert 8 < len(units[0].data) / (sum(others) / len(others)) < 12
    decoder = av.CodecContext.create("h264", "r")
    assert sum(len(decoder.decode(av.Packet(unit.data))) for unit in units) == 61
    assert decoder.profile == "Constrained Baseline"


async def test_a_requested_keyframe_is_the_next_picture():
    rig = await FakesRig(FakeCamera).open()
    rig.step(5)
    rig.device.request_keyframe()
    assert [unit.keyframe for unit in rig.step(2)] == [True, False]
    assert rig.device.keyframe_requests == 1


async def test_a_keyframe_requested_while_a_picture_is_delivered_is_the_next_one():
    rig = await FakesRig(FakeCamera).open()
    rig.step(5)
    keep = rig.sink.picture

    def keep_and_request(unit: AccessUnit) -> None:
        keep(unit)
        rig.device.request_keyframe()

    rig.sink.picture = keep_and_request
    assert [unit.keyframe for unit in rig.step(3)] == [False, True, True]


async def test_a_camera_that_cannot_force_keyframes_does_not():
    rig = await FakesRig(FakeCamera, forces_keyframes=False).open()
    rig.step(5)
    rig.device.request_keyframe()
    rig.device.set_bitrate(1)
    assert not rig.step()[0].keyframe
    assert rig.device.bitrates == []


async def test_the_microphone_gives_real_opus():
    rig = await FakesRig(FakeMicrophone).open()
    frames = rig.step(60)
    assert {packet_samples(frame.data) for frame in frames} == {FRAME_SAMPLES}
    decoder = av.CodecContext.create("opus", "r")
    decoder.sample_rate = 48000
    assert sum(len(decoder.decode(av.Packet(frame.data))) for frame in frames) == 60


@BOTH
async def test_items_bear_the_time_of_the_clock(kind):
    rig = await FakesRig(kind).open()
    assert [item.captured for item in rig.step(3)] == pytest.approx([1000.0, 1000.02, 1000.04])


@BOTH
async def test_nothing_comes_before_open_or_after_close(kind):
    rig = FakesRig(kind)
    assert rig.step() == []
    await rig.open()
    await rig.device.close()
    await rig.device.close()
    assert rig.step() == []
    assert (rig.device.opened, rig.device.closed) == (1, 1)


@BOTH
async def test_it_is_opened_once_at_a_time_and_again_after_close(kind):
    rig = await FakesRig(kind).open()
    with pytest.raises(RuntimeError):
        await rig.open()
    await rig.device.close()
    await rig.open()
    assert len(rig.step()) == 1


@BOTH
async def test_opening_fails_as_often_as_scripted(kind):
    rig = FakesRig(kind)
    rig.device.fail_open(StreamReason.CAMERA_BUSY, times=2)
    for _ in range(2):
        with pytest.raises(SourceError) as caught:
            await rig.open()
        assert caught.value.reason == StreamReason.CAMERA_BUSY
        assert not rig.device.is_open
    await rig.open()
    assert rig.device.is_open


@BOTH
async def test_what_was_missing_can_be_mended(kind):
    rig = FakesRig(kind)
    rig.device.fail_open(StreamReason.NO_CAMERA, times=100)
    with pytest.raises(SourceError):
        await rig.open()
    rig.device.mend()
    await rig.open()
    assert rig.device.is_open


async def test_a_microphone_may_be_absent_until_it_is_there():
    rig = FakesRig(FakeMicrophone)
    rig.device.be_absent(100)
    with pytest.raises(SourceAbsent):
        await rig.open()
    rig.device.mend()
    await rig.open()
    assert rig.device.is_open


async def test_the_pictures_have_another_size_on_request():
    rig = await FakesRig(FakeCamera).open()
    rig.step(5)
    rig.device.resize(160, 90)
    units = rig.step(3)
    assert [unit.keyframe for unit in units] == [True, False, False]
    (frame,) = av.CodecContext.create("h264", "r").decode(av.Packet(units[0].data))
    assert (frame.width, frame.height) == (160, 90)


@BOTH
async def test_a_stall_is_silent_and_ends(kind):
    rig = await FakesRig(kind).open()
    rig.device.stall()
    assert rig.step(5) == []
    assert rig.sink.errors == []
    rig.device.resume()
    assert len(rig.step()) == 1


@pytest.mark.parametrize(("kind", "reason"), [(FakeCamera, "camera-lost"), (FakeMicrophone, "internal")])
async def test_a_vanished_device_says_so_once_and_is_gone_until_opened_anew(kind, reason):
    rig = await FakesRig(kind).open()
    rig.device.vanish()
    rig.device.vanish()
    rig.device.resume()
    assert rig.step(3) == []
    assert [error.reason for error in rig.sink.errors] == [reason]
    await rig.device.close()
    await rig.open()
    assert len(rig.step()) == 1


@BOTH
async def test_time_goes_back_on_request(kind):
    rig = await FakesRig(kind).open()
    before = rig.step()[0].captured
    rig.device.shift_time(-5.0)
    assert rig.step()[0].captured == pytest.approx(before + 0.02 - 5.0)


@BOTH
async def test_one_item_is_garbage_on_request(kind):
    rig = await FakesRig(kind).open()
    rig.device.garble()
    garbage, sound = rig.step(2)
    assert not is_keyframe(garbage.data)
    assert garbage.data != sound.data
    assert garbage.data not in (item.data for item in rig.step(60))


async def test_a_keyframe_is_huge_on_request_and_a_usual_one_follows():
    rig = await FakesRig(FakeCamera).open()
    usual = rig.step(3)[0]
    rig.device.bloat()
    huge, following = rig.step(2)
    assert is_keyframe(huge.data)
    assert len(huge.data) > 10 * len(usual.data)
    assert following.data == usual.data


def test_the_fake_clock_only_goes_on():
    clock = FakeClock(monotonic=5.0, unix=100.0)
    clock.advance(2.0)
    clock.jump(-50.0)
    assert (clock.monotonic(), clock.unix()) == (7.0, 52.0)
    with pytest.raises(ValueError, match="does not go back"):
        clock.advance(-1.0)


def test_the_fake_panel_is_pressed_and_looked_at():
    used: list[Control] = []
    panel = FakePanel()
    panel.press()
    panel.show(StreamState.LIVE, muted=False)
    panel.open(used.append)
    panel.press()
    panel.press(Control.HOLD)
    panel.show(StreamState.OFFLINE, muted=False)
    panel.show(StreamState.LIVE, muted=True)
    panel.show_viewers(2)
    panel.acknowledge()
    with pytest.raises(RuntimeError):
        panel.open(used.append)
    panel.close()
    panel.close()
    panel.press()
    panel.show_viewers(0)
    panel.acknowledge()
    assert used == [Control.TOGGLE, Control.HOLD]
    assert list(zip(panel.shown, panel.muted, strict=True)) == [("offline", False), ("live", True)]
    assert (panel.viewers, panel.acknowledged) == ([2], 1)


def test_a_missing_fake_panel_cannot_be_opened():
    panel = FakePanel()
    panel.missing = True
    with pytest.raises(PanelError):
        panel.open(lambda control: None)
    assert not panel.is_open
