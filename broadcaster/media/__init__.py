"""Media formats: NAL units, parameter sets, RTP packets and timestamps. Pure: no I/O, no asyncio."""
