"""The answer screen lets real answers through, and stops what no browser would send."""

import time
from pathlib import Path

import pytest
from aiortc.sdp import SessionDescription
from hypothesis import given, settings
from hypothesis import strategies as st

from broadcaster.errors import BadAnswer
from broadcaster.signaling.sdp import filter_answer
from tests.unit.signaling_samples import CHROMIUM, OFFER, PION

SDP = Path(__file__).parent / "sdp"
"""An offer of this daemon, and what WebRTC stacks answered to it, with documentation addresses."""

FINGERPRINT = next(line for line in CHROMIUM.splitlines() if line.startswith("a=fingerprint"))


@pytest.mark.parametrize(
    "answer",
    [CHROMIUM, PION.replace(" \r\n", "\r\n"), CHROMIUM.replace("\r\n", "\n")],
    ids=["chromium", "pion", "newlines"],
)
def test_real_answers_are_accepted(answer: str) -> None:
    filtered, given = SessionDescription.parse(filter_answer(OFFER, answer).sdp), SessionDescription.parse(answer)
    for ours, theirs in zip(filtered.media, given.media, strict=True):
        assert (ours.kind, ours.rtp.muxId, ours.fmt) == (theirs.kind, theirs.rtp.muxId, theirs.fmt)
        assert ours.rtp.codecs == theirs.rtp.codecs
        assert ours.rtp.headerExtensions == theirs.rtp.headerExtensions
        assert (ours.ice.usernameFragment, ours.ice.password) == (theirs.ice.usernameFragment, theirs.ice.password)
        assert ours.dtls is not None
        assert ours.dtls.role == "client"
        assert [f.value for f in ours.dtls.fingerprints] == [f.value.upper() for f in theirs.dtls.fingerprints[:1]]
        assert ours.rtcp_mux
        assert ours.direction == "recvonly"


def recorded(name: str) -> str:
    return (SDP / f"{name}.sdp").read_bytes().decode()


@pytest.mark.parametrize(
    ("stack", "rtx", "extensions", "candidates"),
    [
        ("aiortc", True, [1, 3], 4),
        ("gstreamer", False, [], 0),
        ("gstreamer-rtx", True, [], 0),
        ("libdatachannel", True, [1, 3, 4], 2),
        ("libwebrtc", True, [3, 4, 1], 0),
        ("pion", True, [1], 4),
        ("werift", False, [], 4),
    ],
)
def test_other_implementations_are_accepted(stack: str, rtx: bool, extensions: list[int], candidates: int) -> None:
    filtered = filter_answer(recorded("offer"), recorded(stack))
    video, audio = SessionDescription.parse(filtered.sdp).media
    assert [codec.name.upper() for codec in video.rtp.codecs] == ["H264", *(["RTX"] if rtx else [])]
    assert [codec.name.lower() for codec in audio.rtp.codecs] == ["opus"]
    assert [extension.id for extension in video.rtp.headerExtensions] == extensions
    assert len(filtered.candidates) == candidates
    assert {media.dtls.role for media in (video, audio) if media.dtls} == {"client"}


def test_answer_without_h264_is_rejected() -> None:
    with pytest.raises(BadAnswer, match="video was refused"):
        filter_answer(recorded("offer"), recorded("libwebrtc-without-h264"))


def test_stereo_parameter_of_the_answer_is_kept() -> None:
    stereo = recorded("libwebrtc").replace("useinbandfec=1", "useinbandfec=1;stereo=1")
    assert "a=fmtp:96 minptime=10;useinbandfec=1;stereo=1" in filter_answer(recorded("offer"), stereo).sdp


def test_trailing_space_does_not_hide_rtcp_feedback() -> None:
    video = SessionDescription.parse(filter_answer(OFFER, PION).sdp).media[0]
    feedback = [(each.type, each.parameter) for each in video.rtp.codecs[0].rtcpFeedback]
    assert feedback == [("nack", None), ("nack", "pli"), ("goog-remb", None)]


def test_candidates_are_removed() -> None:
    filtered = filter_answer(OFFER, PION)
    assert "candidate" not in filtered.sdp
    assert filtered.candidates[0] == "candidate:2070692838 1 udp 2130706431 192.0.2.2 56512 typ host"
    assert len(filtered.candidates) == 4


def without(prefix: str, answer: str = CHROMIUM) -> str:
    return "".join(line for line in answer.splitlines(keepends=True) if not line.startswith(prefix))


def more(line: str, times: int) -> str:
    return CHROMIUM + f"{line}\r\n" * times


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("", "m-lines"),
        (more("a=x-" + "y" * 500, 40), "longer than"),
        (more("a=x", 280), "more than 300 lines"),
        (CHROMIUM.replace("\r\n", "\x0b"), "characters"),
        (CHROMIUM + "a=x:\x00\r\n", "characters"),
        (CHROMIUM + "a=x:é\r\n", "characters"),
        (more("a=rtpmap:96 opus/48000/2", 33), "rtpmap"),
        (more("a=rtcp-fb:96 nack", 65), "rtcp-fb"),
        (CHROMIUM[: CHROMIUM.index("m=audio")], "m-lines"),
        (CHROMIUM + "m=audio 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:2\r\n", "m-lines"),
        (CHROMIUM.replace("m=audio", "m=video"), "m-lines"),
        (CHROMIUM.replace("a=mid:1", "a=mid:7"), "m-lines"),
        (CHROMIUM.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP"), "m-lines"),
        (without("a=mid:1"), "a=mid"),
        (CHROMIUM.replace("m=audio 9 ", "m=audio nine "), "cannot be read"),
        (CHROMIUM.replace("m=video 9 ", "m=video 0 "), "video was refused"),
        (CHROMIUM.replace("m=audio 9 ", "m=audio 0 "), "audio was refused"),
        (CHROMIUM.replace("101", "110"), "not offered"),
        (CHROMIUM.replace("a=rtpmap:101 H264", "a=rtpmap:101 VP8"), "renumbered payload types"),
        (without("a=rtpmap:101", without("a=fmtp:101", without("a=rtcp-fb:101"))), "H.264"),
        (CHROMIUM.replace("a=extmap:3 ", "a=extmap:7 "), "renumbered header extensions"),
        (CHROMIUM.replace("a=extmap:3 ", "a=extmap:4 "), "extmap"),
        (without("a=fingerprint"), "fingerprint"),
        (CHROMIUM.replace("sha-256", "sha-1"), "fingerprint"),
        (CHROMIUM.replace(FINGERPRINT, FINGERPRINT[:-3]), "fingerprint"),
        (CHROMIUM.replace(FINGERPRINT, FINGERPRINT[:-2] + "00", 1), "fingerprint"),
        (CHROMIUM.replace("a=setup:active", "a=setup:passive"), "setup"),
        (CHROMIUM.replace("a=setup:active", "a=setup:actpass", 1), "setup"),
        (without("a=setup"), "setup"),
        (without("a=ice-ufrag"), "ICE"),
        (CHROMIUM.replace("a=ice-pwd:X", "a=ice-pwd:Y", 1), "ICE"),
        (CHROMIUM.replace("a=ice-ufrag:5/9E", "a=ice-ufrag:abc"), "ICE"),
        (without("a=group"), "bundled"),
        (CHROMIUM.replace("BUNDLE 0 1", "BUNDLE 0"), "bundled"),
        (without("a=rtcp-mux"), "rtcp-mux"),
        (CHROMIUM.replace("a=fmtp:102 apt=101", "a=fmtp:103 apt=101"), "fmtp"),
        (CHROMIUM.replace("apt=101", "apt=x"), "apt"),
        (CHROMIUM.replace("a=rtcp-fb:101 goog-remb", "a=rtcp-fb:99 goog-remb"), "rtcp-fb"),
    ],
)
def test_invalid_answers_are_rejected_with_the_reason(answer: str, why: str) -> None:
    with pytest.raises(BadAnswer, match=why):
        filter_answer(OFFER, answer)


def test_slowest_answer_takes_less_than_five_milliseconds() -> None:
    worst = [
        CHROMIUM + ("a=rtcp-fb:96 " + "x" * 16 + "\r\n") * 64 + "a=candidate:" + "c" * 400,
        "m=" * 8000,
        "\n" * 16000,
    ]
    worst += ["x" * 120_000, CHROMIUM + "a=extmap:9 " + "u " * 5000, "m=audio 9 A " + "1 " * 8000]
    for answer in worst:
        times = []
        for _ in range(3):
            began = time.perf_counter()
            with pytest.raises(BadAnswer):
                filter_answer(OFFER, answer)
            times.append(time.perf_counter() - began)
        assert min(times) < 0.005


lines = CHROMIUM.splitlines()
mutations = st.lists(
    st.tuples(
        st.integers(0, len(lines) - 1), st.sampled_from(["drop", "twice", "cut", "digits", "swap"]), st.integers(0, 80)
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(mutations)
def test_accepted_answers_are_parsed_by_aiortc(changes: list[tuple[int, str, int]]) -> None:
    changed = list(lines)
    for index, how, at in changes:
        line = changed[index]
        changed[index] = {
            "drop": "",
            "twice": f"{line}\r\n{line}",
            "cut": line[:at],
            "digits": line.replace("1", "999999999999"),
            "swap": changed[at % len(changed)],
        }[how]
    try:
        filtered = filter_answer(OFFER, "\r\n".join([*changed, ""]))
    except BadAnswer:
        return
    description = SessionDescription.parse(filtered.sdp)
    assert [media.kind for media in description.media] == ["video", "audio"]
    assert all(media.ice.password and media.dtls.fingerprints for media in description.media)
