"""Errors of the HTTP API are JSON, whoever raises them; all others are text."""

from __future__ import annotations

import pytest

from tests.edges.web_rig import served


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "words"),
    [
        ("GET", "/api/nothing", {}, 404, "Not Found"),
        ("PUT", "/api/status", {}, 405, "Method Not Allowed"),
        ("POST", "/api/live", {"json": {"live": 1}}, 400, 'The body must be {"live": true} or {"live": false}.'),
        ("POST", "/api/live", {"data": "x"}, 415, "The body must be JSON"),
        ("POST", "/api/live", {"data": b"x" * 5000, "headers": {"Content-Type": "application/json"}}, 413, "size"),
        ("GET", "/api/status", {"headers": {"Host": "rebound.example"}}, 421, "web.hosts"),
        ("POST", "/api/live", {"headers": {"Origin": "http://other.example"}}, 403, "web.origins"),
        ("POST", "/api/record", {"json": {"record": True}}, 409, "The recorder is off"),
        ("GET", "/api/recordings", {"headers": {"Host": "192.168.1.2"}}, 401, "operator"),
        ("GET", "/api/status", {"headers": {"Host": "192.168.1.2", "Authorization": "Bearer x"}}, 401, "wrong"),
    ],
)
async def test_errors_of_the_api_are_json(
    method: str, path: str, options: dict[str, object], status: int, words: str
) -> None:
    async with (
        served(operator_token="op" if status == 401 else "") as rig,
        rig.client.request(method, f"{rig.url}{path}", **options) as response,
    ):
        assert (response.status, response.content_type) == (status, "application/json")
        assert response.headers["Cache-Control"] == "no-store"
        answer = await response.json()
        assert list(answer) == ["error"]
        assert words in answer["error"]
        assert answer["error"] == answer["error"].strip()
        assert not answer["error"].startswith(str(status))


@pytest.mark.parametrize("path", ["/nothing", "/viewer/nothing.mjs", "/ws"])
async def test_other_errors_are_text(path: str) -> None:
    async with served() as rig, rig.client.get(f"{rig.url}{path}") as response:
        assert response.status in (400, 404)
        assert response.content_type == "text/plain"


async def test_error_headers_stay() -> None:
    async with served(operator_token="op") as rig:
        headers = {"Host": "192.168.1.2", "Authorization": "Bearer wrong"}
        async with rig.client.get(f"{rig.url}/api/status", headers=headers) as response:
            assert response.headers["WWW-Authenticate"] == "Bearer"
            assert "default-src" in response.headers["Content-Security-Policy"]
