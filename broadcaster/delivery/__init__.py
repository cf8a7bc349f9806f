"""One viewer's way out: fan-out, send queue, pacing, congestion control."""
