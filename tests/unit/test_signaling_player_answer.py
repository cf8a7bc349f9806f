"""Answers to players: what the SDP says, and that they fit the offers."""

import pytest
from aiortc.sdp import SessionDescription

from broadcaster.signaling.player_answer import Ssrcs, equivalent_offer, write_answer
from broadcaster.signaling.sections import Section, split_sections
from tests.unit.player_offers import CHROMIUM, DESCRIPTION, FIREFOX, OFFERS, WHEPSRC, accepted, without

SSRCS = Ssrcs(video=7, rtx=8, audio=9)
OTHER_KINDS = ("a=group", "a=msid-semantic", "a=ice-options")


def answer(text: str, *, with_audio: bool = True) -> list[Section]:
    """Return the sections of the answer to an offer."""
    return split_sections(write_answer(accepted(text, with_audio=with_audio), DESCRIPTION, SSRCS))


@pytest.mark.parametrize("player", OFFERS)
def test_answer_has_the_m_lines_of_the_offer_in_their_order(player: str) -> None:
    offered, answered = split_sections(OFFERS[player]), answer(OFFERS[player])
    assert len(offered) == len(answered)
    for theirs, ours in zip(offered[1:], answered[1:], strict=True):
        kind, port, profile, *formats = ours.m.split()
        assert [kind, profile] == [theirs.m.split()[0], theirs.m.split()[2]]
        assert set(formats) <= set(theirs.m.split()[3:])
        assert ours.all("mid") == theirs.all("mid")
        assert port == ("0" if kind == "application" else "9")
        assert {f"{line}" for line in ours.all("rtcp-fb")} <= set(theirs.all("rtcp-fb"))
        assert set(ours.all("rtpmap")) <= set(theirs.all("rtpmap"))
        assert set(ours.all("fmtp")) <= set(theirs.all("fmtp"))


@pytest.mark.parametrize("player", OFFERS)
def test_answer_has_one_transport_with_all_candidates_on_the_first_accepted_m_line(player: str) -> None:
    session, *media = answer(OFFERS[player])
    accepted_media = [section for section in media if section.m.split()[1] == "9"]
    assert session.all("group") == [f"BUNDLE {' '.join(section.all('mid')[0] for section in accepted_media)}"]
    assert [len(section.all("candidate")) for section in accepted_media] == [2, 0][: len(accepted_media)]
    for section in media:
        assert section.all("ice-ufrag") == ["ours"]
        assert section.all("setup") == ["passive"]
        assert [value.split()[0] for value in section.all("fingerprint")] == ["sha-256"]
    for section in accepted_media:
        assert section.all("sendonly") == section.all("rtcp-mux") == [""]
        assert not any("sdes:mid" in value for value in section.all("extmap")), "the packets carry no MID"


@pytest.mark.parametrize("player", OFFERS)
def test_answer_is_parsed_by_aiortc_and_names_our_streams(player: str) -> None:
    offer = accepted(OFFERS[player])
    parsed = SessionDescription.parse(write_answer(offer, DESCRIPTION, SSRCS))
    for media in parsed.media:
        if media.kind == "application":
            continue
        expected = [7, 8] if offer.media["video"].codec.rtx_payload_type else [7]
        assert [source.ssrc for source in media.ssrc] == (expected if media.kind == "video" else [9])
        assert {source.cname for source in media.ssrc} == {"us"}
        assert media.direction == "sendonly"
        assert {extension.id for extension in media.rtp.headerExtensions} == (
            {id for id, _ in offer.media["video"].extensions} if media.kind == "video" else set()
        )


def test_parameters_of_the_codecs_are_those_of_the_offer() -> None:
    video, audio = answer(CHROMIUM)[1:]
    assert video.all("fmtp") == [
        "108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        "109 apt=108",
    ]
    assert audio.all("fmtp") == ["111 minptime=10;useinbandfec=1"]
    assert answer(WHEPSRC)[2].all("fmtp") == [], "GStreamer offers none, and would not accept any"


def test_audio_and_video_belong_to_one_stream() -> None:
    video, audio = answer(FIREFOX)[1:]
    assert video.all("msid") == ["broadcaster video"]
    assert audio.all("msid") == ["broadcaster audio"]


def test_refused_m_line_has_port_0_and_our_transport() -> None:
    """GStreamer wants ICE credentials in the first m-line, even if it is refused."""
    audio, video = answer(WHEPSRC, with_audio=False)[1:]
    assert audio.m == "audio 0 UDP/TLS/RTP/SAVPF 96"
    assert audio.all("inactive") == [""]
    assert (audio.all("ice-ufrag"), audio.all("candidate")) == (["ours"], [])
    assert len(video.all("candidate")) == 2
    assert answer(WHEPSRC, with_audio=False)[0].all("group") == ["BUNDLE video1"]


def test_group_begins_with_the_tagged_m_line() -> None:
    session, video, audio = answer(OFFERS["werift"].replace("BUNDLE 0 1", "BUNDLE 1 0"))
    assert session.all("group") == ["BUNDLE 1 0"]
    assert (len(video.all("candidate")), len(audio.all("candidate"))) == (0, 2)


def test_answer_without_mids_has_no_group() -> None:
    session, video = answer(without(CHROMIUM[: CHROMIUM.index("m=audio")], "a=group|a=mid"))
    assert (session.all("group"), video.all("mid")) == ([], [])


@pytest.mark.parametrize(("offered", "role"), [("actpass", "client"), ("active", "client"), ("passive", "server")])
def test_peer_connection_gets_the_transport_and_the_kinds_of_media(offered: str, role: str) -> None:
    offer = accepted(CHROMIUM.replace("a=setup:actpass", f"a=setup:{offered}"))
    parsed = SessionDescription.parse(equivalent_offer(offer))
    assert [media.kind for media in parsed.media] == ["video", "audio"]
    for media in parsed.media:
        assert (media.ice.usernameFragment, media.ice.password) == (offer.transport.ufrag, offer.transport.pwd)
        assert media.dtls.role == role, "we are the server where we may choose"
        assert not media.ice.iceLite
    assert (
        SessionDescription.parse(equivalent_offer(accepted(CHROMIUM.replace("t=0 0", "t=0 0\r\na=ice-lite"))))
        .media[0]
        .ice.iceLite
    )
