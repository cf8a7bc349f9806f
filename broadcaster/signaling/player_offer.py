"""Filter for the SDP offers of players (WHEP), which list everything that a player can do.

The peer connection never gets an offer itself: what we accept is read from it here, from lines with a known form, and
`player_answer` writes both the offer that the peer connection gets and the answer that the player gets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from broadcaster.errors import BadOffer, NoCommonCodec
from broadcaster.model.offers import NegotiatedMedia
from broadcaster.signaling.codec_choice import Codec, choose_h264, choose_opus, extension_ids
from broadcaster.signaling.sections import PWD, SHA_256, UFRAG, Section, count, split_sections

MAX_BYTES = 64 * 1024
MAX_LINES = 1500
MAX_M_LINES = 32
MAX_FORMATS = 128
"""In one m-line: payload types have seven bits."""
MAX_RTPMAPS = 128
MAX_FMTPS = 256
MAX_RTCP_FBS = 256

_M_LINE = re.compile(
    r"(?P<kind>[a-z]{1,16}) (?P<port>[0-9]{1,5})(?:/[0-9]{1,5})? (?P<profile>[A-Z/]{1,32})"
    r" (?P<formats>[!-~]{1,64}(?: [!-~]{1,64})*)"
)
"""RFC 8866 §5.14."""

_PROFILES = ("UDP/TLS/RTP/SAVPF", "TCP/DTLS/RTP/SAVPF", "RTP/SAVPF")
"""Profiles that mean SRTP with DTLS and feedback (RFC 8829 §5.1.2)."""

_TOKEN = re.compile(r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]{1,64}")  # RFC 8866 §9
_RECEIVES = ("recvonly", "sendrecv")
_DIRECTIONS = (*_RECEIVES, "sendonly", "inactive")
_SETUPS = ("actpass", "active", "passive")


@dataclass(frozen=True, slots=True)
class AcceptedMedia:
    """What we send for one m-line; `extensions` are header extension ids with their URIs."""

    codec: Codec
    negotiated: NegotiatedMedia
    extensions: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class MLine:
    """One m-line of an offer; `accepted` is None if we refuse it. `mid` is empty if it has none."""

    kind: str
    profile: str
    formats: str
    mid: str
    accepted: AcceptedMedia | None = None


@dataclass(frozen=True, slots=True)
class PlayerTransport:
    """The player's side of the one transport; `setup` is its DTLS role (RFC 8842 §5)."""

    ufrag: str
    pwd: str
    fingerprint: str
    setup: str
    ice_lite: bool


@dataclass(frozen=True, slots=True)
class PlayerOffer:
    """What we accept of an offer; `tagged` is the m-line with the candidates, those in it not filtered yet."""

    m_lines: tuple[MLine, ...]
    tagged: MLine
    transport: PlayerTransport
    candidates: tuple[str, ...]

    @property
    def media(self) -> dict[str, AcceptedMedia]:
        """The accepted m-lines by their kind, in their order."""
        return {line.kind: line.accepted for line in self.m_lines if line.accepted is not None}


def filter_offer(text: str, *, with_audio: bool) -> PlayerOffer:
    """Filter an offer; without `with_audio`, only the video in it is accepted. Raises `BadOffer`."""
    sections = _read_sections(text)
    session, bundle = sections[0], _bundle(sections[0])
    kinds = {"video": choose_h264} | ({"audio": choose_opus} if with_audio else {})
    m_lines: list[MLine] = []
    wants_video = False
    for section in sections[1:]:
        line = _read_m_line(section)
        choose = kinds.get(line.kind) if _is_wanted(section, line, session, bundle) else None
        codec = choose(section, line.formats.split()) if choose is not None else None
        wants_video |= choose is choose_h264
        if codec is not None:
            del kinds[line.kind]
            line = _accept(line, codec, section)
        m_lines.append(line)
    if wants_video and "video" in kinds:
        raise NoCommonCodec("no H.264 with packetization-mode 1, and this stream has nothing else")
    return _complete(sections, m_lines, bundle)


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise BadOffer(otherwise)


def _read_sections(text: str) -> list[Section]:
    """Split the offer into sections, after checking that it is not too large to be one."""
    _require(len(text) <= MAX_BYTES, f"longer than {MAX_BYTES} bytes")
    _require(len(text.splitlines()) <= MAX_LINES, f"more than {MAX_LINES} lines")
    _require(text.startswith("v=0"), "this is not SDP")
    sections = split_sections(text)
    _require(1 < len(sections) <= 1 + MAX_M_LINES, f"no m-line, or more than {MAX_M_LINES}")
    _require(count(sections, "rtpmap") <= MAX_RTPMAPS, f"more than {MAX_RTPMAPS} a=rtpmap")
    _require(count(sections, "fmtp") <= MAX_FMTPS, f"more than {MAX_FMTPS} a=fmtp")
    _require(count(sections, "rtcp-fb") <= MAX_RTCP_FBS, f"more than {MAX_RTCP_FBS} a=rtcp-fb")
    formats = max(section.m.count(" ") for section in sections) - 2
    _require(formats <= MAX_FORMATS, f"more than {MAX_FORMATS} formats in an m-line")
    return sections


def _bundle(session: Section) -> list[str]:
    """Return the mids in the BUNDLE group (RFC 9143), in their order; empty without one."""
    groups = [value.split()[1:] for value in session.all("group") if value.startswith("BUNDLE ")]
    return groups[0] if groups else []


def _read_m_line(section: Section) -> MLine:
    match = _M_LINE.fullmatch(section.m)
    mids = section.all("mid")
    if match is None or len(mids) > 1 or not all(map(_TOKEN.fullmatch, mids)):
        raise BadOffer("an m-line or a=mid that cannot be read")
    return MLine(match["kind"], match["profile"], match["formats"], mids[0] if mids else "")


def _is_wanted(section: Section, line: MLine, session: Section, bundle: Sequence[str]) -> bool:
    """Return whether the player wants to receive this m-line, on the transport that all share.

    The port 0 means a refused m-line unless it is only offered within the bundle (RFC 9143 §7.2.1).
    """
    names = [name for name, _ in (*section.attributes, *session.attributes) if name in _DIRECTIONS]
    receives = not names or names[0] in _RECEIVES
    is_refused = section.m.split()[1] == "0" and not section.all("bundle-only")
    return receives and not is_refused and line.profile in _PROFILES and (not bundle or line.mid in bundle)


def _accept(line: MLine, codec: Codec, section: Section) -> MLine:
    _require(bool(section.all("rtcp-mux")), "a=rtcp-mux is needed")
    ids = extension_ids(section, line.kind)
    negotiated = NegotiatedMedia(
        codec.payload_type,
        codec.rtx_payload_type,
        abs_send_time=ids.abs_send_time,
        playout_delay=ids.playout_delay,
    )
    return MLine(line.kind, line.profile, line.formats, line.mid, AcceptedMedia(codec, negotiated, ids.with_uris))


def _complete(sections: list[Section], m_lines: list[MLine], bundle: list[str]) -> PlayerOffer:
    """Check what concerns the offer as a whole, and read the transport."""
    accepted = [line for line in m_lines if line.accepted is not None]
    _require(bool(accepted), "nothing in it that this stream has")
    mids = [line.mid for line in m_lines if line.mid]
    _require(len(set(mids)) == len(mids), "two m-lines with the same a=mid")
    _require(len(accepted) == 1 or bool(bundle), "a=group:BUNDLE is needed")
    tagged = min(accepted, key=lambda line: bundle.index(line.mid) if bundle else 0)
    section = sections[1:][m_lines.index(tagged)]
    candidates = tuple(f"candidate:{value}" for value in section.all("candidate"))
    return PlayerOffer(tuple(m_lines), tagged, _transport(section, sections[0]), candidates)


def _transport(section: Section, session: Section) -> PlayerTransport:
    """Read the transport of the tagged m-line, whose attributes may also stand at the session level."""

    def one(name: str) -> str:
        values = section.all(name) or session.all(name)
        return values[0] if values else ""

    fingerprints = {value.upper() for value in section.all("fingerprint") or session.all("fingerprint")}
    known = [value for value in fingerprints if SHA_256.fullmatch(value)]
    _require(len(known) == 1, "one sha-256 fingerprint is needed")
    ufrag, pwd, setup = one("ice-ufrag"), one("ice-pwd"), one("setup") or "actpass"
    _require(UFRAG.fullmatch(ufrag) is not None and PWD.fullmatch(pwd) is not None, "invalid ICE credentials")
    _require(setup in _SETUPS, "invalid a=setup")
    return PlayerTransport(
        ufrag, pwd, known[0].replace("SHA-256", "sha-256"), setup, ice_lite=bool(session.all("ice-lite"))
    )
