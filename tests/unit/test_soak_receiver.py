"""The soak test's receiver: which pictures a browser would show of what arrives."""

import pytest

from tests.soak.receiver import MAX_NACKS, NACK_INTERVAL, PLI_DELAY, PLI_INTERVAL, PictureReceiver

PICTURE = 3
"""Packets of a picture here."""


def picture(number: int, *, keyframe: bool = False) -> list[tuple[int, bool, bool]]:
    """Return sequence number, start of a keyframe and end of the picture of each packet."""
    first = 65530 + number * PICTURE
    return [(first + index & 0xFFFF, keyframe and index == 0, index == PICTURE - 1) for index in range(PICTURE)]


def receive(receiver: PictureReceiver, packets: list[tuple[int, bool, bool]], now: float = 0.0) -> int:
    """Return how many pictures are shown."""
    return sum(
        receiver.add(sequence, begins_keyframe=begins, ends_picture=ends, now=now) for sequence, begins, ends in packets
    )


@pytest.fixture
def receiver() -> PictureReceiver:
    receiver = PictureReceiver()
    assert receive(receiver, picture(0, keyframe=True)) == 1
    return receiver


def test_pictures_are_shown_when_complete_also_across_the_wrap(receiver):
    assert [receive(receiver, picture(number)) for number in range(1, 5)] == [1, 1, 1, 1]
    assert receiver.nacks(1.0) == []


def test_nothing_is_shown_before_a_keyframe():
    receiver = PictureReceiver()
    assert receive(receiver, picture(0)) == 0
    assert receive(receiver, picture(1, keyframe=True)) == 1


def test_missing_packet_is_requested_and_holds_up_pictures_until_it_arrives(receiver):
    lost, *rest = picture(1)
    assert receive(receiver, rest + picture(2)) == 0
    assert receiver.nacks(0.0) == [lost[0]]
    assert receiver.nacks(NACK_INTERVAL / 2) == []
    assert receiver.nacks(NACK_INTERVAL) == [lost[0]]
    assert receive(receiver, [lost]) == 2
    assert receiver.nacks(1.0) == []


def test_missing_packet_is_not_requested_forever(receiver):
    receive(receiver, picture(1)[1:])
    assert sum(len(receiver.nacks(second)) for second in range(20)) == MAX_NACKS


def test_keyframe_ends_the_wait_for_missing_packets(receiver):
    assert receive(receiver, picture(1)[1:] + picture(2)) == 0
    assert receive(receiver, picture(3, keyframe=True)) == 1
    assert receiver.nacks(1.0) == []
    assert receive(receiver, picture(1) + picture(2)) == 0, "shown after a later one"
    assert receive(receiver, picture(4)) == 1


def test_incomplete_keyframe_is_not_shown(receiver):
    first, lost, last = picture(2, keyframe=True)
    assert receive(receiver, [*picture(1)[1:], first, last]) == 0
    assert receive(receiver, [lost]) == 1


def test_keyframe_is_requested_after_seconds_without_a_picture(receiver):
    receive(receiver, picture(1)[1:], now=1.0)
    assert not receiver.needs_keyframe(PLI_DELAY)
    assert receiver.needs_keyframe(PLI_DELAY + 0.1)
    assert not receiver.needs_keyframe(PLI_DELAY + 0.2)
    assert receiver.needs_keyframe(PLI_DELAY + 0.2 + PLI_INTERVAL)
    receive(receiver, picture(2, keyframe=True), now=9.0)
    assert not receiver.needs_keyframe(10.0)
