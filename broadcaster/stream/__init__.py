"""The one live programme: state machine and keyframe gate (pure), fan-out and live (asyncio, no I/O)."""
