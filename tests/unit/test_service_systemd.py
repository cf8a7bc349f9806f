"""Status reports to systemd and keep-alives to its watchdog."""

import logging

from broadcaster.devices.fakes.clock import FakeClock
from broadcaster.errors import StreamReason
from broadcaster.model.stats import StreamReport
from broadcaster.model.stream import AudioState, StreamState, StreamStatus
from broadcaster.service.systemd import ServiceNotifier

WATCHDOG = 8.0


class FakeNotifySocket:
    """Records what is sent; refuses it while `busy`."""

    def __init__(self):
        self.sent = []
        self.busy = False

    def __bool__(self):
        return True

    def send(self, *assignments):
        if not self.busy:
            self.sent.append(assignments)
        return not self.busy


class FakeStream:
    """A stream whose state and stats the test sets."""

    def __init__(self):
        self.state, self.reason, self.sound = StreamState.OFFLINE, None, AudioState.ON
        self.pictures = self.openings = 0

    @property
    def status(self):
        return StreamStatus(self.state, 0.0, self.sound, self.reason)

    def report(self):
        return StreamReport("fake", "fake", "fake", 640, 360, 30, self.pictures, 0, self.openings)


class ServiceDriver:
    def __init__(self, watchdog=WATCHDOG):
        self.socket, self.stream, self.clock, self.viewers = FakeNotifySocket(), FakeStream(), FakeClock(), 0
        self.service = ServiceNotifier(self.socket, watchdog, self.stream, lambda: self.viewers, self.clock)

    def tick(self, seconds=1.0):
        """Advance the clock, report, and return what was sent."""
        before = len(self.socket.sent)
        self.clock.advance(seconds)
        self.service.report()
        return self.socket.sent[before:]

    def keep_alives(self, seconds):
        """Advance the clock, and return the number of keep-alives sent."""
        return sum("WATCHDOG=1" in sent for _ in range(seconds) for sent in self.tick())


def test_first_report_has_readiness_status_and_keep_alive():
    driver = ServiceDriver()
    driver.service.report()
    assert driver.socket.sent == [("READY=1", "STATUS=offline, 0 viewers", "WATCHDOG=1")]
    assert driver.tick() == []


def test_every_change_is_sent_as_one_status_line():
    driver = ServiceDriver(watchdog=None)
    driver.service.report()
    driver.stream.state, driver.viewers = StreamState.LIVE, 1
    assert driver.tick() == [("STATUS=live, 1 viewer",)]
    driver.viewers, driver.stream.sound = 3, AudioState.LOST
    assert driver.tick() == [("STATUS=live, 3 viewers, audio lost",)]
    driver.stream.state, driver.stream.reason, driver.stream.sound = (
        StreamState.FAILED,
        StreamReason.CAMERA_LOST,
        AudioState.ON,
    )
    assert driver.tick() == [("STATUS=failed (camera-lost), 3 viewers",)]


def test_unsent_reports_are_repeated():
    driver = ServiceDriver()
    driver.socket.busy = True
    driver.service.report()
    driver.socket.busy = False
    assert driver.tick() == [("READY=1", "STATUS=offline, 0 viewers", "WATCHDOG=1")]
    driver.stream.state = StreamState.STARTING
    driver.socket.busy = True
    assert driver.tick() == []
    driver.socket.busy = False
    assert driver.tick() == [("STATUS=starting, 0 viewers",)]


def test_keep_alive_is_sent_every_half_timeout():
    assert ServiceDriver().keep_alives(80) == 20
    assert ServiceDriver(watchdog=None).keep_alives(80) == 0


def test_live_stream_without_pictures_stops_keep_alives_until_they_return(caplog):
    driver = ServiceDriver()
    driver.stream.state = StreamState.LIVE
    assert driver.keep_alives(5) == 2
    assert driver.keep_alives(60) == 0
    driver.stream.pictures += 1
    assert driver.keep_alives(1) == 1
    assert [record.levelno for record in caplog.records] == [logging.ERROR], "logged once"
    assert "live, but no picture for" in caplog.text


def test_failed_stream_sends_keep_alives_while_it_retries():
    driver = ServiceDriver()
    driver.stream.state = StreamState.FAILED
    for _ in range(20):
        driver.stream.openings += 1
        assert driver.keep_alives(40) == 10
    driver.keep_alives(60)
    assert driver.keep_alives(60) == 0


def test_shutdown_is_reported():
    driver = ServiceDriver()
    driver.service.stopping()
    assert driver.socket.sent == [("STOPPING=1", "STATUS=shutting down")]
