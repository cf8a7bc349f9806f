"""Requests of players (WHEP) to a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy

from tests.unit.player_offers import CHROMIUM

OFFER_TYPE = {"Content-Type": "application/sdp"}
FRAGMENT_TYPE = {"Content-Type": "application/trickle-ice-sdpfrag"}
CANDIDATE = "a=candidate:1 1 udp 1677729535 192.0.2.7 50000 typ host\r\n"


@dataclass(frozen=True)
class Reply:
    """A response: its text, and what a player reads of it."""

    status: int
    headers: CIMultiDictProxy[str]
    text: str

    @property
    def location(self) -> str:
        """The path of the session, which is given relative to that of the endpoint."""
        return f"/{self.headers['Location']}"


class WhepClient:
    """A player without media; `headers` go with every request."""

    def __init__(self, client: aiohttp.ClientSession, url: str, **headers: str) -> None:
        self._client = client
        self._url = url
        self._headers = headers

    async def request(self, method: str, path: str = "/whep", data: Any = None, **headers: str) -> Reply:
        """Send a request; header names have underscores for hyphens."""
        named = {name.replace("_", "-"): value for name, value in (self._headers | headers).items()}
        async with self._client.request(method, f"{self._url}{path}", data=data, headers=named) as response:
            return Reply(response.status, response.headers, await response.text())

    async def open(self, offer: str = CHROMIUM, query: str = "", **headers: str) -> Reply:
        """Post an offer."""
        return await self.request("POST", f"/whep{query}", offer.encode(), **{**OFFER_TYPE, **headers})

    async def trickle(self, path: str, fragment: str = CANDIDATE, **headers: str) -> Reply:
        """Patch a session."""
        return await self.request("PATCH", path, fragment.encode(), **{**FRAGMENT_TYPE, **headers})

    async def delete(self, path: str) -> Reply:
        """End a session."""
        return await self.request("DELETE", path)
