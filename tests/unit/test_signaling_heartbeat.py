"""The heartbeat of one WebSocket, with the protocol's timings."""

from broadcaster.signaling.heartbeat import (
    HeartbeatAction,
    HeartbeatMissed,
    HeartbeatMonitor,
    RequestHeartbeat,
    SendPing,
)
from broadcaster.signaling.protocol import Timings


def run(
    monitor: HeartbeatMonitor, until: float, pong: bool, message_every: float = 1e9
) -> list[tuple[float, HeartbeatAction]]:
    """Step at every deadline, and return the actions with their times; answer pings immediately if `pong`."""
    seen: list[tuple[float, HeartbeatAction]] = []
    next_message = message_every
    while (now := min(monitor.next_deadline(), next_message)) <= until:
        if now == next_message:
            monitor.message_received(now)
            next_message += message_every
            continue
        for due in monitor.step(now):
            seen.append((now, due))
            if isinstance(due, HeartbeatMissed):
                return seen
            if isinstance(due, SendPing) and pong:
                monitor.pong(due.payload)
    return seen


def test_pings_are_sent_every_three_seconds() -> None:
    seen = run(HeartbeatMonitor(0.0, Timings()), until=15, pong=True, message_every=5)
    assert [at for at, _ in seen] == [3, 6, 9, 12, 15]
    payloads = [due.payload for _, due in seen if isinstance(due, SendPing)]
    assert len(set(payloads)) == 5


def test_missing_pong_ends_the_connection_after_four_seconds() -> None:
    seen = run(HeartbeatMonitor(0.0, Timings()), until=60, pong=False, message_every=1)
    assert [at for at, _ in seen] == [3, 6, 7]
    assert isinstance(seen[-1][1], HeartbeatMissed)


def test_missing_messages_end_the_connection_despite_pongs() -> None:
    seen = run(HeartbeatMonitor(0.0, Timings()), until=60, pong=True)
    assert [(at, type(due)) for at, due in seen] == [
        (3, SendPing),
        (5.5, RequestHeartbeat),
        (6, SendPing),
        (7, HeartbeatMissed),
    ]


def test_heartbeat_is_requested_once_per_silence() -> None:
    monitor = HeartbeatMonitor(0.0, Timings(pong_timeout=100))
    assert RequestHeartbeat() in monitor.step(5.5)
    assert RequestHeartbeat() not in monitor.step(6.9)
    monitor.message_received(6.95)
    assert RequestHeartbeat() not in monitor.step(12.4)
    assert RequestHeartbeat() in monitor.step(12.5)


def test_pong_answers_its_ping_and_all_before() -> None:
    monitor = HeartbeatMonitor(0.0, Timings())
    first, second = monitor.step(3.0)[0], monitor.step(6.0)[0]
    assert isinstance(first, SendPing)
    assert isinstance(second, SendPing)
    monitor.message_received(6.0)
    assert monitor.pong(second.payload)
    assert not monitor.pong(first.payload), "it is answered already"
    assert monitor.step(7.0) == []


def test_late_pong_does_not_answer_a_later_ping() -> None:
    monitor = HeartbeatMonitor(0.0, Timings())
    first, _ = monitor.step(3.0)[0], monitor.step(6.0)
    assert isinstance(first, SendPing)
    assert monitor.pong(first.payload)
    monitor.message_received(9.0)
    monitor.step(9.0)
    assert isinstance(monitor.step(10.0)[0], HeartbeatMissed)


def test_unsolicited_pong_is_reported() -> None:
    monitor = HeartbeatMonitor(0.0, Timings())
    monitor.step(3.0)
    assert not monitor.pong(b"")
    assert not monitor.pong(b"unsolicited")
    monitor.message_received(6.9)
    assert isinstance(monitor.step(7.0)[0], HeartbeatMissed)
