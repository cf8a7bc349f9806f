"""SDP: completes our offers, and filters viewers' answers before the peer connection parses them.

A filtered answer is rebuilt from known lines: the transport that all m-lines share, and for each m-line the accepted
codecs and extensions. Size and lines are limited first, because aiortc's parser needs ten seconds for a valid answer
of 116 KiB.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from broadcaster.errors import BadAnswer

OPUS_PARAMETERS = "useinbandfec=1"
STEREO = "sprop-stereo=1"
"""RFC 7587 §6.1: the receiver may lose packets; the sender is likely to send two channels."""

SERVER_STEREO = "stereo=1;sprop-stereo=1"
"""Media servers pass `stereo` on to their viewers, whose browsers decode mono without it."""

MAX_BYTES = 16 * 1024
MAX_LINES = 300
MAX_RTPMAPS = 32
MAX_RTCP_FBS = 64

_M_LINE = re.compile(r"([a-z]{1,16}) ([0-9]{1,5}) ([A-Z/]{1,32}) ([0-9]{1,3}(?: [0-9]{1,3})*)")
_RTPMAP = re.compile(r"([0-9]{1,3}) ([0-9A-Za-z.-]{1,32}/[0-9]{1,6}(?:/[0-9]{1,2})?)")
_FMTP = re.compile(r"([0-9]{1,3}) ([0-9A-Za-z=;,./+ -]{1,256})")
_RTCP_FB = re.compile(r"([0-9]{1,3}|\*) ([0-9a-z-]{1,16}(?: [0-9a-z -]{1,32})?)")
_EXTMAP = re.compile(r"([0-9]{1,5})(?:/[a-z]{4,8})? ([!-~]{1,255})(?: .*)?")
_SHA_256 = re.compile(r"sha-256 [0-9A-F]{2}(?::[0-9A-F]{2}){31}", re.IGNORECASE)
_UFRAG = re.compile(r"[0-9A-Za-z+/]{4,256}")  # RFC 8839 §5.4
_PWD = re.compile(r"[0-9A-Za-z+/]{22,256}")
_NUMBERS = ("apt", "max-fr", "max-fs", "maxplaybackrate", "minptime", "stereo", "useinbandfec")
"""Parameters of `fmtp` that must be whole numbers."""


@dataclass(frozen=True, slots=True)
class FilteredAnswer:
    """An answer without candidates, and the candidate lines that were in it (not filtered yet)."""

    sdp: str
    candidates: tuple[str, ...]


@dataclass(slots=True)
class _Section:
    """One m-line and its attributes, or (`m` empty) the lines before the first."""

    m: str = ""
    attributes: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        return [value for attribute, value in self.attributes if attribute == name]

    def one(self, name: str) -> str:
        values = self.all(name)
        _require(len(values) == 1, f"one a={name} is needed in each m-line")
        return values[0]


@dataclass(frozen=True, slots=True)
class _Media:
    """The parsed contents of an m-line and its attributes."""

    kind: str
    port: int
    profile: str
    mid: str
    formats: tuple[str, ...]
    codecs: dict[str, str]
    extensions: dict[str, str]


def complete_offer(sdp: str, *, stereo: bool, to_server: bool = False) -> str:
    """Return `sdp` with sha-256 fingerprints only, and with parameters for Opus, which aiortc leaves out.

    Some clients warn about several fingerprints of one certificate, and one is enough (RFC 8122 §5).
    """
    lines: list[str] = []
    channels = f"{SERVER_STEREO if to_server else STEREO};" if stereo else ""
    for line in sdp.splitlines():
        if line.startswith("a=fingerprint:") and not line.startswith("a=fingerprint:sha-256 "):
            continue
        lines.append(line)
        if line.startswith("a=rtpmap:") and " opus/" in line:
            number = line.removeprefix("a=rtpmap:").split()[0]
            lines.append(f"a=fmtp:{number} {channels}{OPUS_PARAMETERS}")
    return "\r\n".join([*lines, ""])


def filter_answer(offer: str, answer: str, *, of_server: bool = False) -> FilteredAnswer:
    """Filter an answer. Raises `BadAnswer`.

    That of a media server may let us be the DTLS client (`setup:passive`), and implement ICE lite.
    """
    _count(answer)
    offered, answered = _sections(offer), _sections(answer)
    _count_codecs(answered)
    _require(len(offered) == len(answered), "other m-lines than offered")
    media = [_check_media(_read(theirs), _read(ours)) for ours, theirs in zip(offered[1:], answered[1:], strict=True)]
    _check_bundle(answered[0], media)
    lines = ["v=0", "o=- 0 0 IN IP4 0.0.0.0", "s=-", "t=0 0", *_transport(answered, media, of_server=of_server)]
    for section, parsed in zip(answered[1:], media, strict=True):
        lines += _rebuild(section, parsed)
    candidates = [value for section in answered for value in section.all("candidate")]
    return FilteredAnswer("\r\n".join([*lines, ""]), tuple(f"candidate:{value}" for value in candidates))


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise BadAnswer(otherwise)


def _count(answer: str) -> None:
    _require(len(answer) <= MAX_BYTES, f"longer than {MAX_BYTES} bytes")
    _require(len(answer.splitlines()) <= MAX_LINES, f"more than {MAX_LINES} lines")
    plain = answer.isascii() and answer.replace("\r", "").replace("\n", "").isprintable()
    _require(plain, "characters that do not belong in SDP")


def _count_codecs(sections: list[_Section]) -> None:
    rtpmaps = sum(len(section.all("rtpmap")) for section in sections)
    rtcp_fbs = sum(len(section.all("rtcp-fb")) for section in sections)
    _require(rtpmaps <= MAX_RTPMAPS, f"more than {MAX_RTPMAPS} a=rtpmap")
    _require(rtcp_fbs <= MAX_RTCP_FBS, f"more than {MAX_RTCP_FBS} a=rtcp-fb")


def _sections(sdp: str) -> list[_Section]:
    """Split into the section of the session and those of the m-lines."""
    sections = [_Section()]
    for line in sdp.splitlines():
        if line.startswith("m="):
            sections.append(_Section(line[2:]))
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            sections[-1].attributes.append((name, value))
    return sections


def _read(section: _Section) -> _Media:
    match = _M_LINE.fullmatch(section.m.strip())
    if match is None:
        raise BadAnswer("an m-line that cannot be read")
    kind, port, profile, formats = match.groups()
    return _Media(
        kind,
        int(port),
        profile,
        section.one("mid"),
        tuple(formats.split()),
        _pairs(_RTPMAP, section.all("rtpmap"), "rtpmap"),
        _pairs(_EXTMAP, section.all("extmap"), "extmap"),
    )


def _pairs(pattern: re.Pattern[str], values: Iterable[str], name: str) -> dict[str, str]:
    """Return a mapping from payload types or ids to their values."""
    pairs: dict[str, str] = {}
    for value in values:
        match = pattern.fullmatch(value.strip())
        if match is None or match[1] in pairs:
            raise BadAnswer(f"an a={name} that cannot be read, or twice the same number")
        pairs[match[1]] = match[2]
    return pairs


def _check_media(answer: _Media, offer: _Media) -> _Media:
    """Return the answered m-line if it is a subset of the offered one. Raises `BadAnswer`."""
    same = (answer.kind, answer.mid, answer.profile) == (offer.kind, offer.mid, offer.profile)
    _require(same, "other m-lines than offered")
    _require(answer.port != 0, f"{answer.kind} was refused")
    _require(set(answer.formats) <= set(offer.formats), "payload types that were not offered")
    _require(set(answer.codecs) <= set(answer.formats), "a=rtpmap for a payload type that its m-line does not have")
    for number, codec in answer.codecs.items():
        _require(codec.lower() == offer.codecs.get(number, "").lower(), "renumbered payload types")
    for number, uri in answer.extensions.items():
        _require(uri == offer.extensions.get(number), "renumbered header extensions")
    names = {codec.split("/")[0].upper() for codec in answer.codecs.values()}
    _require(answer.kind != "video" or "H264" in names, "no H.264 in the video m-line")
    return answer


def _check_bundle(session: _Section, media: list[_Media]) -> None:
    groups = [value.split() for value in session.all("group") if value.startswith("BUNDLE ")]
    mids = [one.mid for one in media]
    _require(groups == [["BUNDLE", *mids]], "all m-lines must be bundled on one transport, in their order")


def _transport(sections: list[_Section], media: list[_Media], *, of_server: bool) -> list[str]:
    """Return the lines of the shared transport, for the session level."""
    setup = _same(sections, "setup", "a=setup")
    _require(setup == "active" or (of_server and setup == "passive"), "a setup that is not active")
    is_lite = of_server and bool(sections[0].all("ice-lite"))  # RFC 8839 §5.3
    ufrag, pwd = _same(sections, "ice-ufrag", "ICE credentials"), _same(sections, "ice-pwd", "ICE credentials")
    _require(_UFRAG.fullmatch(ufrag) is not None and _PWD.fullmatch(pwd) is not None, "invalid ICE credentials")
    return [
        *(["a=ice-lite"] if is_lite else []),
        f"a=group:BUNDLE {' '.join(one.mid for one in media)}",
        f"a=ice-ufrag:{ufrag}",
        f"a=ice-pwd:{pwd}",
        f"a=fingerprint:{_fingerprint(sections)}",
        f"a=setup:{setup}",
    ]


def _same(sections: list[_Section], name: str, what: str) -> str:
    """Return the value that all m-lines share."""
    values = {value for section in sections for value in section.all(name)}
    _require(len(values) == 1, f"{what} missing, or not the same in all m-lines")
    return values.pop()


def _fingerprint(sections: list[_Section]) -> str:
    values = {value.upper() for section in sections for value in section.all("fingerprint")}
    good = [value for value in values if _SHA_256.fullmatch(value)]
    _require(len(good) == 1, "no sha-256 fingerprint, or more than one")
    return good[0].replace("SHA-256", "sha-256")


def _rebuild(section: _Section, media: _Media) -> list[str]:
    """Return the lines of an m-line with its known attributes."""
    lines = [f"m={media.kind} 9 {media.profile} {' '.join(media.formats)}", "c=IN IP4 0.0.0.0", f"a=mid:{media.mid}"]
    _require(bool(section.all("rtcp-mux")), "no a=rtcp-mux")
    lines += ["a=rtcp-mux", "a=recvonly"]
    lines += [f"a=extmap:{number} {uri}" for number, uri in media.extensions.items()]
    lines += [f"a=rtpmap:{number} {codec}" for number, codec in media.codecs.items()]
    lines += [f"a=fmtp:{value}" for value in map(str.strip, section.all("fmtp")) if _check_fmtp(value, media)]
    return lines + [f"a=rtcp-fb:{value}" for value in map(str.strip, section.all("rtcp-fb")) if _check_fb(value, media)]


def _check_fmtp(value: str, media: _Media) -> bool:
    match = _FMTP.fullmatch(value)
    if match is None or match[1] not in media.codecs:
        raise BadAnswer("an a=fmtp that cannot be read, or for no codec of its m-line")
    parameters = (parameter.partition("=") for parameter in match[2].split(";"))
    for name, _, number in parameters:
        _require(
            name.strip() not in _NUMBERS or re.fullmatch("[0-9]{1,9}", number) is not None, f"invalid {name} in a=fmtp"
        )
    return True


def _check_fb(value: str, media: _Media) -> bool:
    match = _RTCP_FB.fullmatch(value)
    if match is None or match[1] not in (*media.codecs, "*"):
        raise BadAnswer("an a=rtcp-fb that cannot be read, or for no codec of its m-line")
    return True
