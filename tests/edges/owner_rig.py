"""A browser of the owner elsewhere in the network, for tests with a real server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from http.cookies import Morsel
from typing import Any

import aiohttp

from broadcaster.web.owner.events import SUBPROTOCOL
from tests.edges.web_rig import WebServerRig

TOKEN = "orchard-gravel-topaz-nine"
ELSEWHERE = {"Host": "192.168.1.2"}
"""A request that is not made on this machine, as far as the daemon can know."""
PAGE = ELSEWHERE | {"Origin": "http://192.168.1.2"}
PIXEL = "Mozilla/5.0 (Linux; Android 14; Pixel 7) AppleWebKit/537.36 Chrome/127.0.0.0 Mobile Safari/537.36"
SESSION = "/api/owner/session"


class Browser:
    """A browser elsewhere: keeps its cookie, and sends it with the headers of a page of this machine."""

    def __init__(self, rig: WebServerRig, user_agent: str = PIXEL) -> None:
        self.rig = rig
        self.cookie: Morsel[str] | None = None
        self.user_agent = user_agent

    def headers(self, **more: str) -> dict[str, str]:
        """Return the headers of a request; an empty one in `more` is left out."""
        sent = PAGE | {"User-Agent": self.user_agent} | more
        if self.cookie is not None:
            sent["Cookie"] = f"{self.cookie.key}={self.cookie.value}"
        return {name: value for name, value in sent.items() if value}

    async def request(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """Return status and answer; JSON is parsed, and of an error only the text is returned."""
        url, sent = self.rig.url + path, self.headers(**headers)
        async with self.rig.client.request(method, url, json=body, headers=sent) as response:
            for cookie in response.cookies.values():
                self.cookie = cookie
            is_json = response.content_type == "application/json"
            answer = await (response.json() if is_json else response.text())
            return response.status, answer["error"] if is_json and response.status >= 400 else answer

    async def sign_in(self, token: str = TOKEN, **fields: str) -> tuple[int, Any]:
        return await self.request("POST", SESSION, {"token": token, **fields})

    @contextlib.asynccontextmanager
    async def events(self, **headers: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """The WebSocket of the owner's page. Raises `WSServerHandshakeError`."""
        url, sent = f"{self.rig.url}/api/owner/events", self.headers(**headers)
        async with self.rig.client.ws_connect(url, protocols=[SUBPROTOCOL], headers=sent) as socket:
            yield socket
