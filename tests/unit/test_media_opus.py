"""Duration and channels of Opus packets."""

import pytest

from broadcaster.devices.opus import FRAME_SAMPLES, SAMPLE_BYTES, OpusEncoder
from broadcaster.media.opus import is_stereo, packet_samples


@pytest.mark.parametrize(
    ("packet", "samples"),
    [
        (b"", 0),
        (bytes([31 << 3]), 960),  # CELT 20 ms, one frame
        (bytes([28 << 3]), 120),  # CELT 2.5 ms
        (bytes([1 << 3]), 960),  # SILK 20 ms
        (bytes([3 << 3]), 2880),  # SILK 60 ms
        (bytes([12 << 3]), 480),  # hybrid 10 ms
        (bytes([15 << 3]), 960),  # hybrid 20 ms
        (bytes([30 << 3 | 1]), 960),  # two frames of 10 ms
        (bytes([30 << 3 | 2]), 960),
        (bytes([29 << 3 | 3, 4]), 960),  # four of 5 ms
        (bytes([29 << 3 | 3]), 0),  # truncated
    ],
)
def test_packet_duration_in_samples(packet, samples):
    assert packet_samples(packet) == samples


@pytest.mark.parametrize("channels", [1, 2])
def test_channels_of_an_encoded_packet(channels):
    packet, _ = OpusEncoder(channels).encode(bytes(FRAME_SAMPLES * SAMPLE_BYTES * channels))
    assert is_stereo(packet) == (channels == 2)


def test_empty_packet_is_not_stereo():
    assert not is_stereo(b"")
