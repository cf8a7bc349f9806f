"""The stream as a whole, with sources that fail on request, on a clock that costs no time."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator

from broadcaster.errors import DeviceHung, SourceBug, SourceError, StreamReason
from broadcaster.model.stream import AccessUnit, AudioState, OpusFrame, StreamState
from broadcaster.ports import VideoTraits
from broadcaster.stream.audio import GRACE
from broadcaster.stream.backoff import LONGEST_DELAY, STEADY
from broadcaster.stream.bug_log import BugLog
from broadcaster.stream.controller import OPEN_LIMIT, StreamController
from broadcaster.stream.hub import Hub
from tests.rigs.timetravel import TravelClock, travel

KEYFRAME = b"\0\0\0\1\x67\x42\0\0\0\1\x68\xce\0\0\0\1\x65x"


class Device:
    """Counts openings; `fault` is raised at open, `opening` is how long that takes."""

    fault: Exception | None = None
    opening = 0.0

    def __init__(self) -> None:
        self.opened = 0
        self.is_open = False
        self.sink = None

    async def open(self, sink) -> None:
        self.opened += 1
        if self.opening:
            await asyncio.sleep(self.opening)
        if self.fault:
            raise self.fault
        self.is_open, self.sink = True, sink

    async def close(self) -> None:
        self.is_open = False


class Camera(Device):
    traits = VideoTraits("fake", "fake", 640, 360, 30, True, False)

    def request_keyframe(self) -> None:
        pass

    def give(self, clock: TravelClock) -> None:
        self.sink.picture(AccessUnit(KEYFRAME, clock.now, keyframe=True))


class Microphone(Device):
    name = "fake"

    def give(self, clock: TravelClock) -> None:
        self.sink.frame(OpusFrame(b"opus", clock.now))


class ControllerRig:
    def __init__(self, clock: TravelClock, *, sound: bool = True) -> None:
        self.clock, self.camera, self.microphone = clock, Camera(), Microphone()
        self.wishes: list[bool] = []
        hub = Hub(clock)
        self.sounds: list[OpusFrame] = []
        hub.publish_audio = self.sounds.append
        source = self.microphone if sound else None
        self.bugs = BugLog()
        self.live = StreamController(
            self.camera, source, hub, clock, bugs=self.bugs, on_desired_state=self.wishes.append
        )
        self.told: list[tuple[StreamState, StreamReason | None, AudioState]] = []
        self.live.watch(lambda status: self.told.append((status.state, status.reason, status.sound)))

    @property
    def state(self) -> StreamState:
        return self.live.status.state

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.live.run())
        yield
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not self.camera.is_open
        assert not self.microphone.is_open

    async def raise_a_bug(self) -> None:
        raise LookupError("a bug")

    async def go_live(self) -> None:
        self.live.set_live(True)
        await asyncio.sleep(0.1)
        self.camera.give(self.clock)
        assert self.state is StreamState.LIVE


def test_on_air_and_off_again_opens_and_closes_everything():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            assert not rig.camera.is_open
            await rig.go_live()
            assert rig.microphone.is_open
            rig.live.set_live(False)
            await asyncio.sleep(0.1)
            assert not rig.camera.is_open
            assert not rig.microphone.is_open
        states = [state for state, _, _ in rig.told]
        assert states == ["starting", "live", "stopping", "offline"]
        assert rig.wishes == [True, False]

    travel(scenario)


def test_asking_for_what_already_is_changes_nothing():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            rig.live.set_live(False)
            await rig.go_live()
            told = list(rig.told)
            rig.live.set_live(True)
            assert rig.told == told
            assert rig.wishes == [True]

    travel(scenario)


def test_a_button_press_means_the_opposite_of_the_last_wish_also_in_failed():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            rig.camera.fault = SourceError("camera-busy", "somebody has it")
            rig.live.toggle()
            await asyncio.sleep(0.1)
            assert rig.state is StreamState.FAILED
            rig.live.toggle()
            await asyncio.sleep(0.1)
            assert rig.state is StreamState.OFFLINE

    travel(scenario)


def test_a_missing_camera_is_tried_again_until_it_is_there():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            rig.camera.fault = SourceError("no-camera", "none found")
            rig.live.set_live(True)
            await asyncio.sleep(6.5)
            assert rig.camera.opened == 3
            assert rig.told[-1][:2] == ("failed", "no-camera")
            since = rig.live.status.since
            rig.camera.fault = None
            await asyncio.sleep(2)
            rig.camera.give(clock)
            assert rig.state is StreamState.LIVE
            assert rig.live.status.since > since
        assert [state for state, _, _ in rig.told] == ["starting", "failed", "live"]

    travel(scenario)


def test_a_camera_without_pictures_is_noticed_and_opened_anew():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            await rig.go_live()
            await asyncio.sleep(1.9)
            assert rig.state is StreamState.LIVE
            await asyncio.sleep(0.2)
            assert rig.told[-1][:2] == ("failed", "camera-stalled")
            await asyncio.sleep(1.1)
            assert rig.camera.opened == 2
            rig.camera.give(clock)
            assert rig.state is StreamState.LIVE

    travel(scenario)


def test_what_is_wrong_is_logged_once_though_every_try_ends_the_same(caplog):
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            rig.camera.fault = SourceError("no-camera", "none found")
            rig.live.set_live(True)
            await asyncio.sleep(100)
            assert rig.camera.opened > 5
            rig.camera.fault = None
            await asyncio.sleep(60)  # it opens by now, and gives no picture
            for _ in range(round(STEADY) + 40):
                rig.camera.give(clock)
                await asyncio.sleep(1)
            assert rig.state is StreamState.LIVE
            rig.camera.fault = SourceError("no-camera", "none found")
            await asyncio.sleep(10)

    caplog.set_level("INFO")
    travel(scenario)
    said = [record.message.removeprefix("video: ").split(";")[0] for record in caplog.records if record.levelno > 20]
    assert said == ["none found", "no keyframe within 10 s of opening the source", "no picture for 2 s", "none found"]


def test_a_device_that_hangs_when_it_is_closed_ends_the_stream():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock, sound=False)

        async def hang() -> None:
            raise DeviceHung("the camera hangs")

        rig.camera.close = hang
        task = asyncio.create_task(rig.live.run())
        await rig.go_live()
        rig.live.set_live(False)
        outcome = (await asyncio.gather(task, return_exceptions=True))[0]
        assert isinstance(outcome, DeviceHung)

    travel(scenario)


def test_pictures_keep_the_stream_alive():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            await rig.go_live()
            for _ in range(20):
                await asyncio.sleep(1)
                rig.camera.give(clock)
            assert rig.state is StreamState.LIVE
            assert rig.camera.opened == 1

    travel(scenario)


def test_a_start_without_a_keyframe_fails_after_ten_seconds():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            rig.live.set_live(True)
            await asyncio.sleep(9.9)
            assert rig.state is StreamState.STARTING
            await asyncio.sleep(0.2)
            assert rig.told[-1][:2] == ("failed", "camera-stalled")

    travel(scenario)


def test_a_lost_camera_tells_viewers_why():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            await rig.go_live()
            rig.live.failed(SourceError("camera-lost", "unplugged"))
            assert rig.told[-1][:2] == ("failed", "camera-lost")
            await asyncio.sleep(0.1)
            assert not rig.camera.is_open

    travel(scenario)


def test_a_lost_microphone_leaves_the_video_alone_and_is_tried_again():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            await rig.go_live()
            rig.microphone.sink.failed(SourceError("internal", "unplugged"))
            await asyncio.sleep(0.1)
            assert rig.told[-1] == ("live", None, "lost")
            rig.camera.give(clock)
            await asyncio.sleep(1)
            assert rig.microphone.opened == 2
            rig.microphone.give(clock)
            assert rig.told[-1] == ("live", None, "on")
            assert rig.camera.opened == 1

    travel(scenario)


def test_a_microphone_that_cannot_be_opened_backs_off():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            rig.microphone.fault = SourceError("internal", "busy")
            await rig.go_live()
            for _ in range(10):
                await asyncio.sleep(1)
                rig.camera.give(clock)
            assert rig.microphone.opened == 4

    travel(scenario)


def test_muted_sound_goes_to_nobody_and_viewers_are_told_that_there_is_none():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            await rig.go_live()
            rig.microphone.give(clock)
            rig.live.mute(True)
            assert rig.told[-1] == ("live", None, "none")
            told = len(rig.told)
            rig.live.mute(True)
            rig.microphone.give(clock)
            assert len(rig.told) == told
            assert len(rig.sounds) == 1
            rig.live.mute(False)
            assert rig.told[-1] == ("live", None, "on")
            rig.microphone.give(clock)
            assert len(rig.sounds) == 2

    travel(scenario)


def test_muted_stays_muted_when_the_stream_stops_and_when_the_microphone_comes_and_goes():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            rig.live.mute(True)
            await rig.go_live()
            rig.microphone.sink.failed(SourceError("internal", "unplugged"))
            await asyncio.sleep(0.1)
            assert rig.live.status.sound is AudioState.NONE
            rig.live.mute(False)
            assert rig.live.status.sound is AudioState.LOST
            rig.live.mute(True)
            rig.live.set_live(False)
            await asyncio.sleep(0.1)
            await rig.go_live()
            assert rig.live.muted
            assert rig.live.status.sound is AudioState.NONE

    travel(scenario)


def test_without_a_microphone_there_is_nothing_to_mute():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock, sound=False)
        async with rig.running():
            rig.live.mute(True)
            assert not rig.live.muted
            assert rig.told == []

    travel(scenario)


def test_without_a_microphone_there_is_no_sound_on_purpose():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock, sound=False)
        async with rig.running():
            await rig.go_live()
            assert rig.live.status.sound is AudioState.NONE

    travel(scenario)


def test_a_start_while_the_camera_closes_is_done_next():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            await rig.go_live()
            rig.live.set_live(False)
            rig.live.set_live(True)
            assert rig.state is StreamState.STOPPING
            await asyncio.sleep(0.1)
            rig.camera.give(clock)
            assert rig.state is StreamState.LIVE
            assert rig.camera.opened == 2

    travel(scenario)


def test_a_stop_while_the_camera_opens_ends_with_a_closed_camera():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        rig.camera.opening = 3.0
        async with rig.running():
            rig.live.set_live(True)
            await asyncio.sleep(1)
            rig.live.set_live(False)
            assert rig.state is StreamState.STOPPING
            await asyncio.sleep(3)
            assert rig.state is StreamState.OFFLINE
            assert not rig.camera.is_open

    travel(scenario)


def test_a_jump_of_the_wall_clock_changes_no_timer_and_no_age():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            await rig.go_live()
            clock.unix_offset += 86_400 * 3650
            await asyncio.sleep(1)
            assert rig.state is StreamState.LIVE
            assert abs(clock.unix() - rig.live.status.since - 1) < 0.2

    travel(scenario)


def test_after_the_end_nothing_starts_any_more():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            await rig.go_live()
        wishes = list(rig.wishes)
        rig.live.set_live(False)
        assert rig.wishes == wishes

    travel(scenario)


def test_a_change_of_sound_is_a_line_of_its_own_while_there_is_a_picture(caplog):
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        rig.microphone.fault = SourceError("internal", "unplugged")
        async with rig.running():
            await rig.go_live()
            await asyncio.sleep(0.5)
            rig.microphone.fault = None
            for _ in range(20):  # the next try is a second later
                rig.camera.give(clock)
                if rig.microphone.is_open:
                    rig.microphone.give(clock)
                await asyncio.sleep(0.1)
            rig.microphone.sink.failed(SourceError("internal", "unplugged"))
            await asyncio.sleep(GRACE + 0.1)

    caplog.set_level("INFO", "broadcaster.stream.stream_log")
    travel(scenario)
    assert [record.message for record in caplog.records if record.message.startswith("stream is")] == [
        "stream is starting",
        "stream is live, audio lost",
        "stream is still live, now with audio",
        "stream is still live, now audio lost",
    ]


def test_what_ends_picture_and_sound_together_is_said_once(caplog):
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            await rig.go_live()
            await asyncio.sleep(0.1)
            rig.microphone.give(clock)
            rig.microphone.sink.failed(SourceError("file", "film.mp4: Input/output error"))
            await asyncio.sleep(GRACE / 2)
            rig.camera.sink.failed(SourceError("file", "film.mp4: Input/output error"))
            await asyncio.sleep(1)
            assert [sound for _, _, sound in rig.told] == ["on"] * len(rig.told)

    travel(scenario)
    assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
        "video: film.mp4: Input/output error; retrying"
    ]


def test_a_bug_while_the_camera_is_opened_or_closed_is_counted_and_the_stream_is_tried_again(caplog):
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            rig.camera.fault = struct.error("a bug")
            rig.live.set_live(True)
            await asyncio.sleep(4)
            assert rig.told[-1][:2] == ("failed", "internal")
            assert (rig.camera.opened, rig.bugs.count) == (3, 3)
            rig.camera.fault = None
            await asyncio.sleep(4)
            rig.camera.give(clock)
            assert rig.state is StreamState.LIVE
            close, rig.camera.close = rig.camera.close, rig.raise_a_bug
            rig.live.set_live(False)
            await asyncio.sleep(0.1)
            assert rig.state is StreamState.OFFLINE
            assert rig.live.report().internal_errors == 4
            rig.camera.close = close

    travel(scenario)
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [struct.error, LookupError]


def test_a_bug_in_a_cameras_thread_is_a_failure_with_its_traceback_once(caplog):
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            for _ in range(3):
                await rig.go_live()
                rig.live.failed(SourceBug("usb-video", LookupError("a bug")))
                assert rig.told[-1][:2] == ("failed", "internal")
                await asyncio.sleep(5)
            assert rig.bugs.count == 3

    travel(scenario)
    assert caplog.text.count("internal error in usb-video; please report it") == 1
    assert caplog.text.count("video: internal error in usb-video: LookupError: a bug") == 1


def test_an_open_that_never_ends_is_given_up_and_tried_again():
    async def scenario(clock: TravelClock) -> None:
        rig = ControllerRig(clock)
        async with rig.running():
            rig.camera.opening = 1e6
            rig.live.set_live(True)
            await asyncio.sleep(OPEN_LIMIT + 5)
            assert rig.camera.opened == 2
            rig.camera.opening = 0.0
            async with asyncio.timeout(OPEN_LIMIT + LONGEST_DELAY):
                while not rig.camera.is_open:
                    await asyncio.sleep(0.1)
            rig.camera.give(clock)
            assert rig.state is StreamState.LIVE

    travel(scenario)
