"""Answers to the SDP offers of players (WHEP), and the offer that the peer connection gets instead of theirs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from broadcaster.signaling.codec_choice import FEEDBACK
from broadcaster.signaling.player_offer import AcceptedMedia, MLine, PlayerOffer
from broadcaster.signaling.sections import split_sections

_STREAM = "broadcaster"
"""The id of the media stream: players synchronize audio and video of the same one (RFC 8830 §2)."""

_CODECS = {
    "video": (
        "m=video 9 UDP/TLS/RTP/SAVPF 101",
        "a=rtpmap:101 H264/90000",
        "a=fmtp:101 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        *(f"a=rtcp-fb:101 {feedback}" for feedback in FEEDBACK),
    ),
    "audio": ("m=audio 9 UDP/TLS/RTP/SAVPF 96", "a=rtpmap:96 opus/48000/2"),
}
"""Codecs in the words of the peer connection. It sends no RTP itself, so its numbers mean nothing."""


@dataclass(frozen=True, slots=True)
class Ssrcs:
    """The SSRCs of the streams; retransmissions of the video have one of their own."""

    video: int
    rtx: int
    audio: int


@dataclass(frozen=True, slots=True)
class _Transport:
    """Our side of the one transport, as lines, and the canonical name in our RTCP."""

    lines: tuple[str, ...]
    candidates: tuple[str, ...]
    cname: str


def equivalent_offer(offer: PlayerOffer) -> str:
    """Return an offer with the same transport and the accepted kinds of media, for the peer connection.

    We are the DTLS server if the player leaves the choice to us: then our order of SRTP profiles decides.
    """
    transport, kinds = offer.transport, offer.media
    lines = [
        "v=0",
        "o=- 0 0 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        *(["a=ice-lite"] if transport.ice_lite else []),
        f"a=group:BUNDLE {' '.join(kinds)}",
        f"a=ice-ufrag:{transport.ufrag}",
        f"a=ice-pwd:{transport.pwd}",
        f"a=fingerprint:{transport.fingerprint}",
        f"a=setup:{'passive' if transport.setup == 'passive' else 'active'}",
    ]
    for kind in kinds:
        m_line, *codec = _CODECS[kind]
        lines += [m_line, "c=IN IP4 0.0.0.0", f"a=mid:{kind}", "a=rtcp-mux", "a=recvonly", *codec]
    return _join(lines)


def write_answer(offer: PlayerOffer, description: str, ssrcs: Ssrcs) -> str:
    """Return the answer for the player; `description` is what the peer connection answered to `equivalent_offer`.

    It has the m-lines of the offer in their order, and all candidates in the tagged one.
    """
    ours = _read_transport(description)
    lines = ["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=-", "t=0 0"]
    mids = [line.mid for line in offer.m_lines if line.accepted is not None and line.mid]
    if mids:
        lines.append(f"a=group:BUNDLE {' '.join(sorted(mids, key=lambda mid: mid != offer.tagged.mid))}")
    lines += [f"a=msid-semantic:WMS {_STREAM}", "a=ice-options:trickle"]
    for line in offer.m_lines:
        if line.accepted is None:
            lines += _refused(line, ours)
        else:
            lines += _m_line(line, line.accepted, ours, has_candidates=line is offer.tagged)
            lines += _codec_lines(line.kind, line.accepted, ssrcs)
            lines += _source_lines(line.kind, line.accepted, ssrcs, ours.cname)
    return _join(lines)


def _join(lines: list[str]) -> str:
    return "\r\n".join([*lines, ""])


def _read_transport(description: str) -> _Transport:
    section = split_sections(description)[1]
    fingerprints = [value for value in section.all("fingerprint") if value.startswith("sha-256 ")]
    sources = (value.partition(" cname:") for value in section.all("ssrc"))
    return _Transport(
        (
            *(f"a={name}:{value}" for name in ("ice-ufrag", "ice-pwd") for value in section.all(name)),
            *(f"a=fingerprint:{value}" for value in fingerprints),
            *(f"a=setup:{value}" for value in section.all("setup")),
        ),
        tuple(f"a=candidate:{value}" for value in section.all("candidate")),
        next(cname for _, found, cname in sources if found),
    )


def _refused(line: MLine, ours: _Transport) -> Iterator[str]:
    """Yield the lines of a refused m-line; GStreamer wants a transport even there if it is the first."""
    yield f"m={line.kind} 0 {line.profile} {line.formats}"
    yield "c=IN IP4 0.0.0.0"
    if line.mid:
        yield f"a=mid:{line.mid}"
    if line.kind != "application":
        yield "a=inactive"
    yield from ours.lines


def _m_line(line: MLine, media: AcceptedMedia, ours: _Transport, *, has_candidates: bool) -> Iterator[str]:
    codec = media.codec
    formats = f"{codec.payload_type} {codec.rtx_payload_type}" if codec.rtx_payload_type else f"{codec.payload_type}"
    yield f"m={line.kind} 9 {line.profile} {formats}"
    yield "c=IN IP4 0.0.0.0"
    yield "a=rtcp:9 IN IP4 0.0.0.0"
    yield from ours.lines
    if line.mid:
        yield f"a=mid:{line.mid}"
    yield "a=sendonly"
    yield "a=rtcp-mux"
    if has_candidates:
        yield from ours.candidates
        yield "a=end-of-candidates"


def _codec_lines(kind: str, media: AcceptedMedia, ssrcs: Ssrcs) -> Iterator[str]:
    codec = media.codec
    yield from (f"a=extmap:{id} {uri}" for id, uri in media.extensions)
    yield f"a=rtpmap:{codec.payload_type} {codec.name}"
    if codec.parameters:
        yield f"a=fmtp:{codec.payload_type} {codec.parameters}"
    yield from (f"a=rtcp-fb:{codec.payload_type} {feedback}" for feedback in codec.feedback)
    if codec.rtx_payload_type:
        yield f"a=rtpmap:{codec.rtx_payload_type} rtx/90000"
        yield f"a=fmtp:{codec.rtx_payload_type} apt={codec.payload_type}"
        yield f"a=ssrc-group:FID {ssrcs.video} {ssrcs.rtx}"


def _source_lines(kind: str, media: AcceptedMedia, ssrcs: Ssrcs, cname: str) -> Iterator[str]:
    yield f"a=msid:{_STREAM} {kind}"
    yield f"a=ssrc:{ssrcs.video if kind == 'video' else ssrcs.audio} cname:{cname}"
    if media.codec.rtx_payload_type:
        yield f"a=ssrc:{ssrcs.rtx} cname:{cname}"
