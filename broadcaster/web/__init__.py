"""EDGE: the only place for aiohttp. Server, signaling endpoint, API, access rules."""
