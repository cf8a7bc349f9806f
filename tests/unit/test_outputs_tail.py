"""The queue of one viewer of `/media`: little waits, little is under way, and whole groups of pictures are skipped."""

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.devices.fakes import canned
from broadcaster.media.mp4 import Fragment, Sample, tracks_of
from broadcaster.model.stream import Quality
from broadcaster.outputs.messages import FragmentMessage, InitMessages, fragment_message, init_messages
from broadcaster.outputs.tail import MAX_AGE, MAX_UNDER_WAY, MIN_UNDER_WAY, UNDER_WAY_FACTOR, Tail

TRACKS = tracks_of(canned.pictures()[0], audio=True)
INIT = init_messages(TRACKS, 1.5, Quality.FULL)
_numbers = count(1)


def picture(*, keyframe: bool = False, init: InitMessages = INIT) -> FragmentMessage:
    number = next(_numbers)
    return fragment_message(Fragment(number, (Sample(b"%d" % number, number, 1, keyframe),)), init)


def audio() -> FragmentMessage:
    return fragment_message(Fragment(next(_numbers), (), (Sample(b"audio", 0, 960),)), INIT)


def drain(tail: Tail, now: float = 0.0) -> list[bytes]:
    sent = []
    while (data := tail.next(now)) is not None:
        sent.append(data)
    return sent


def test_begins_with_the_init_segment_and_a_keyframe():
    tail, key, following = Tail(), picture(keyframe=True), picture()
    for message in (picture(), audio(), key, following):
        tail.add(message, 0.0)
    assert drain(tail) == [INIT.frames + key.frame, following.frame]
    assert tail.sent == 3, "the init segment counts, too"
    assert tail.skipped == 0, "nothing has been missed before the first keyframe"


def test_a_new_init_segment_is_sent_before_its_keyframe():
    tail, other = Tail(), init_messages(TRACKS, 1.5, Quality.SMALL)
    key = picture(keyframe=True, init=other)
    for message in (picture(keyframe=True), key):
        tail.add(message, 0.0)
    assert drain(tail)[1] == other.frames + key.frame


def test_what_waits_for_too_long_is_skipped_up_to_a_keyframe():
    tail = Tail()
    tail.add(picture(keyframe=True), 0.0)
    tail.add(picture(), 0.1)
    tail.add(picture(), MAX_AGE + 0.01)
    assert not tail
    assert tail.waits_for_keyframe
    tail.add(audio(), 0.6)
    assert drain(tail) == []
    drain(tail)
    key = picture(keyframe=True)
    tail.add(key, 0.7)
    assert drain(tail, 0.7) == [INIT.frames + key.frame]
    assert tail.skipped == 2, "those that waited; before the first init segment nothing counts"


def test_nothing_is_sent_while_a_message_is_under_way_for_too_long():
    tail = Tail()
    tail.add(picture(keyframe=True), 0.0)
    assert len(drain(tail, 0.0)) == 1
    tail.add(picture(), 0.3)
    assert len(drain(tail, 0.3)) == 1
    tail.add(picture(), MAX_UNDER_WAY)
    assert not tail.may_send(MAX_UNDER_WAY)
    assert drain(tail, MAX_UNDER_WAY) == []
    assert tail.ack(2, 0.71)
    assert len(drain(tail, 0.71)) == 1
    assert tail.silence(1.0) == 0.7


def test_less_is_under_way_on_a_short_path():
    tail = Tail()
    tail.add(picture(keyframe=True), 0.0)
    drain(tail, 0.0)
    tail.ack(2, 0.02)
    tail.add(picture(), 1.0)
    drain(tail, 1.0)
    assert tail.may_send(1.0 + MIN_UNDER_WAY)
    assert not tail.may_send(1.0 + MIN_UNDER_WAY + UNDER_WAY_FACTOR * 0.02 + 0.01)


def test_delays_of_large_messages_tell_the_bandwidth():
    tail = Tail()
    tail.add(picture(keyframe=True), 0.0)
    drain(tail, 0.0)
    tail.ack(2, 0.02)
    assert tail.estimate is None
    for sent_at in (0.1 * number for number in range(1, 9)):
        tail.add(picture(), sent_at)
        drain(tail, sent_at)
        tail.ack(tail.sent, sent_at + 0.02)
    large = fragment_message(Fragment(9, (Sample(bytes(20_000), 0, 1, False),)), INIT)
    for sent_at, delay in ((1.0, 0.18), (2.0, 0.10), (3.0, 0.40)):
        tail.add(large, sent_at)
        drain(tail, sent_at)
        tail.ack(tail.sent, sent_at + delay)
    assert tail.estimate == pytest.approx(2_000_000, rel=0.1), "the best of the last three"


def test_wrong_acknowledgements_change_nothing():
    tail = Tail()
    tail.add(picture(keyframe=True), 0.0)
    drain(tail)
    assert tail.ack(1, 0.0)
    for wrong in (0, 1, -1, 3, 10**15):
        assert not tail.ack(wrong, 0.0)
    assert tail.acknowledged == 1
    assert tail.ack(2, 0.0)


@given(st.data())
def test_bounds_hold_whatever_happens(data):
    """Media is never older than both limits together, begins with keyframes, and counts as it was sent."""
    tail, now, sent, added = Tail(), 0.0, [], {}
    for _ in range(data.draw(st.integers(1, 80))):
        now += data.draw(st.sampled_from([0.0, 0.01, 0.033, 0.2, 0.6]))
        match data.draw(st.sampled_from(["key", "delta", "audio", "ack", "send"])):
            case "ack":
                tail.ack(data.draw(st.integers(0, tail.sent + 1)), now)
            case "send":
                while (frame := tail.next(now)) is not None:
                    sent.append(frame)
            case kind:
                message = audio() if kind == "audio" else picture(keyframe=kind == "key")
                added[message.frame] = message
                tail.add(message, now)
                assert tail.backlog(now) <= MAX_AGE
    assert tail.sent == len(sent) + (1 if sent else 0)
    assert 0 <= tail.acknowledged <= tail.sent
    order = [added[frame.removeprefix(INIT.frames)] for frame in sent]
    positions = [list(added.values()).index(message) for message in order]
    assert positions == sorted(set(positions))
    for before, after in zip([-1, *positions], positions, strict=False):
        assert after == before + 1 or list(added.values())[after].keyframe
