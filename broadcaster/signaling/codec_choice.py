"""Choice of codec and header extensions in one m-line of a player's offer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from broadcaster.signaling.sections import EXTMAP, FMTP, RTCP_FB, RTPMAP, Section

ABS_SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
PLAYOUT_DELAY = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay"

FEEDBACK = ("nack", "nack pli", "ccm fir", "goog-remb")
"""The kinds of RTCP feedback that we use."""

_MAX_EXTENSION_ID = 14
"""RFC 8285 §4.2: one-byte headers."""

_PROFILE = re.compile("[0-9a-f]{6}")
_BASELINE, _MAIN, _EXTENDED, _HIGH = 0x42, 0x4D, 0x58, 0x64
_CONSTRAINED = 0x40
"""profile_idc, and constraint_set1_flag in the byte after it (RFC 6184 §8.1)."""


@dataclass(frozen=True, slots=True)
class Codec:
    """A codec as the player offers it: `name` is its a=rtpmap, `parameters` its a=fmtp, `feedback` its a=rtcp-fb.

    `rtx_payload_type` is 0 without retransmission.
    """

    payload_type: int
    name: str
    parameters: str
    feedback: tuple[str, ...] = ()
    rtx_payload_type: int = 0


@dataclass(frozen=True, slots=True)
class ExtensionIds:
    """Ids of the header extensions that we write; 0: not offered. The MID is not needed: SSRCs are signaled."""

    abs_send_time: int
    playout_delay: int

    @property
    def with_uris(self) -> tuple[tuple[int, str], ...]:
        """The offered ones with their URIs."""
        pairs = ((self.abs_send_time, ABS_SEND_TIME), (self.playout_delay, PLAYOUT_DELAY))
        return tuple((id, uri) for id, uri in pairs if id)


def choose_h264(section: Section, formats: Sequence[str]) -> Codec | None:
    """Return the H.264 of this m-line that suits constrained baseline best, the first of several; else None."""
    names, parameters = _names(section, formats), _parameters(section)
    ranked = [
        (rank, number)
        for number, name in names.items()
        if name.lower() == "h264/90000" and (rank := _rank(parameters.get(number, ""))) is not None
    ]
    if not ranked:
        return None
    _, number = min(ranked, key=lambda pair: pair[0])
    feedback = _feedback(section, number)
    rtx = _rtx(names, parameters, number) if "nack" in feedback else 0
    return Codec(int(number), names[number], parameters.get(number, ""), feedback, rtx)


def choose_opus(section: Section, formats: Sequence[str]) -> Codec | None:
    """Return the Opus of this m-line, or None; GStreamer leaves the number of channels out."""
    for number, name in _names(section, formats).items():
        if name.lower() in ("opus/48000/2", "opus/48000"):
            return Codec(int(number), name, _parameters(section).get(number, ""))
    return None


def extension_ids(section: Section, kind: str) -> ExtensionIds:
    """Return the ids of the extensions that this m-line offers and we use; audio needs none."""
    offered: dict[str, int] = {}
    for value in section.all("extmap"):
        match = EXTMAP.fullmatch(value)
        id, _, direction = value.partition(" ")[0].partition("/")
        usable = match is not None and direction in ("", "recvonly", "sendrecv")
        if match is not None and usable and 1 <= int(id) <= _MAX_EXTENSION_ID and int(id) not in offered.values():
            offered.setdefault(match[2], int(id))
    if kind != "video":
        return ExtensionIds(0, 0)
    return ExtensionIds(offered.get(ABS_SEND_TIME, 0), offered.get(PLAYOUT_DELAY, 0))


def _names(section: Section, formats: Sequence[str]) -> dict[str, str]:
    """Return the codecs by payload type, in the player's order of preference."""
    matches = (RTPMAP.fullmatch(value) for value in section.all("rtpmap"))
    names = {match[1]: match[2] for match in matches if match is not None and int(match[1]) < 128}
    return {number: names[number] for number in formats if number in names}


def _parameters(section: Section) -> dict[str, str]:
    """Return the format parameters by payload type, the first of several."""
    found: dict[str, str] = {}
    for match in map(FMTP.fullmatch, section.all("fmtp")):
        if match is not None:
            found.setdefault(match[1], match[2].strip())
    return found


def _values(parameters: str) -> dict[str, str]:
    pairs = (pair.strip().partition("=") for pair in parameters.split(";"))
    return {name.lower(): value.lower() for name, _, value in pairs}


def _rank(parameters: str) -> int | None:
    """Return how well a format suits a constrained baseline stream, 0 best; None: not at all.

    Without a packetization-mode it would be 0, single packets (RFC 6184 §8.1), but those who leave it out (GStreamer)
    can do more. Nearly everyone decodes whatever profile the stream has.
    """
    values = _values(parameters)
    mode = values.get("packetization-mode")
    if mode not in ("1", None):
        return None
    lenient = 10 if mode is None else 0
    profile = values.get("profile-level-id")
    if profile is None:
        return lenient + 1
    if _PROFILE.fullmatch(profile) is None:
        return None
    idc, is_constrained = int(profile[:2], 16), bool(int(profile[2:4], 16) & _CONSTRAINED)
    ranks = {_BASELINE: 0 if is_constrained else 2, _MAIN: 3, _EXTENDED: 3, _HIGH: 4}
    return lenient + ranks[idc] if idc in ranks else None


def _feedback(section: Section, number: str) -> tuple[str, ...]:
    """Return the feedback that the player offers for a payload type and that we understand."""
    matches = (RTCP_FB.fullmatch(value) for value in section.all("rtcp-fb"))
    offered = [match[2].strip() for match in matches if match is not None and match[1] in (number, "*")]
    return tuple(value for value in dict.fromkeys(offered) if value in FEEDBACK)


def _rtx(names: dict[str, str], parameters: dict[str, str], number: str) -> int:
    """Return the payload type of the retransmissions of `number` (RFC 4588 §8.1), or 0."""
    for rtx, name in names.items():
        if name.lower() == "rtx/90000" and _values(parameters.get(rtx, "")).get("apt") == number:
            return int(rtx)
    return 0
