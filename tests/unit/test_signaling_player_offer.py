"""The filter of players' offers: real ones are accepted, whatever is not one is refused quickly."""

import contextlib
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.errors import BadOffer, NoCommonCodec
from broadcaster.model.offers import NegotiatedMedia
from broadcaster.signaling.player_offer import (
    MAX_BYTES,
    MAX_FMTPS,
    MAX_FORMATS,
    MAX_LINES,
    MAX_M_LINES,
    MAX_RTCP_FBS,
    MAX_RTPMAPS,
    filter_offer,
)
from tests.unit.player_offers import CHROMIUM, FIREFOX, OFFERS, WHEPSRC, accepted, crowded_offer, without

QUICKLY = 0.25
"""Seconds; a normal offer takes a millisecond, and the machine may be busy."""


@pytest.mark.parametrize(
    ("player", "video", "audio", "candidates"),
    [
        ("aiortc", NegotiatedMedia(101, 102, 0, 3), 96, 2),
        ("chromium", NegotiatedMedia(108, 109, 0, 2, 5), 111, 0),
        ("chromium-mediamtx-reader", NegotiatedMedia(108, 109, 0, 2, 5), 111, 0),
        ("firefox", NegotiatedMedia(126, 127, 0, 4, 6), 109, 0),
        ("libwebrtc", NegotiatedMedia(102, 103, 0, 2, 5), 111, 0),
        ("gstreamer-whepclientsrc", NegotiatedMedia(97, 108), 101, 9),
        ("gstreamer-whepsrc", NegotiatedMedia(103), 96, 9),
        ("gstreamer-webrtcbin", NegotiatedMedia(97), 98, 9),
        ("libdatachannel", NegotiatedMedia(96), 111, 2),
        ("pion", NegotiatedMedia(125, 107), None, 4),
        ("werift", NegotiatedMedia(97), 96, 2),
    ],
)
def test_real_offers_are_accepted(player: str, video: NegotiatedMedia, audio: int | None, candidates: int) -> None:
    offer = accepted(OFFERS[player])
    assert offer.media["video"].negotiated == video
    assert [media.codec.payload_type for kind, media in offer.media.items() if kind == "audio"] == (
        [audio] if audio else []
    )
    assert len(offer.candidates) == candidates
    assert offer.transport.setup == "actpass"


def test_every_recorded_offer_is_in_the_table() -> None:
    assert len(OFFERS) == 11


def test_accepted_media_has_the_order_of_the_m_lines() -> None:
    assert list(accepted(CHROMIUM).media) == ["video", "audio"]
    assert list(accepted(WHEPSRC).media) == ["audio", "video"]


@pytest.mark.parametrize("player", OFFERS)
def test_every_truncation_is_accepted_or_refused(player: str) -> None:
    text, results = OFFERS[player], set()
    for end in range(len(text)):
        try:
            results.add(bool(filter_offer(text[:end], with_audio=True).media))
        except BadOffer:
            results.add(None)
    assert results == {True, None}


@given(st.data())
def test_offers_with_changed_lines_are_accepted_or_refused(data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from(list(OFFERS.values()))).splitlines()
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        lines[at] = data.draw(
            st.sampled_from(
                [line[: len(line) // 2], line + line, "", line.swapcase(), re.sub("[0-9]+", "999999", line)]
            )
            | st.text(max_size=20)
        )
    with contextlib.suppress(BadOffer):
        accepted("\r\n".join(lines))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not SDP"),
        ("x" * (MAX_BYTES + 1), "longer than 65536 bytes"),
        ("v=0\n" + "a=x\n" * 10_000, "more than 1500 lines"),
        ("v=0\n" * MAX_LINES, "no m-line"),
        (CHROMIUM + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n" * MAX_M_LINES, "or more than 32"),
        (CHROMIUM + "a=rtpmap:96 VP8/90000\r\n" * MAX_RTPMAPS, "more than 128 a=rtpmap"),
        (CHROMIUM + "a=rtcp-fb:96 nack\r\n" * MAX_RTCP_FBS, "more than 256 a=rtcp-fb"),
        (CHROMIUM + "a=fmtp:96 x=1\r\n" * MAX_FMTPS, "more than 256 a=fmtp"),
        (CHROMIUM.replace("SAVPF ", "SAVPF " + "96 " * MAX_FORMATS), "more than 128 formats"),
        (CHROMIUM.replace("m=audio 9 ", "m=audio nine "), "m-line or a=mid that cannot be read"),
        (CHROMIUM.replace("a=mid:0", "a=mid:\x7f"), "m-line or a=mid that cannot be read"),
        (CHROMIUM.replace("a=mid:0", "a=mid:0\r\na=mid:0"), "m-line or a=mid that cannot be read"),
        (without(CHROMIUM, "a=rtcp-mux$"), "a=rtcp-mux is needed"),
        (without(CHROMIUM, "a=group"), "a=group:BUNDLE is needed"),
        (CHROMIUM.replace("a=mid:1", "a=mid:0"), "same a=mid"),
        (without(CHROMIUM, "a=fingerprint"), "one sha-256 fingerprint"),
        (CHROMIUM.replace("sha-256 ", "sha-1 "), "one sha-256 fingerprint"),
        (without(CHROMIUM, "a=ice-ufrag"), "ICE credentials"),
        (without(CHROMIUM, "a=ice-pwd"), "ICE credentials"),
        (CHROMIUM.replace("a=ice-pwd:", "a=ice-pwd:short\r\na=x:"), "ICE credentials"),
        (CHROMIUM.replace("a=setup:actpass", "a=setup:holdconn"), "invalid a=setup"),
        (CHROMIUM.replace("a=recvonly", "a=sendonly"), "nothing in it"),
        (CHROMIUM.replace("a=recvonly", "a=inactive"), "nothing in it"),
        (re.sub("m=(video|audio) 9", r"m=\1 0", CHROMIUM), "nothing in it"),
        (CHROMIUM.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "nothing in it"),
    ],
)
def test_what_is_no_offer_is_refused(text: str, message: str) -> None:
    began = time.perf_counter()
    with pytest.raises(BadOffer, match=message) as caught:
        accepted(text)
    assert time.perf_counter() - began < QUICKLY
    assert not isinstance(caught.value, NoCommonCodec)


def test_largest_offer_is_filtered_quickly() -> None:
    lines = CHROMIUM.splitlines()
    text = "\r\n".join([*lines, *(f"a=x:{'y' * 30}" for _ in range(MAX_LINES - len(lines)))])
    assert len(text) <= MAX_BYTES
    began = time.perf_counter()
    accepted(text)
    assert time.perf_counter() - began < QUICKLY


def test_offer_with_as_many_formats_as_allowed_is_filtered_quickly() -> None:
    text = crowded_offer()
    began = time.process_time()
    accepted(text)
    assert time.process_time() - began < QUICKLY


@pytest.mark.parametrize("name", ["VP8", "H265"])
def test_video_without_h264_is_no_common_codec(name: str) -> None:
    with pytest.raises(NoCommonCodec):
        accepted(CHROMIUM.replace("H264", name))


def test_only_packetization_mode_0_is_no_common_codec() -> None:
    with pytest.raises(NoCommonCodec):
        accepted(CHROMIUM.replace("packetization-mode=1", "packetization-mode=0"))


def test_player_that_wants_audio_only_gets_it() -> None:
    text = CHROMIUM.replace("a=recvonly", "a=inactive", 1)
    assert list(accepted(text).media) == ["audio"]
    with pytest.raises(BadOffer, match="nothing in it") as caught:
        accepted(text, with_audio=False)
    assert not isinstance(caught.value, NoCommonCodec), "players would drop the audio, and try again"


def test_without_audio_in_the_stream_the_video_is_accepted() -> None:
    assert list(accepted(WHEPSRC, with_audio=False).media) == ["video"]


def test_m_lines_that_are_only_offered_in_the_bundle_are_no_refusals() -> None:
    assert "m=audio 0 " in FIREFOX
    assert "audio" in accepted(FIREFOX).media
    assert "audio" not in accepted(without(FIREFOX, "a=bundle-only")).media


def test_second_m_line_of_a_kind_and_other_kinds_are_refused() -> None:
    audio = CHROMIUM[CHROMIUM.index("m=audio") :]
    text = (CHROMIUM + audio.replace("a=mid:1", "a=mid:2")).replace("BUNDLE 0 1", "BUNDLE 0 1 2")
    assert [line.accepted is not None for line in accepted(text).m_lines] == [True, True, False]
    reader = accepted(OFFERS["chromium-mediamtx-reader"])
    assert [(line.kind, line.accepted is not None) for line in reader.m_lines] == [
        ("video", True),
        ("audio", True),
        ("application", False),
    ]


def test_m_line_outside_the_bundle_is_refused() -> None:
    offer = accepted(CHROMIUM.replace("BUNDLE 0 1", "BUNDLE 0"))
    assert list(offer.media) == ["video"]


def test_single_m_line_needs_no_bundle() -> None:
    text = without(CHROMIUM[: CHROMIUM.index("m=audio")], "a=group|a=mid")
    offer = accepted(text)
    assert (list(offer.media), offer.tagged.mid) == (["video"], "")


def test_sendrecv_and_the_direction_of_the_session_are_understood() -> None:
    assert len(accepted(CHROMIUM.replace("a=recvonly", "a=sendrecv")).media) == 2
    assert len(accepted(without(CHROMIUM, "a=recvonly")).media) == 2
    session = without(CHROMIUM, "a=recvonly").replace("t=0 0", "t=0 0\r\na=inactive")
    with pytest.raises(BadOffer, match="nothing in it"):
        accepted(session)


def test_transport_is_that_of_the_first_mid_in_the_bundle() -> None:
    text = OFFERS["werift"]
    audio = text.index("m=audio")
    text = text[:audio] + text[audio:].replace("a=ice-ufrag:4947", "a=ice-ufrag:other").replace("57631", "60000")
    assert accepted(text).transport.ufrag == "4947"
    swapped = accepted(text.replace("BUNDLE 0 1", "BUNDLE 1 0"))
    assert (swapped.transport.ufrag, swapped.tagged.kind) == ("other", "audio")
    assert "60000" in swapped.candidates[0]


@pytest.mark.parametrize("setup", ["actpass", "active", "passive"])
def test_dtls_role_of_the_player_is_read(setup: str) -> None:
    assert accepted(CHROMIUM.replace("a=setup:actpass", f"a=setup:{setup}")).transport.setup == setup


def test_ice_lite_is_read() -> None:
    assert not accepted(CHROMIUM).transport.ice_lite
    assert accepted(CHROMIUM.replace("t=0 0", "t=0 0\r\na=ice-lite")).transport.ice_lite
