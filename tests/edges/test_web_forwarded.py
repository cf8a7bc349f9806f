"""Limits behind proxies: by the viewer's own address behind a trusted proxy, else by the proxy's address."""

import asyncio
import json
from typing import Any

import pytest

from broadcaster.doctor.context import query_status
from broadcaster.settings import WebSettings
from broadcaster.signaling.protocol import Timings
from broadcaster.storage.secrets import SecretFile
from tests.edges.web_rig import served
from tests.rigs.certificates import make_pair

TRUSTED = ("127.0.0.1",)
ANNA, BERT = {"X-Forwarded-For": "198.51.100.1"}, {"X-Forwarded-For": "198.51.100.2"}


async def hello(rig: Any, headers: dict[str, str], **fields: object) -> str:
    """Send `hello` with these HTTP headers; return the code of the error, or "welcome"."""
    viewer = await rig.connect(**headers)
    await viewer.send("hello", **fields)
    message = json.loads((await viewer.socket.receive()).data)
    await viewer.socket.close()
    return str(message.get("code", message["type"]))


async def test_wrong_tokens_are_counted_per_viewer() -> None:
    async with served(viewer_token="right", trusted_proxies=TRUSTED) as rig:
        for number in range(5):
            assert await hello(rig, ANNA, token=f"guess{number}") == "token-wrong"
        assert await hello(rig, ANNA, token="right") == "too-many"
        assert await hello(rig, BERT, token="right") == "welcome"


async def test_headers_of_untrusted_clients_are_ignored() -> None:
    async with served(viewer_token="right") as rig:
        for number in range(5):
            headers = {"X-Forwarded-For": f"198.51.100.{number}"}
            assert await hello(rig, headers, token=f"guess{number}") == "token-wrong"
        assert await hello(rig, ANNA, token="right") == "too-many"


async def test_wrong_tokens_are_limited_per_ipv6_site() -> None:
    async with served(viewer_token="right", trusted_proxies=TRUSTED) as rig:
        for number in range(20):
            assert await hello(rig, {"X-Forwarded-For": f"2001:db8:7:{number}::1"}, token="guess") == "token-wrong"
        assert await hello(rig, {"X-Forwarded-For": "2001:db8:7:ff::1"}, token="right") == "too-many"
        assert await hello(rig, {"X-Forwarded-For": "2001:db8:8::1"}, token="right") == "welcome"


@pytest.mark.parametrize("token", ["right", "a-token-of-many-words"])
async def test_wrong_tokens_from_many_addresses_do_not_lock_others_out(token: str) -> None:
    async with served(viewer_token=token, operator_token=token, trusted_proxies=TRUSTED) as rig:
        for number in range(60):
            headers = {"X-Forwarded-For": f"192.0.2.{number}"}
            assert await hello(rig, headers, token="guess") == "token-wrong"
            async with rig.client.get(f"{rig.url}/api/status", headers=headers | bearer("guess")) as response:
                assert response.status == 401
        assert await hello(rig, ANNA, token=token) == "welcome"
        async with rig.client.get(f"{rig.url}/api/status", headers=ANNA | bearer(token)) as response:
            assert "viewer_figures" in await response.text()


def bearer(token: str) -> dict[str, str]:
    """Return the header that authenticates with this token."""
    return {"Authorization": f"Bearer {token}"}


async def test_new_sessions_are_rate_limited_and_resumed_ones_are_not() -> None:
    async with served(max_viewers=2, trusted_proxies=TRUSTED) as rig:
        first = await rig.connect(**ANNA)
        await first.send("hello")
        resume = (await first.receive("welcome"))["resume"]
        for _ in range(4 * 2 + 16 - 1):
            assert await hello(rig, ANNA) == "welcome"
        viewer = await rig.connect(**ANNA)
        await viewer.send("hello")
        assert (await viewer.receive("error"))["code"] == "too-many"
        assert await viewer.close_code() == 4005
        assert await hello(rig, BERT) == "welcome"
        assert await hello(rig, ANNA, resume=resume) == "welcome"
        for _ in range(30):
            assert await hello(rig, {}) == "welcome", "no limit for the proxy itself and this machine"


async def test_pending_websockets_are_limited_per_viewer_but_not_for_the_proxy() -> None:
    async with served(timings=Timings(hello_timeout=30, close_timeout=0.1), trusted_proxies=TRUSTED) as rig:
        pending = [await rig.connect(**ANNA) for _ in range(16)]
        assert await hello(rig, ANNA) == "too-many"
        assert await hello(rig, BERT) == "welcome"
        pending += [await rig.connect() for _ in range(17)]
        assert await hello(rig, {}) == "welcome", "no limit for the proxy itself"


async def test_pending_websockets_are_limited_per_ipv6_site() -> None:
    async with served(timings=Timings(hello_timeout=30, close_timeout=0.1), trusted_proxies=TRUSTED) as rig:
        pending = [await rig.connect(**{"X-Forwarded-For": f"2001:db8:7:{number}::1"}) for number in range(48)]
        assert await hello(rig, {"X-Forwarded-For": "2001:db8:7:ff::1"}) == "too-many"
        assert await hello(rig, {"X-Forwarded-For": "2001:db8:8::1"}) == "welcome"
        await pending[0].socket.close()
        await asyncio.sleep(0.05)
        assert await hello(rig, {"X-Forwarded-For": "2001:db8:7:ff::1"}) == "welcome"


async def test_log_lines_name_the_forwarded_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with served(trusted_proxies=TRUSTED) as rig:
        assert await hello(rig, ANNA) == "welcome"
        async with rig.client.get(rig.url, headers={**BERT, "Host": "rebound.example"}) as response:
            assert response.status == 421
    assert "viewer v1 (198.51.100.1) joined" in caplog.messages
    assert "refused 198.51.100.2: Host rebound.example is not in web.hosts" in caplog.messages


async def test_wrong_operator_tokens_are_counted_per_caller(tmp_path: Any) -> None:
    file = SecretFile(tmp_path / "token")
    async with served(trusted_proxies=TRUSTED, operator_token_file=file) as rig:

        async def ask(token: str, headers: dict[str, str]) -> int:
            headers = {**headers, "Authorization": f"Bearer {token}"}
            async with rig.client.get(f"{rig.url}/api/status", headers=headers) as response:
                return response.status

        for number in range(5):
            assert await ask(f"guess{number}", ANNA) == 401
        assert await ask("guess", ANNA) == 429
        assert await ask("guess", BERT) == 401


async def test_the_doctor_finds_a_daemon_that_has_a_certificate(tmp_path: Any) -> None:
    pair = make_pair(tmp_path)
    async with served(**pair.settings) as rig:
        status = await asyncio.to_thread(
            query_status, WebSettings(host="127.0.0.1", port=rig.server.port, **pair.settings)
        )
        assert status is not None
        assert (status.state, status.source) == ("live", "test picture")
