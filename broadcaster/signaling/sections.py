"""SDP (RFC 8866) as sections of attributes, and the patterns of the attributes that we read."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

RTPMAP = re.compile(r"([0-9]{1,3}) ([0-9A-Za-z.-]{1,32}/[0-9]{1,6}(?:/[0-9]{1,2})?)")
FMTP = re.compile(r"([0-9]{1,3}) ([0-9A-Za-z=;,./+ -]{1,256})")
RTCP_FB = re.compile(r"([0-9]{1,3}|\*) ([0-9a-z-]{1,16}(?: [0-9a-z -]{1,32})?)")
EXTMAP = re.compile(r"([0-9]{1,5})(?:/[a-z]{4,8})? ([!-~]{1,255})(?: .*)?")
SHA_256 = re.compile(r"sha-256 [0-9A-F]{2}(?::[0-9A-F]{2}){31}", re.IGNORECASE)
UFRAG = re.compile(r"[0-9A-Za-z+/]{4,256}")  # RFC 8839 §5.4
PWD = re.compile(r"[0-9A-Za-z+/]{22,256}")


@dataclass(slots=True)
class Section:
    """One m-line and its attributes, or (`m` empty) the lines before the first."""

    m: str = ""
    attributes: list[tuple[str, str]] = field(default_factory=list)

    def all(self, name: str) -> list[str]:
        """Return the values of this attribute, in their order."""
        return [value for attribute, value in self.attributes if attribute == name]


def split_sections(sdp: str) -> list[Section]:
    """Split into the section of the session and those of the m-lines."""
    sections = [Section()]
    for line in sdp.splitlines():
        if line.startswith("m="):
            sections.append(Section(line[2:].strip()))
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            sections[-1].attributes.append((name.strip(), value.strip()))
    return sections


def count(sections: list[Section], name: str) -> int:
    """Return how often an attribute occurs."""
    return sum(len(section.all(name)) for section in sections)
