"""SDP with other payload types and header extension ids than a stack would choose."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_NUMBERED = re.compile(r"a=(rtpmap|fmtp|rtcp-fb):(\d+) (.*)")


def with_payload_types(sdp: str, numbers: Mapping[int, int]) -> str:
    """Return the SDP with these payload types renamed."""

    def new(number: str) -> str:
        return str(numbers.get(int(number), int(number)))

    return _changed(sdp, lambda line: _renamed(line, new))


def with_extension_ids(sdp: str, ids: Mapping[int, int]) -> str:
    """Return the SDP with these ids of header extensions renamed; 0 removes the extension."""

    def change(line: str) -> str:
        match = re.fullmatch(r"a=extmap:(\d+) (.*)", line)
        if match is None:
            return line
        id = ids.get(int(match[1]), int(match[1]))
        return f"a=extmap:{id} {match[2]}" if id else ""

    return _changed(sdp, change)


def _changed(sdp: str, change: Callable[[str], str]) -> str:
    return "\r\n".join([*(line for line in map(change, sdp.splitlines()) if line), ""])


def _renamed(line: str, new: Callable[[str], str]) -> str:
    if line.startswith(("m=audio", "m=video")):
        kind, port, profile, *formats = line.split()
        return " ".join([kind, port, profile, *map(new, formats)])
    match = _NUMBERED.fullmatch(line)
    if match is None:
        return line
    rest = re.sub(r"apt=(\d+)", lambda apt: f"apt={new(apt[1])}", match[3])
    return f"a={match[1]}:{new(match[2])} {rest}"
