"""What is changed in the offer that aiortc writes."""

from pathlib import Path

import pytest

from broadcaster.signaling.sdp import complete_offer

OFFER = (Path(__file__).parent / "sdp" / "offer.sdp").read_bytes().decode()


def test_one_fingerprint_per_m_line_is_left():
    fingerprints = [line for line in complete_offer(OFFER, stereo=True).splitlines() if "fingerprint" in line]
    assert len(fingerprints) == 2
    assert len(set(fingerprints)) == 1
    assert fingerprints[0].startswith("a=fingerprint:sha-256 ")


@pytest.mark.parametrize(
    ("stereo", "parameters"),
    [(True, "a=fmtp:96 sprop-stereo=1;useinbandfec=1"), (False, "a=fmtp:96 useinbandfec=1")],
)
def test_stereo_is_announced_for_two_channels(stereo, parameters):
    lines = complete_offer(OFFER, stereo=stereo).split("\r\n")
    place = lines.index("a=rtpmap:96 opus/48000/2")
    assert lines[place + 1] == parameters
    assert lines[-1] == ""


@pytest.mark.parametrize(
    ("stereo", "parameters"),
    [(True, "a=fmtp:96 stereo=1;sprop-stereo=1;useinbandfec=1"), (False, "a=fmtp:96 useinbandfec=1")],
)
def test_media_server_is_asked_to_pass_stereo_on(stereo, parameters):
    assert parameters in complete_offer(OFFER, stereo=stereo, to_server=True).split("\r\n")


def test_other_lines_are_unchanged():
    changed = complete_offer(OFFER, stereo=True).splitlines()
    assert [line for line in OFFER.splitlines() if "sha-384" not in line and "sha-512" not in line] == [
        line for line in changed if line != "a=fmtp:96 sprop-stereo=1;useinbandfec=1"
    ]
