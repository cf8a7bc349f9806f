"""The state machine of the stream; time is an argument."""

import pytest

from broadcaster.errors import StreamReason
from broadcaster.model.stream import StreamState
from broadcaster.stream.backoff import STEADY
from broadcaster.stream.machine import STARTING_LIMIT, STATES, TABLE, Action, Event, Phase, StreamMachine

LOST = StreamReason.CAMERA_LOST


def machine_in(phase: Phase, now: float = 0.0) -> StreamMachine:
    paths = {
        Phase.OFFLINE: [],
        Phase.STARTING: [Event.START],
        Phase.LIVE: [Event.START, Event.KEYFRAME],
        Phase.FAILED: [Event.START, Event.FAILED],
        Phase.RETRYING: [Event.START, Event.FAILED, Event.RETRY_DUE],
        Phase.STOPPING: [Event.START, Event.STOP],
        Phase.RESTARTING: [Event.START, Event.STOP, Event.START],
    }
    machine = StreamMachine(now)
    for event in paths[phase]:
        machine.step(event, now, LOST)
    assert machine.phase is phase
    return machine


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("event", Event)
def test_every_event_in_every_phase_follows_the_table(phase, event):
    machine = machine_in(phase)
    expected, action = TABLE.get((phase, event), (phase, None))
    assert machine.step(event, 1.0, LOST) is action
    assert machine.phase is expected
    assert machine.shown.state is STATES[expected]


@pytest.mark.parametrize("phase", set(Phase) - {Phase.OFFLINE, Phase.STOPPING})
def test_stop_leads_to_offline_from_every_running_phase(phase):
    machine = machine_in(phase)
    machine.step(Event.STOP, 1.0)
    assert machine.phase is Phase.STOPPING
    machine.step(Event.CLOSED, 2.0)
    assert machine.phase is Phase.OFFLINE


def test_start_while_stopping_opens_again_after_closing():
    machine = machine_in(Phase.STOPPING)
    assert machine.step(Event.START, 1.0) is None
    assert machine.shown.state is StreamState.STOPPING
    assert machine.step(Event.CLOSED, 2.0) is Action.OPEN
    assert machine.shown.state is StreamState.STARTING


def test_starting_fails_after_ten_seconds():
    machine = machine_in(Phase.STARTING, now=100.0)
    assert machine.next_deadline == 100.0 + STARTING_LIMIT
    assert machine.tick(109.9) is None
    assert machine.tick(110.0) is Action.CLOSE
    assert (machine.shown.state, machine.shown.reason) == (StreamState.FAILED, StreamReason.CAMERA_STALLED)


def test_retries_back_off_and_the_public_state_does_not_flicker():
    machine = machine_in(Phase.FAILED, now=0.0)
    shown, now, delays = machine.shown, 0.0, []
    for _ in range(7):
        delays.append(machine.next_deadline - now)
        now = machine.next_deadline
        assert machine.tick(now) is Action.OPEN
        assert machine.shown is shown
        machine.step(Event.FAILED, now, StreamReason.CAMERA_BUSY)
        assert machine.shown is shown
    assert delays == [1, 2, 4, 8, 16, 30, 30]


def test_backoff_is_reset_by_a_keyframe():
    machine = machine_in(Phase.FAILED)
    machine.step(Event.RETRY_DUE, 1.0)
    machine.step(Event.FAILED, 1.0, LOST)
    machine.step(Event.RETRY_DUE, 3.0)
    machine.step(Event.KEYFRAME, 3.5)
    assert (machine.shown.state, machine.shown.since, machine.next_deadline) == (StreamState.LIVE, 3.5, None)
    machine.step(Event.FAILED, 10.0, LOST)
    assert machine.next_deadline == 11.0


def delay_after_live(machine: StreamMachine, seconds: float, now: float) -> float:
    """Let a retry succeed, and fail after `seconds`; return the delay until the next retry."""
    machine.step(Event.RETRY_DUE, now)
    machine.step(Event.KEYFRAME, now)
    machine.step(Event.FAILED, now + seconds, LOST)
    return machine.next_deadline - now - seconds


def test_backoff_grows_until_the_source_has_been_live_for_long():
    machine = machine_in(Phase.FAILED)
    assert [delay_after_live(machine, 3.0, 100.0 * number) for number in range(4)] == [1, 2, 4, 8]
    assert delay_after_live(machine, STEADY, 1000.0) == 1
    assert delay_after_live(machine, STEADY - 1, 2000.0) == 2
    machine.step(Event.STOP, 3000.0)
    machine.step(Event.CLOSED, 3000.0)
    machine.step(Event.START, 3000.0)
    machine.step(Event.FAILED, 3000.0, LOST)
    assert machine.next_deadline == 3001.0


@pytest.mark.parametrize("phase", [Phase.FAILED, Phase.RETRYING])
def test_device_that_appears_is_opened_at_once_and_retried_soon(phase):
    """The device may not be ready at the first attempt, and attempts are half a minute apart while it is absent."""
    machine, now = machine_in(Phase.FAILED), 0.0
    for _ in range(6):
        now = machine.next_deadline
        machine.tick(now)
        machine.step(Event.FAILED, now, LOST)
    assert machine.next_deadline == now + 30
    if phase is Phase.RETRYING:
        machine.step(Event.RETRY_DUE, now)
    machine.step(Event.ARRIVED, now)
    assert machine.phase is Phase.RETRYING
    machine.step(Event.FAILED, now, LOST)
    assert machine.next_deadline == now + 1


def test_start_while_failed_retries_at_once():
    assert machine_in(Phase.FAILED).step(Event.START, 0.1) is Action.OPEN
