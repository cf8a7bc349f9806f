"""Detection of stuck streams in series of snapshots."""

from hypothesis import given
from hypothesis import strategies as st

from broadcaster.errors import StreamReason
from broadcaster.model.stream import StreamState
from broadcaster.service.progress import LIVE_LIMIT, RETRY_LIMIT, STOPPING_LIMIT, ProgressMonitor, Snapshot
from broadcaster.stream.machine import STARTING_LIMIT, STATES, Action, Event, Phase, StreamMachine
from broadcaster.stream.stall_watch import STALL_LIMIT

GRACE = 2.0


def first_stuck(snapshot_at, until, step=0.5):
    """Return the first time at which the snapshots, a function of time, are stuck; None if not before `until`."""
    progress = ProgressMonitor(0.0)
    times = (number * step for number in range(int(until / step) + 1))
    return next((now for now in times if progress.stuck(snapshot_at(now), now)), None)


def test_offline_is_never_stuck():
    assert first_stuck(lambda now: Snapshot(StreamState.OFFLINE, 0, 0), until=100_000, step=10) is None


def test_live_with_pictures_is_not_stuck():
    assert first_stuck(lambda now: Snapshot(StreamState.LIVE, int(now * 30), 1), until=3600) is None
    assert first_stuck(lambda now: Snapshot(StreamState.LIVE, int(now / 4), 1), until=3600) is None


def test_live_without_pictures_is_stuck():
    stuck_at = first_stuck(lambda now: Snapshot(StreamState.LIVE, min(int(now * 30), 900), 1), until=3600)
    assert 30 + LIVE_LIMIT < stuck_at <= 30 + LIVE_LIMIT + 1
    assert LIVE_LIMIT > STALL_LIMIT + GRACE, "the stream detects a stall first"


def test_endless_start_is_stuck():
    stuck_at = first_stuck(lambda now: Snapshot(StreamState.STARTING, 0, 1), until=3600)
    assert STARTING_LIMIT < stuck_at <= STARTING_LIMIT + GRACE + 1


def test_endless_stop_is_stuck():
    stuck_at = first_stuck(lambda now: Snapshot(StreamState.STOPPING, 900, 1), until=3600)
    assert STOPPING_LIMIT < stuck_at <= STOPPING_LIMIT + GRACE + 1


def test_failed_with_retries_is_not_stuck():
    assert first_stuck(lambda now: Snapshot(StreamState.FAILED, 0, int(now / 45)), until=3600) is None


def test_failed_without_retry_is_stuck():
    stuck_at = first_stuck(lambda now: Snapshot(StreamState.FAILED, 0, min(int(now / 40), 5)), until=3600)
    assert 200 + RETRY_LIMIT < stuck_at <= 200 + RETRY_LIMIT + GRACE + 1


def test_stream_that_makes_progress_again_is_not_stuck():
    progress = ProgressMonitor(0.0)
    snapshot = Snapshot(StreamState.LIVE, 5, 1)
    assert progress.stuck(snapshot, 0) is None
    assert "no picture for 60 s" in progress.stuck(snapshot, 60)
    assert progress.stuck(Snapshot(StreamState.LIVE, 6, 1), 61) is None
    assert progress.stuck(Snapshot(StreamState.FAILED, 6, 1), 62) is None


def test_limit_starts_when_the_state_changes():
    progress = ProgressMonitor(0.0)
    assert progress.stuck(Snapshot(StreamState.OFFLINE, 0, 0), 0) is None
    assert progress.stuck(Snapshot(StreamState.STARTING, 0, 1), 5000) is None
    assert progress.stuck(Snapshot(StreamState.LIVE, 1, 1), 5009) is None
    assert progress.stuck(Snapshot(StreamState.STOPPING, 1, 1), 5010) is None


class StreamSimulation:
    """The real state machine with sources that work, and a snapshot twice per second."""

    def __init__(self):
        self.now = 0.0
        self.machine = StreamMachine(0.0)
        self.openings = self.pictures = 0
        self.progress = ProgressMonitor(0.0)
        self.stuck = []

    def step(self, event):
        self._do(self.machine.step(event, self.now, StreamReason.CAMERA_LOST))

    def wait(self, seconds):
        end = self.now + seconds
        while self.now < end:
            self.now += 0.5
            self.pictures += self.machine.phase is Phase.LIVE
            self._do(self.machine.tick(self.now))
            state = STATES[self.machine.phase]
            self.stuck.append(self.progress.stuck(Snapshot(state, self.pictures, self.openings), self.now))

    def _do(self, action):
        if action is Action.OPEN:
            self.openings += 1
        elif action is Action.CLOSE:
            self._do(self.machine.step(Event.CLOSED, self.now))


EVENTS = st.sampled_from([Event.START, Event.STOP, Event.KEYFRAME, Event.FAILED])


@given(st.lists(st.tuples(EVENTS, st.integers(0, 120)), max_size=15))
def test_working_stream_is_never_stuck(events):
    stream = StreamSimulation()
    for event, seconds in events:
        stream.step(event)
        stream.wait(seconds)
    assert not any(stream.stuck)
