"""The two watches over one WebSocket, with the protocol's times."""

from broadcaster.signaling.heartbeat import AskHeartbeat, Beat, HeartbeatMissed, HeartbeatWatch, SendPing
from broadcaster.signaling.protocol import Timings


def walk(watch: HeartbeatWatch, until: float, pong: bool, message_every: float = 1e9) -> list[tuple[float, Beat]]:
    """Step at every deadline; answer pings at once where `pong`."""
    seen: list[tuple[float, Beat]] = []
    next_message = message_every
    while (now := min(watch.next_deadline(), next_message)) <= until:
        if now == next_message:
            watch.heard(now)
            next_message += message_every
            continue
        for beat in watch.step(now):
            seen.append((now, beat))
            if isinstance(beat, HeartbeatMissed):
                return seen
            if isinstance(beat, SendPing) and pong:
                watch.pong(beat.payload)
    return seen


def test_pings_every_three_seconds_while_all_is_well() -> None:
    seen = walk(HeartbeatWatch(0.0, Timings()), until=15, pong=True, message_every=5)
    assert [at for at, _ in seen] == [3, 6, 9, 12, 15]
    payloads = [beat.payload for _, beat in seen if isinstance(beat, SendPing)]
    assert len(set(payloads)) == 5


def test_a_ping_without_pong_ends_it_after_four_seconds() -> None:
    seen = walk(HeartbeatWatch(0.0, Timings()), until=60, pong=False, message_every=1)
    assert [at for at, _ in seen] == [3, 6, 7]
    assert isinstance(seen[-1][1], HeartbeatMissed)


def test_pongs_do_not_help_a_page_that_hangs() -> None:
    seen = walk(HeartbeatWatch(0.0, Timings()), until=60, pong=True)
    assert [(at, type(beat)) for at, beat in seen] == [
        (3, SendPing),
        (5.5, AskHeartbeat),
        (6, SendPing),
        (7, HeartbeatMissed),
    ]


def test_asks_once_in_each_silence() -> None:
    watch = HeartbeatWatch(0.0, Timings(pong_timeout=100))
    assert AskHeartbeat() in watch.step(5.5)
    assert AskHeartbeat() not in watch.step(6.9)
    watch.heard(6.95)
    assert AskHeartbeat() not in watch.step(12.4)
    assert AskHeartbeat() in watch.step(12.5)


def test_a_pong_answers_its_ping_and_all_before() -> None:
    watch = HeartbeatWatch(0.0, Timings())
    first, second = watch.step(3.0)[0], watch.step(6.0)[0]
    assert isinstance(first, SendPing)
    assert isinstance(second, SendPing)
    watch.heard(6.0)
    assert watch.pong(second.payload)
    assert not watch.pong(first.payload), "it is answered already"
    assert watch.step(7.0) == []


def test_a_late_pong_of_the_first_does_not_answer_the_second() -> None:
    watch = HeartbeatWatch(0.0, Timings())
    first, _ = watch.step(3.0)[0], watch.step(6.0)
    assert isinstance(first, SendPing)
    assert watch.pong(first.payload)
    watch.heard(9.0)
    watch.step(9.0)
    assert isinstance(watch.step(10.0)[0], HeartbeatMissed)


def test_a_pong_that_nobody_asked_for_is_told_apart() -> None:
    watch = HeartbeatWatch(0.0, Timings())
    watch.step(3.0)
    assert not watch.pong(b"")
    assert not watch.pong(b"unsolicited")
    watch.heard(6.9)
    assert isinstance(watch.step(7.0)[0], HeartbeatMissed)
