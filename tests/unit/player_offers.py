"""Offers of real players, with documentation addresses, and changes of them."""

from __future__ import annotations

import re
from pathlib import Path

from broadcaster.signaling.player_offer import PlayerOffer, filter_offer

FOLDER = Path(__file__).parent / "sdp" / "players"
OFFERS = {path.stem: path.read_bytes().decode() for path in sorted(FOLDER.glob("*.sdp"))}
CHROMIUM, FIREFOX, WHEPSRC = OFFERS["chromium"], OFFERS["firefox"], OFFERS["gstreamer-whepsrc"]

DESCRIPTION = "\r\n".join(
    [
        "v=0",
        "o=- 1 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE video audio",
        "m=video 9 UDP/TLS/RTP/SAVPF 101",
        "c=IN IP4 0.0.0.0",
        "a=sendonly",
        "a=mid:video",
        "a=ssrc:1 cname:us",
        "a=candidate:1 1 udp 2130706431 192.0.2.1 50000 typ host",
        "a=candidate:2 1 udp 1694498815 203.0.113.1 50000 typ srflx raddr 192.0.2.1 rport 50000",
        "a=end-of-candidates",
        "a=ice-ufrag:ours",
        "a=ice-pwd:0123456789012345678901",
        f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}",
        f"a=fingerprint:sha-512 {':'.join(['CD'] * 64)}",
        "a=setup:passive",
        "",
    ]
)
"""What the peer connection answers, as far as it matters."""


def accepted(text: str, *, with_audio: bool = True) -> PlayerOffer:
    """Return the filtered offer."""
    return filter_offer(text, with_audio=with_audio)


def without(text: str, pattern: str) -> str:
    """Return an offer without the lines that match."""
    return "".join(line for line in text.splitlines(keepends=True) if not re.match(pattern, line.strip()))


def crowded_offer() -> str:
    """Return an offer with as many formats, parameters and kinds of feedback as are allowed, all for H.264."""
    section = CHROMIUM.index("m=video")
    end = CHROMIUM.index("m=audio") if CHROMIUM.index("m=audio") > section else len(CHROMIUM)
    head, video, tail = CHROMIUM[:section], CHROMIUM[section:end], CHROMIUM[end:]
    own = [line for line in video.splitlines() if not line.startswith(("m=", "a=rtpmap", "a=fmtp", "a=rtcp-fb"))]
    formats = list(range(128 - (head + tail).count("a=rtpmap")))
    parameters = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
    lines = ["m=video 9 UDP/TLS/RTP/SAVPF " + " ".join(map(str, formats)), *own]
    lines += [f"a=rtpmap:{number} H264/90000" for number in formats]
    fmtps = 256 - (head + tail).count("a=fmtp")
    lines += [f"a=fmtp:{formats[-1 - index % 2]} {parameters}" for index in range(fmtps - len(formats))]
    lines += [f"a=fmtp:{number} {parameters}" for number in formats]
    lines += ["a=rtcp-fb:* nack"] * (256 - (head + tail).count("a=rtcp-fb"))
    return head + "\r\n".join(lines) + "\r\n" + tail
