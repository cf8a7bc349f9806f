"""Statistics and requests from a viewer's RTCP, well-formed and malformed."""

from __future__ import annotations

import pytest
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    pack_remb_fci,
)
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.model.stats import ReceiverReport
from broadcaster.webrtc.feedback import Feedback, nacked_packets
from broadcaster.webrtc.reports import is_keyframe_request, parse_rtcp

OURS, THEIRS = 7, 8


def report_of(*, ssrc: int = OURS, lsr: int = 0, dlsr: int = 0, highest: int = 1) -> RtcpRrPacket:
    block = RtcpReceiverInfo(
        ssrc=ssrc, fraction_lost=64, packets_lost=9, highest_sequence=highest, jitter=900, lsr=lsr, dlsr=dlsr
    )
    return RtcpRrPacket(ssrc=THEIRS, reports=[block])


def test_report_about_our_video_updates_the_statistics():
    feedback = Feedback(OURS)
    assert feedback.update(report_of(), ntp=0, next_sequence=2) == ReceiverReport(loss=0.25, lost=9, remb=None)
    assert (feedback.loss, feedback.lost, feedback.jitter, feedback.round_trip) == (0.25, 9, 0.01, None)


@pytest.mark.parametrize(
    ("next_sequence", "highest", "in_flight"),
    [(2, 1, 0), (12, 1, 10), (0x10005, 0xFFFE, 6), (0x10005, 0x1FFFE, 6), (5, 9, 0)],
)
def test_packets_sent_after_the_highest_received_one_are_in_flight(next_sequence, highest, in_flight):
    report = Feedback(OURS).update(report_of(highest=highest), ntp=0, next_sequence=next_sequence)
    assert report.in_flight == in_flight


def test_reports_about_other_streams_are_ignored():
    assert Feedback(OURS).update(report_of(ssrc=99), ntp=0, next_sequence=2) is None


def test_round_trip_time_excludes_the_delay_at_the_viewer():
    feedback = Feedback(OURS)
    sent, delay, round_trip = 1000 << 16, 1 << 15, 6554
    feedback.update(report_of(lsr=sent, dlsr=delay), ntp=(sent + delay + round_trip) << 16, next_sequence=2)
    assert abs(feedback.round_trip - 0.1) < 0.001


def test_report_from_the_future_gives_no_round_trip_time():
    feedback = Feedback(OURS)
    feedback.update(report_of(lsr=5 << 16), ntp=1 << 32, next_sequence=2)
    assert feedback.round_trip is None


def test_remb_is_included_in_the_next_report():
    feedback = Feedback(OURS)
    remb = RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=THEIRS, media_ssrc=0, fci=pack_remb_fci(1_500_000, [OURS]))
    assert feedback.update(remb, ntp=0, next_sequence=2) is None
    assert 1_490_000 < feedback.update(report_of(), ntp=0, next_sequence=2).remb <= 1_500_000


@given(st.binary(max_size=24))
def test_malformed_remb_is_ignored(fci):
    feedback = Feedback(OURS)
    feedback.update(
        RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=THEIRS, media_ssrc=0, fci=b"REMB" + fci), ntp=0, next_sequence=2
    )
    feedback.update(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=THEIRS, media_ssrc=0, fci=fci), ntp=0, next_sequence=2)


@given(st.binary(max_size=80))
def test_malformed_rtcp_never_raises(data):
    assert isinstance(list(parse_rtcp(data)), list)


def test_nack_for_our_video_lists_lost_packets():
    nack = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=THEIRS, media_ssrc=OURS, lost=[5, 6, 21])
    assert list(nacked_packets(nack, OURS)) == [5, 6, 21]
    assert list(nacked_packets(nack, 99)) == []
    assert list(nacked_packets(report_of(), OURS)) == []


def fir(*ssrcs: int) -> RtcpPsfbPacket:
    """Each entry has an SSRC, a sequence number and reserved bits; the media SSRC is unused (RFC 5104 §4.3.1.1)."""
    fci = b"".join(ssrc.to_bytes(4, "big") + b"\x07\0\0\0" for ssrc in ssrcs)
    return RtcpPsfbPacket(fmt=RTCP_PSFB_FIR, ssrc=THEIRS, media_ssrc=0, fci=fci)


def test_pli_and_fir_for_our_stream_are_keyframe_requests():
    assert is_keyframe_request(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=THEIRS, media_ssrc=OURS), OURS)
    assert is_keyframe_request(fir(OURS), OURS)
    assert is_keyframe_request(fir(99, OURS), OURS)


def test_other_packets_are_no_keyframe_requests():
    for ssrc in (0, 99, OURS + 1):
        assert not is_keyframe_request(RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=OURS, media_ssrc=ssrc), OURS)
    assert not is_keyframe_request(fir(99), OURS)
    assert not is_keyframe_request(RtcpPsfbPacket(fmt=RTCP_PSFB_FIR, ssrc=THEIRS, media_ssrc=OURS, fci=b""), OURS)
    assert not is_keyframe_request(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=THEIRS, media_ssrc=OURS), OURS)
    assert not is_keyframe_request(report_of(), OURS)
