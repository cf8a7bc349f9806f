"""Renaming payload types and extension ids in SDP, for tests and measurements of packet formats."""

from tests.rigs.payload_types import with_extension_ids, with_payload_types
from tests.unit.player_offers import CHROMIUM


def test_renamed_and_renamed_back_is_the_same():
    renamed = with_payload_types(CHROMIUM, {108: 20, 109: 21, 111: 22})
    assert "a=rtpmap:20 H264/90000" in renamed
    assert "a=fmtp:21 apt=20" in renamed
    assert "a=rtcp-fb:20 nack" in renamed
    assert ":108 " not in renamed
    assert with_payload_types(renamed, {20: 108, 21: 109, 22: 111}) == CHROMIUM


def test_extension_ids_are_renamed_and_removed():
    changed = with_extension_ids(CHROMIUM, {2: 13, 5: 0})
    assert "a=extmap:13 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time" in changed
    assert "playout-delay" not in changed
