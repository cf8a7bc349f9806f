"""Requests to a daemon from another thread, with the standard library only."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping


async def request(
    port: int, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, bytes, Mapping[str, str]]:
    """Return status, body and headers of an answer."""

    def send() -> tuple[int, bytes, Mapping[str, str]]:
        data = None if body is None else json.dumps(body).encode()
        fields = {"Content-Type": "application/json"} | {name.replace("_", "-"): text for name, text in headers.items()}
        sent = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, fields, method=method)
        try:
            with urllib.request.urlopen(sent, timeout=20) as answer:
                return answer.status, answer.read(), answer.headers
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read(), error.headers

    return await asyncio.to_thread(send)
