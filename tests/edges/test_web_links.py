"""Links that end, over a real WebSocket: who is let in, and what becomes of who watches when a link ends."""

import time
from pathlib import Path
from typing import Any

import pytest

from broadcaster.auth.links import Link, sign_link
from broadcaster.storage.secrets import SecretFile, state_secrets
from broadcaster.web import server
from tests.edges.test_web_limits import hello
from tests.edges.web_rig import served

ALL = 7 * 24 * 3600


@pytest.fixture
def key(tmp_path: Path) -> SecretFile:
    return state_secrets(tmp_path).link_key


def token(key: SecretFile, name: str = "Anna", left: float = 3600, seconds: int = ALL) -> str:
    """A link that lasts a week in all, of which so many seconds are left."""
    return sign_link(Link(name, round(time.time() + left - seconds), seconds), key.read_or_create())


async def test_only_a_link_lets_in(key: SecretFile) -> None:
    async with served(links=True, link_key=key) as rig:
        assert await hello(rig) == ("token-missing", 4001)
        assert await hello(rig, token=token(key)) == ("welcome", None)
        assert await hello(rig, token=token(key)[:-1]) == ("token-wrong", 4001)
        assert await hello(rig, token=token(key, left=-1)) == ("token-expired", 4001)


async def test_an_ended_link_is_no_guess(key: SecretFile) -> None:
    async with served(links=True, link_key=key) as rig:
        for _ in range(8):
            assert await hello(rig, token=token(key, left=-1)) == ("token-expired", 4001)
        assert await hello(rig, token=token(key)) == ("welcome", None)


async def test_the_plain_token_still_does(key: SecretFile) -> None:
    async with served(links=True, viewer_token="plain", link_key=key) as rig:
        assert await hello(rig, token="plain") == ("welcome", None)
        assert await hello(rig, token=token(key)) == ("welcome", None)


async def test_without_the_setting_a_link_opens_nothing(key: SecretFile) -> None:
    async with served(viewer_token="plain", link_key=key) as rig:
        assert await hello(rig, token=token(key)) == ("token-wrong", 4001)
    async with served(link_key=key) as rig:
        assert await hello(rig, token="anything") == ("welcome", None), "an open house asks for nothing"


async def test_guessing_links_is_slowed_and_locks_nobody_out_who_has_one(key: SecretFile) -> None:
    async with served(links=True, link_key=key) as rig:
        for number in range(5):
            assert await hello(rig, token=f"guess{number}") == ("token-wrong", 4001)
        assert await hello(rig, token="guess") == ("too-many", 4005)
        assert await hello(rig, token=token(key)) == ("welcome", None)
        assert await hello(rig, token=token(key, left=-1)) == ("token-expired", 4001)
        assert await hello(rig, token="guess") == ("too-many", 4005)


async def test_who_watches_when_the_link_ends_is_told_and_goes(
    key: SecretFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A wall clock that stands still: half a second is left, however long the way to the daemon takes.
    given = sign_link(Link("Anna", 1_800_000_000, 3600), key.read_or_create())
    monkeypatch.setattr("tests.edges.web_rig.RealClock.unix", lambda self: 1_800_003_599.5)
    async with served(links=True, link_key=key) as rig:
        talk = await rig.talk()
        began = time.monotonic()
        await play(talk, given)
        assert (await talk.hear("error", limit=10))["code"] == "token-expired"
        assert await talk.close_code() == 4001
        assert time.monotonic() - began >= 0.5
        assert await rig.is_clean()
        monkeypatch.setattr("tests.edges.web_rig.RealClock.unix", lambda self: 1_800_003_600.0)
        assert await hello(rig, token=given) == ("token-expired", 4001)


async def test_who_comes_back_with_another_link_has_that_one_s_time(key: SecretFile) -> None:
    async with served(links=True, link_key=key, operator_token="op") as rig:
        talk = await rig.talk()
        resume = (await play(talk, token(key, left=60)))["resume"]
        again = await rig.talk()
        await again.say("hello", token=token(key, "Bert"), resume=resume)
        assert (await again.hear("welcome"))["resumed"] is True
        assert await talk.close_code() == 4004
        (figures,) = await viewer_figures(rig)
        assert figures["link"]["name"] == "Bert"
        assert 3500 < figures["link"]["ends_in"] < 3602


async def test_the_operator_sees_for_whom_the_link_is(key: SecretFile, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with served(links=True, link_key=key, viewer_token="plain", operator_token="op") as rig:
        one, other = await rig.talk(), await rig.talk()
        await play(one, token(key, "Anna\x1b[31m"))
        await play(other, "plain")
        assert [figures["link"] and figures["link"]["name"] for figures in await viewer_figures(rig)] == [
            "Anna\x1b[31m",
            None,
        ]
    assert "viewer v1 (127.0.0.1) joined by the link of Anna\\x1b[31m" in caplog.messages
    assert "viewer v2 (127.0.0.1) joined" in caplog.messages


async def test_another_key_ends_every_link(key: SecretFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_RELOAD_INTERVAL", 0.05)
    async with served(links=True, viewer_token="plain", link_key=key) as rig:
        guest, owner = await rig.talk(), await rig.talk()
        given = token(key)
        await play(guest, given)
        await play(owner, "plain")
        key.renew()
        assert (await guest.hear("error", limit=10))["code"] == "token-expired"
        assert await guest.close_code() == 4001
        assert await hello(rig, token=given) == ("token-wrong", 4001)
        assert await hello(rig, token=token(key)) == ("welcome", None)
        await owner.say("heartbeat")
        await owner.hear("heartbeat")


@pytest.mark.parametrize("how", ["removed", "emptied"])
async def test_a_key_that_is_gone_counts_no_more(key: SecretFile, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_RELOAD_INTERVAL", 0.05)
    async with served(links=True, link_key=key) as rig:
        guest = await rig.talk()
        await play(guest, token(key))
        key.path.unlink() if how == "removed" else key.path.write_text("")
        assert await guest.close_code(limit=10) == 4001
        assert (key.path.read_text() != "") == (how == "removed"), "another is made where there is none"


async def test_a_clock_that_was_never_set_is_said_and_the_link_lasts_its_time(
    key: SecretFile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    given = sign_link(Link("Anna", round(time.time()), 7200), key.read_or_create())
    monkeypatch.setattr("tests.edges.web_rig.RealClock.unix", lambda self: 100.0)
    async with served(links=True, link_key=key, operator_token="op") as rig:
        talk = await rig.talk()
        await play(talk, given)
        monkeypatch.setattr("tests.edges.web_rig.RealClock.unix", lambda self: time.time() + 10 * ALL)
        await talk.say("heartbeat")
        await talk.hear("heartbeat")
        (figures,) = await viewer_figures(rig)
        assert 7100 < figures["link"]["ends_in"] <= 7200, "the clock was set meanwhile: nobody is thrown out"
        assert await hello(rig, token=given) == ("token-expired", 4001), "whoever comes now is judged by it"
    assert "clock says 1970-01-01 00:01 UTC, before the link of Anna was made: is it set?" in caplog.text


async def test_without_a_key_nobody_comes_by_a_link_and_the_log_says_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "state").write_text("a file where the folder should be")
    async with served(links=True, viewer_token="plain", link_key=state_secrets(tmp_path / "state").link_key) as rig:
        assert await hello(rig, token="plain") == ("welcome", None)
        assert await hello(rig, token=token(state_secrets(tmp_path).link_key)) == ("token-wrong", 4001)
    assert "links cannot be checked" in caplog.text
    assert "state/link_key" in caplog.text


async def play(talk: Any, given: str) -> dict[str, Any]:
    """Join with that token."""
    await talk.say("hello", token=given)
    welcome: dict[str, Any] = await talk.hear("welcome")
    return welcome


async def viewer_figures(rig: Any) -> list[dict[str, Any]]:
    async with rig.client.get(f"{rig.url}/api/status", headers={"Authorization": "Bearer op"}) as response:
        figures: list[dict[str, Any]] = (await response.json())["viewer_figures"]
        return figures
