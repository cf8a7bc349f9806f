"""What systemd is told of the daemon, and when its watchdog is fed."""

import logging

from broadcaster.devices.fakes.clock import FakeClock
from broadcaster.errors import StreamReason
from broadcaster.model.stats import StreamReport
from broadcaster.model.stream import AudioState, StreamState, StreamStatus
from broadcaster.service.systemd import Service

WATCHDOG = 8.0


class Manager:
    """Keeps what it is told; `busy` makes it refuse."""

    def __init__(self):
        self.told = []
        self.busy = False

    def __bool__(self):
        return True

    def send(self, *assignments):
        if not self.busy:
            self.told.append(assignments)
        return not self.busy


class Stream:
    """A stream whose figures the test writes."""

    def __init__(self):
        self.state, self.reason, self.sound = StreamState.OFFLINE, None, AudioState.ON
        self.pictures = self.openings = 0

    @property
    def status(self):
        return StreamStatus(self.state, 0.0, self.sound, self.reason)

    def report(self):
        return StreamReport("fake", "fake", "fake", 640, 360, 30, self.pictures, 0, self.openings)


class ServiceRig:
    def __init__(self, watchdog=WATCHDOG):
        self.manager, self.stream, self.clock, self.viewers = Manager(), Stream(), FakeClock(), 0
        self.service = Service(self.manager, watchdog, self.stream, lambda: self.viewers, self.clock)

    def tick(self, seconds=1.0):
        """Let a second pass, and return what was told at its end."""
        before = len(self.manager.told)
        self.clock.advance(seconds)
        self.service.report()
        return self.manager.told[before:]

    def meals(self, seconds):
        """How often the watchdog is fed in that time."""
        return sum("WATCHDOG=1" in told for _ in range(seconds) for told in self.tick())


def test_it_is_ready_once_and_says_how_it_fares():
    rig = ServiceRig()
    rig.service.report()
    assert rig.manager.told == [("READY=1", "STATUS=offline, 0 viewers", "WATCHDOG=1")]
    assert rig.tick() == []


def test_every_change_is_told_in_one_line():
    rig = ServiceRig(watchdog=None)
    rig.service.report()
    rig.stream.state, rig.viewers = StreamState.LIVE, 1
    assert rig.tick() == [("STATUS=live, 1 viewer",)]
    rig.viewers, rig.stream.sound = 3, AudioState.LOST
    assert rig.tick() == [("STATUS=live, 3 viewers, sound lost",)]
    rig.stream.state, rig.stream.reason, rig.stream.sound = StreamState.FAILED, StreamReason.CAMERA_LOST, AudioState.ON
    assert rig.tick() == [("STATUS=failed (camera-lost), 3 viewers",)]


def test_what_did_not_arrive_is_told_again():
    rig = ServiceRig()
    rig.manager.busy = True
    rig.service.report()
    rig.manager.busy = False
    assert rig.tick() == [("READY=1", "STATUS=offline, 0 viewers", "WATCHDOG=1")]
    rig.stream.state = StreamState.STARTING
    rig.manager.busy = True
    assert rig.tick() == []
    rig.manager.busy = False
    assert rig.tick() == [("STATUS=starting, 0 viewers",)]


def test_the_watchdog_is_fed_twice_as_often_as_it_asks():
    assert ServiceRig().meals(80) == 20
    assert ServiceRig(watchdog=None).meals(80) == 0


def test_no_food_for_a_live_stream_without_pictures_until_they_come_back(caplog):
    rig = ServiceRig()
    rig.stream.state = StreamState.LIVE
    assert rig.meals(5) == 2
    assert rig.meals(60) == 0
    rig.stream.pictures += 1
    assert rig.meals(1) == 1
    assert [record.levelno for record in caplog.records] == [logging.ERROR], "said once"
    assert "live, and no picture for" in caplog.text


def test_a_failed_stream_is_fed_as_long_as_it_tries():
    rig = ServiceRig()
    rig.stream.state = StreamState.FAILED
    for _ in range(20):
        rig.stream.openings += 1
        assert rig.meals(40) == 10
    rig.meals(60)
    assert rig.meals(60) == 0


def test_going_down_is_told():
    rig = ServiceRig()
    rig.service.stopping()
    assert rig.manager.told == [("STOPPING=1", "STATUS=going down")]
