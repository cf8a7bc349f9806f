"""What this daemon changes in the SDP offer that aiortc writes."""

from __future__ import annotations

OPUS_PARAMETERS = "useinbandfec=1"
STEREO = "sprop-stereo=1"
"""RFC 7587 §6.1: the receiver may lose packets; the sender is likely to send two channels."""


def complete_offer(sdp: str, *, stereo: bool) -> str:
    """Return `sdp` with sha-256 fingerprints only, and with parameters for Opus, which aiortc leaves out.

    Some clients warn about several fingerprints of one certificate, and one is enough (RFC 8122 §5).
    """
    lines: list[str] = []
    for line in sdp.splitlines():
        if line.startswith("a=fingerprint:") and not line.startswith("a=fingerprint:sha-256 "):
            continue
        lines.append(line)
        if line.startswith("a=rtpmap:") and " opus/" in line:
            number = line.removeprefix("a=rtpmap:").split()[0]
            lines.append(f"a=fmtp:{number} {f'{STEREO};' if stereo else ''}{OPUS_PARAMETERS}")
    return "\r\n".join([*lines, ""])
