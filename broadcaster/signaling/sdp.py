"""SDP: completes our offers, and filters viewers' answers before the peer connection parses them.

A filtered answer is rebuilt from known lines: the transport that all m-lines share, and for each m-line the accepted
codecs and extensions. Size and lines are limited first, because aiortc's parser needs ten seconds for a valid answer
of 116 KiB.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from broadcaster.errors import BadAnswer
from broadcaster.signaling.sections import (
    EXTMAP,
    FMTP,
    PWD,
    RTCP_FB,
    RTPMAP,
    SHA_256,
    UFRAG,
    Section,
    count,
    split_sections,
)

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
_NUMBERS = ("apt", "max-fr", "max-fs", "maxplaybackrate", "minptime", "stereo", "useinbandfec")
"""Parameters of `fmtp` that must be whole numbers."""


@dataclass(frozen=True, slots=True)
class FilteredAnswer:
    """An answer without candidates, and the candidate lines that were in it (not filtered yet)."""

    sdp: str
    candidates: tuple[str, ...]


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
    offered, answered = split_sections(offer), split_sections(answer)
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


def _count_codecs(sections: list[Section]) -> None:
    _require(count(sections, "rtpmap") <= MAX_RTPMAPS, f"more than {MAX_RTPMAPS} a=rtpmap")
    _require(count(sections, "rtcp-fb") <= MAX_RTCP_FBS, f"more than {MAX_RTCP_FBS} a=rtcp-fb")


def _one(section: Section, name: str) -> str:
    values = section.all(name)
    _require(len(values) == 1, f"one a={name} is needed in each m-line")
    return values[0]


def _read(section: Section) -> _Media:
    match = _M_LINE.fullmatch(section.m.strip())
    if match is None:
        raise BadAnswer("an m-line that cannot be read")
    kind, port, profile, formats = match.groups()
    return _Media(
        kind,
        int(port),
        profile,
        _one(section, "mid"),
        tuple(formats.split()),
        _pairs(RTPMAP, section.all("rtpmap"), "rtpmap"),
        _pairs(EXTMAP, section.all("extmap"), "extmap"),
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


def _check_bundle(session: Section, media: list[_Media]) -> None:
    groups = [value.split() for value in session.all("group") if value.startswith("BUNDLE ")]
    mids = [one.mid for one in media]
    _require(groups == [["BUNDLE", *mids]], "all m-lines must be bundled on one transport, in their order")


def _transport(sections: list[Section], media: list[_Media], *, of_server: bool) -> list[str]:
    """Return the lines of the shared transport, for the session level."""
    setup = _same(sections, "setup", "a=setup")
    _require(setup == "active" or (of_server and setup == "passive"), "a setup that is not active")
    is_lite = of_server and bool(sections[0].all("ice-lite"))  # RFC 8839 §5.3
    ufrag, pwd = _same(sections, "ice-ufrag", "ICE credentials"), _same(sections, "ice-pwd", "ICE credentials")
    _require(UFRAG.fullmatch(ufrag) is not None and PWD.fullmatch(pwd) is not None, "invalid ICE credentials")
    return [
        *(["a=ice-lite"] if is_lite else []),
        f"a=group:BUNDLE {' '.join(one.mid for one in media)}",
        f"a=ice-ufrag:{ufrag}",
        f"a=ice-pwd:{pwd}",
        f"a=fingerprint:{_fingerprint(sections)}",
        f"a=setup:{setup}",
    ]


def _same(sections: list[Section], name: str, what: str) -> str:
    """Return the value that all m-lines share."""
    values = {value for section in sections for value in section.all(name)}
    _require(len(values) == 1, f"{what} missing, or not the same in all m-lines")
    return values.pop()


def _fingerprint(sections: list[Section]) -> str:
    values = {value.upper() for section in sections for value in section.all("fingerprint")}
    good = [value for value in values if SHA_256.fullmatch(value)]
    _require(len(good) == 1, "no sha-256 fingerprint, or more than one")
    return good[0].replace("SHA-256", "sha-256")


def _rebuild(section: Section, media: _Media) -> list[str]:
    """Return the lines of an m-line with its known attributes."""
    lines = [f"m={media.kind} 9 {media.profile} {' '.join(media.formats)}", "c=IN IP4 0.0.0.0", f"a=mid:{media.mid}"]
    _require(bool(section.all("rtcp-mux")), "no a=rtcp-mux")
    lines += ["a=rtcp-mux", "a=recvonly"]
    lines += [f"a=extmap:{number} {uri}" for number, uri in media.extensions.items()]
    lines += [f"a=rtpmap:{number} {codec}" for number, codec in media.codecs.items()]
    lines += [f"a=fmtp:{value}" for value in map(str.strip, section.all("fmtp")) if _check_fmtp(value, media)]
    return lines + [f"a=rtcp-fb:{value}" for value in map(str.strip, section.all("rtcp-fb")) if _check_fb(value, media)]


def _check_fmtp(value: str, media: _Media) -> bool:
    match = FMTP.fullmatch(value)
    if match is None or match[1] not in media.codecs:
        raise BadAnswer("an a=fmtp that cannot be read, or for no codec of its m-line")
    parameters = (parameter.partition("=") for parameter in match[2].split(";"))
    for name, _, number in parameters:
        _require(
            name.strip() not in _NUMBERS or re.fullmatch("[0-9]{1,9}", number) is not None, f"invalid {name} in a=fmtp"
        )
    return True


def _check_fb(value: str, media: _Media) -> bool:
    match = RTCP_FB.fullmatch(value)
    if match is None or match[1] not in (*media.codecs, "*"):
        raise BadAnswer("an a=rtcp-fb that cannot be read, or for no codec of its m-line")
    return True
