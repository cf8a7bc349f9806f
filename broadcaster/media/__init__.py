"""PURE: what flows. Access units, NAL units, RTP packets and timestamps; no I/O, no asyncio."""
