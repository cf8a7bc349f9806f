"""The counting viewers of `make bench ARGS=scale`: what they count of bursts."""

import struct

import pytest

from tests.bench.counting_transport import Count

SSRC = 0x01020304


def header(sequence):
    return struct.pack("!BBHLL", 0x80, 101, sequence, 0, SSRC)


@pytest.mark.parametrize(
    ("bursts", "packets", "lost"),
    [
        ([(7, 10)], 10, 0),
        ([(7, 10), (17, 3), (20, 1)], 14, 0),
        ([(7, 10), (19, 3)], 13, 2),
        ([(65530, 4), (65534, 4), (2, 1)], 9, 0),
        ([(65530, 4), (1, 1)], 5, 3),
    ],
)
def test_bursts_are_counted_by_their_first_packet(bursts, packets, lost):
    count = Count()
    for sequence, size in bursts:
        count.burst(header(sequence), size)
    assert (count.packets, count.lost, count.ssrc) == (packets, lost, SSRC)


def test_highest_number_goes_on_over_the_wrap():
    count = Count()
    count.burst(header(65530), 6)
    assert count.highest == 65535
    count.burst(header(0), 3)
    assert count.highest == 65538
