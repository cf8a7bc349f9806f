"""The two monitors over one WebSocket, with the protocol's times."""

from broadcaster.signaling.heartbeat import (
    HeartbeatAction,
    HeartbeatMissed,
    HeartbeatMonitor,
    RequestHeartbeat,
    SendPing,
)
from broadcaster.signaling.protocol import Timings


def walk(
    monitor: HeartbeatMonitor, until: float, pong: bool, message_every: float = 1e9
) -> list[tuple[float, HeartbeatAction]]:
    """Step at every deadline; answer pings at once where `pong`."""
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


def test_pings_every_three_seconds_while_all_is_well() -> None:
    seen = walk(HeartbeatMonitor(0.0, Timings()), until=15, pong=True, message_every=5)
    assert [at for at, _ in seen] == [3, 6, 9, 12, 15]
    payloads = [due.payload for _, due in seen if isinstance(due, SendPing)]
    assert len(set(payloads)) == 5


def test_a_ping_without_pong_ends_it_after_four_seconds() -> None:
    seen = walk(HeartbeatMonitor(0.0, Timings()), until=60, pong=False, message_every=1)
    assert [at for at, _ in seen] == [3, 6, 7]
    assert isinstance(seen[-1][1], HeartbeatMissed)


def test_pongs_do_not_help_a_page_that_hangs() -> None:
    seen = walk(HeartbeatMonitor(0.0, Timings()), until=60, pong=True)
    assert [(at, type(due)) for at, due in seen] == [
        (3, SendPing),
        (5.5, RequestHeartbeat),
        (6, SendPing),
        (7, HeartbeatMissed),
    ]


def test_asks_once_in_each_silence() -> None:
    monitor = HeartbeatMonitor(0.0, Timings(pong_timeout=100))
    assert RequestHeartbeat() in monitor.step(5.5)
    assert RequestHeartbeat() not in monitor.step(6.9)
    monitor.message_received(6.95)
    assert RequestHeartbeat() not in monitor.step(12.4)
    assert RequestHeartbeat() in monitor.step(12.5)


def test_a_pong_answers_its_ping_and_all_before() -> None:
    monitor = HeartbeatMonitor(0.0, Timings())
    first, second = monitor.step(3.0)[0], monitor.step(6.0)[0]
    assert isinstance(first, SendPing)
    assert isinstance(second, SendPing)
    monitor.message_received(6.0)
    assert monitor.pong(second.payload)
    assert not monitor.pong(first.payload), "it is answered already"
    assert monitor.step(7.0) == []


def test_a_late_pong_of_the_first_does_not_answer_the_second() -> None:
    monitor = HeartbeatMonitor(0.0, Timings())
    first, _ = monitor.step(3.0)[0], monitor.step(6.0)
    assert isinstance(first, SendPing)
    assert monitor.pong(first.payload)
    monitor.message_received(9.0)
    monitor.step(9.0)
    assert isinstance(monitor.step(10.0)[0], HeartbeatMissed)


def test_a_pong_that_nobody_asked_for_is_told_apart() -> None:
    monitor = HeartbeatMonitor(0.0, Timings())
    monitor.step(3.0)
    assert not monitor.pong(b"")
    assert not monitor.pong(b"unsolicited")
    monitor.message_received(6.9)
    assert isinstance(monitor.step(7.0)[0], HeartbeatMissed)
