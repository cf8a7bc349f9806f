"""The live stream: controller, state machine, hub, renditions, bit rate and load shedding (asyncio, no I/O)."""
