"""Expiring links over a real WebSocket: admission, expiry while watching, and revocation."""

import time
from pathlib import Path
from typing import Any

import pytest

from broadcaster.auth.links import Link, sign_link
from broadcaster.storage.secrets import SecretFile, state_secrets
from broadcaster.web import server
from tests.edges.test_web_limits import hello
from tests.edges.web_rig import served

WEEK = 7 * 24 * 3600


@pytest.fixture
def key(tmp_path: Path) -> SecretFile:
    return state_secrets(tmp_path).link_key


def token(key: SecretFile, name: str = "Anna", left: float = 3600, seconds: int = WEEK) -> str:
    """Return a link with a lifetime of `seconds`, of which `left` remain."""
    return sign_link(Link(name, round(time.time() + left - seconds), seconds), key.read_or_create())


async def test_only_valid_links_are_admitted(key: SecretFile) -> None:
    async with served(links=True, link_key=key) as rig:
        assert await hello(rig) == ("token-missing", 4001)
        assert await hello(rig, token=token(key)) == ("welcome", None)
        assert await hello(rig, token=token(key)[:-1]) == ("token-wrong", 4001)
        assert await hello(rig, token=token(key, left=-1)) == ("token-expired", 4001)


async def test_expired_links_do_not_count_as_wrong_tokens(key: SecretFile) -> None:
    async with served(links=True, link_key=key) as rig:
        for _ in range(8):
            assert await hello(rig, token=token(key, left=-1)) == ("token-expired", 4001)
        assert await hello(rig, token=token(key)) == ("welcome", None)


async def test_the_viewer_token_works_besides_links(key: SecretFile) -> None:
    async with served(links=True, viewer_token="plain", link_key=key) as rig:
        assert await hello(rig, token="plain") == ("welcome", None)
        assert await hello(rig, token=token(key)) == ("welcome", None)


async def test_links_are_not_accepted_unless_enabled(key: SecretFile) -> None:
    async with served(viewer_token="plain", link_key=key) as rig:
        assert await hello(rig, token=token(key)) == ("token-wrong", 4001)
    async with served(link_key=key) as rig:
        assert await hello(rig, token="anything") == ("welcome", None), "no token is required"


async def test_wrong_tokens_are_rate_limited_and_links_are_not(key: SecretFile) -> None:
    async with served(links=True, link_key=key) as rig:
        for number in range(5):
            assert await hello(rig, token=f"guess{number}") == ("token-wrong", 4001)
        assert await hello(rig, token="guess") == ("too-many", 4005)
        assert await hello(rig, token=token(key)) == ("welcome", None)
        assert await hello(rig, token=token(key, left=-1)) == ("token-expired", 4001)
        assert await hello(rig, token="guess") == ("too-many", 4005)


async def test_a_session_ends_when_its_link_expires(key: SecretFile, monkeypatch: pytest.MonkeyPatch) -> None:
    # The wall clock stands still, so half a second remains, however long connecting takes.
    link = sign_link(Link("Anna", 1_800_000_000, 3600), key.read_or_create())
    monkeypatch.setattr("broadcaster.devices.clock.SystemClock.unix", lambda self: 1_800_003_599.5)
    async with served(links=True, link_key=key) as rig:
        viewer = await rig.connect()
        began = time.monotonic()
        await join(viewer, link)
        assert (await viewer.receive("error", limit=10))["code"] == "token-expired"
        assert await viewer.close_code() == 4001
        assert time.monotonic() - began >= 0.5
        assert await rig.is_clean()
        monkeypatch.setattr("broadcaster.devices.clock.SystemClock.unix", lambda self: 1_800_003_600.0)
        assert await hello(rig, token=link) == ("token-expired", 4001)


async def test_resuming_with_another_link_extends_the_session(key: SecretFile) -> None:
    async with served(links=True, link_key=key, operator_token="op") as rig:
        viewer = await rig.connect()
        resume = (await join(viewer, token(key, left=60)))["resume"]
        resumed = await rig.connect()
        await resumed.send("hello", token=token(key, "Bert"), resume=resume)
        assert (await resumed.receive("welcome"))["resumed"] is True
        assert await viewer.close_code() == 4004
        (stats,) = await viewer_stats(rig)
        assert stats["link"]["name"] == "Bert"
        assert 3500 < stats["link"]["ends_in"] < 3602


async def test_the_name_in_a_link_is_in_status_and_log(key: SecretFile, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with served(links=True, link_key=key, viewer_token="plain", operator_token="op") as rig:
        first, second = await rig.connect(), await rig.connect()
        await join(first, token(key, "Anna\x1b[31m"))
        await join(second, "plain")
        assert [stats["link"] and stats["link"]["name"] for stats in await viewer_stats(rig)] == [
            "Anna\x1b[31m",
            None,
        ]
    assert "viewer v1 (127.0.0.1) joined with the link of Anna\\x1b[31m" in caplog.messages
    assert "viewer v2 (127.0.0.1) joined" in caplog.messages


async def test_a_new_key_revokes_all_links(key: SecretFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_RELOAD_INTERVAL", 0.05)
    async with served(links=True, viewer_token="plain", link_key=key) as rig:
        viewer, owner = await rig.connect(), await rig.connect()
        link = token(key)
        await join(viewer, link)
        await join(owner, "plain")
        key.renew()
        assert (await viewer.receive("error", limit=10))["code"] == "token-expired"
        assert await viewer.close_code() == 4001
        assert await hello(rig, token=link) == ("token-wrong", 4001)
        assert await hello(rig, token=token(key)) == ("welcome", None)
        await owner.send("heartbeat")
        await owner.receive("heartbeat")


@pytest.mark.parametrize("how", ["removed", "emptied"])
async def test_a_removed_or_empty_key_revokes_all_links(
    key: SecretFile, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_RELOAD_INTERVAL", 0.05)
    async with served(links=True, link_key=key) as rig:
        viewer = await rig.connect()
        await join(viewer, token(key))
        key.path.unlink() if how == "removed" else key.path.write_text("")
        assert await viewer.close_code(limit=10) == 4001
        assert (key.path.read_text() != "") == (how == "removed"), "a new one is made if there is none"


async def test_a_clock_that_is_not_set_is_logged_and_links_last_their_lifetime(
    key: SecretFile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    link = sign_link(Link("Anna", round(time.time()), 7200), key.read_or_create())
    monkeypatch.setattr("broadcaster.devices.clock.SystemClock.unix", lambda self: 100.0)
    async with served(links=True, link_key=key, operator_token="op") as rig:
        viewer = await rig.connect()
        await join(viewer, link)
        monkeypatch.setattr("broadcaster.devices.clock.SystemClock.unix", lambda self: time.time() + 10 * WEEK)
        await viewer.send("heartbeat")
        await viewer.receive("heartbeat")
        (stats,) = await viewer_stats(rig)
        assert 7100 < stats["link"]["ends_in"] <= 7200, "setting the clock does not end the session"
        assert await hello(rig, token=link) == ("token-expired", 4001), "new sessions use the new time"
    assert "the link of Anna was made in the future" in caplog.text
    assert "clock shows 1970-01-01 00:01 UTC; set it" in caplog.text


async def test_without_a_key_links_are_refused_and_the_problem_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    async with served(links=True, viewer_token="plain", link_key=state_secrets(tmp_path / "state").link_key) as rig:
        assert await hello(rig, token="plain") == ("welcome", None)
        assert await hello(rig, token=token(state_secrets(tmp_path).link_key)) == ("token-wrong", 4001)
    assert "viewers' links may not work" in caplog.text
    assert "state/link_key" in caplog.text


async def join(viewer: Any, token: str) -> dict[str, Any]:
    """Join with this token, and return `welcome`."""
    await viewer.send("hello", token=token)
    welcome: dict[str, Any] = await viewer.receive("welcome")
    return welcome


async def viewer_stats(rig: Any) -> list[dict[str, Any]]:
    """Return the stats of each viewer, as the operator gets them."""
    async with rig.client.get(f"{rig.url}/api/status", headers={"Authorization": "Bearer op"}) as response:
        stats: list[dict[str, Any]] = (await response.json())["viewer_figures"]
        return stats
