"""PURE: the WebSocket protocol: messages, session, negotiation, heartbeat, filters for SDP and candidates."""
