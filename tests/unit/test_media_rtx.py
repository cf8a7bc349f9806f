"""Retransmission: lookup of sent packets, RTX packets, and the budget."""

from aiortc.rtp import RtpPacket, unwrap_rtx
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.media.packet_format import PacketFormat
from broadcaster.media.rtp import Burst, RtpFrame, RtpStream, send_time_element
from broadcaster.media.rtx import (
    COPIES,
    HISTORY_PACKETS,
    HISTORY_SECONDS,
    MAX_FRACTION,
    RtxBudget,
    RtxStream,
    SentFrames,
    SentPackets,
    retransmission,
)

VIDEO = RtpStream(ssrc=7, mid="0")
FORMAT = PacketFormat.of(16, 101, mid=1, abs_send_time=3, playout_delay=4)
OTHER = PacketFormat.of(16, 96, mid=1, abs_send_time=2, playout_delay=5)
"""A viewer that shares the layout, not the numbers."""
RTX = RtxStream(ssrc=9, payload_type=102)


def frame(number: int, packets: int = 3, now: float = 0.0) -> RtpFrame:
    return RtpFrame(VIDEO, [bytes([number, index]) for index in range(packets)], number, now, keyframe=True)


def test_retransmission_is_unwrapped_by_aiortc():
    sent = frame(5)
    data = retransmission(RTX, sent, FORMAT, index=2, lost=41, sequence=0x10007, now=3.0)
    packet = RtpPacket.parse(data)
    assert (packet.ssrc, packet.payload_type, packet.sequence_number, packet.marker) == (9, 102, 7, 1)
    assert send_time_element(3, 3.0) in data
    original = unwrap_rtx(packet, payload_type=101, ssrc=7)
    assert (original.sequence_number, original.payload, original.timestamp) == (41, bytes([5, 2]), 5)


def test_retransmission_without_extensions():
    data = retransmission(RTX, frame(5), PacketFormat.of(10, 101), index=0, lost=1, sequence=0, now=0.0)
    assert data[12:] == b"\x00\x01" + bytes([5, 0])


@given(st.integers(0, 70_000), st.lists(st.integers(1, 40), min_size=1, max_size=30))
def test_frames_are_found_by_sequence_number_across_the_wrap(first, sizes):
    sent, expected = SentFrames(first), {}
    for number, size in enumerate(sizes):
        current = frame(number, size)
        for index in range(size):
            expected[sent.next + index & 0xFFFF] = (current, index)
        sent.begin(current)
    for number, packet in expected.items():
        assert sent.find(number) == packet


def test_unknown_sequence_numbers_are_not_found():
    sent = SentFrames(100)
    assert sent.find(99) is None
    assert sent.find(100) is None
    sent.begin(frame(1))
    assert sent.find(99) is None
    assert sent.find(103) is None


def test_old_frames_are_removed():
    sent = SentFrames(0)
    sent.begin(frame(1, now=0.0))
    sent.begin(frame(2, now=HISTORY_SECONDS + 0.1))
    assert sent.find(0) is None
    assert sent.find(3) is not None


def test_packet_is_retransmitted_once_per_round_trip():
    budget = RtxBudget()
    budget.round_trip = 0.1
    assert budget.take(1, 1200, 0.0)
    assert not budget.take(1, 1200, 0.05)
    assert budget.take(2, 1200, 0.05)
    assert budget.take(1, 1200, 0.11)


def test_nack_flood_is_limited_to_the_maximum_fraction():
    budget = RtxBudget()
    for number in range(5000):
        budget.take(number, 1200, 0.0)
    initial = budget.packets
    assert initial < 100
    for second in range(1, 11):
        budget.sent(300_000)
        for number in range(5000):
            budget.take(number, 1200, float(second))
    assert (budget.packets - initial) * 1200 <= 10 * 300_000 * MAX_FRACTION + 1200
    assert budget.refused > 0


def test_budget_is_spent_when_no_full_packet_is_left():
    budget = RtxBudget()
    assert not budget.is_spent
    while budget.take(budget.packets, 1200, 0.0):
        pass
    assert budget.is_spent
    budget.sent(10_000)
    assert not budget.is_spent


def test_copies_are_sent_only_while_much_of_the_budget_is_left():
    budget = RtxBudget()
    copies = [budget.take(number, 1200, 0.0) for number in range(100)]
    assert copies[:20] == [COPIES] * 20
    assert 1 in copies
    assert copies[-1] == 0
    assert copies == sorted(copies, reverse=True)


def test_budget_lasts_for_a_fifth_of_lost_packets():
    budget, refused = RtxBudget(), 0
    for number in range(100_000):
        budget.sent(1200)
        if number % 5 == 0:
            refused += budget.take(number, 1200, number / 300) == 0
    assert refused == 0


def sent_burst(packets: int) -> Burst:
    payloads = [bytes([index]) * 20 for index in range(packets)]
    return RtpFrame(VIDEO, payloads, 90_000, 1.0).serialize(FORMAT).burst(0, packets)


@given(st.integers(0, 70_000), st.lists(st.integers(1, 5), min_size=1), st.booleans())
def test_sent_packets_are_built_again_as_they_were_across_the_wrap(first, bursts, late):
    sent, expected, number = SentPackets(), {}, first
    send_time = send_time_element(OTHER.abs_send_time, 2.5) if late else None
    for packets in bursts:
        burst = sent_burst(packets)
        sent.add(number, burst, OTHER, send_time, now=0.0)
        for offset, length in zip(burst.offsets, burst.lengths, strict=True):
            packet = bytearray(burst.data[offset : offset + length])
            OTHER.renumber(packet, burst.delay_offset)
            packet[2:4] = (number & 0xFFFF).to_bytes(2, "big")
            if send_time is not None:
                packet[16:20] = send_time
            expected[number & 0xFFFF] = bytes(packet)
            number += 1
    for sequence, packet in expected.items():
        assert sent.find(sequence) == packet
    assert sent.find(number & 0xFFFF) is None
    assert sent.find(first - 1 & 0xFFFF) is None


def test_sent_packets_are_limited_by_age_and_number():
    sent = SentPackets()
    burst = sent_burst(1)
    sent.add(1, burst, FORMAT, None, now=0.0)
    sent.add(2, burst, FORMAT, None, now=HISTORY_SECONDS + 0.1)
    assert sent.find(1) is None
    assert sent.find(2) is not None
    for number in range(3, 3 + HISTORY_PACKETS):
        sent.add(number, burst, FORMAT, None, now=HISTORY_SECONDS + 0.1)
    assert sent.find(2) is None
    assert sent.find(3) is not None
    assert SentPackets().find(1) is None


def test_packet_without_copies_is_sent_once_per_round_trip():
    budget = RtxBudget()
    assert budget.take(1, 1000, now=0.0, max_copies=1) == 1
    assert budget.take(1, 1000, now=0.0, max_copies=1) == 0
