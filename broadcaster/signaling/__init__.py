"""PURE: what is said. Messages, heartbeat, a viewer's session, screening of SDP and candidates; no I/O, no asyncio."""
