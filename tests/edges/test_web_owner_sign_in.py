"""Signing in to the owner's page over real HTTP: cookies, origins, codes, wrong tokens, signing out."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from broadcaster.auth.links import Link, sign_link
from broadcaster.storage.secrets import StateSecrets, state_secrets
from tests.edges.owner_rig import ELSEWHERE, PAGE, SESSION, TOKEN, Browser
from tests.edges.web_rig import WebServerRig, served


@pytest_asyncio.fixture
async def rig() -> AsyncIterator[WebServerRig]:
    async with served(operator_token=TOKEN) as rig:
        yield rig


async def test_cookie_in_exchange_for_the_token_is_valid_for_the_whole_api(rig: WebServerRig) -> None:
    browser = Browser(rig)
    assert (await browser.request("GET", SESSION))[1] == {"owner": False, "secure": False}
    assert (await browser.request("POST", "/api/live", {"live": True}))[0] == 401
    status, answer = await browser.sign_in()
    assert (status, answer["owner"], answer["name"]) == (200, True, 'phone "Pixel 7"')
    assert browser.cookie is not None
    cookie = browser.cookie
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "Strict", "/", "")
    assert int(cookie["max-age"]) == 30 * 24 * 3600
    assert len(cookie.value) == 43, "256 bits"
    assert (await browser.request("POST", "/api/live", {"live": True}))[0] == 200
    assert rig.stream.requested == [True]
    assert "viewer_figures" in (await browser.request("GET", "/api/status"))[1]
    assert (await browser.request("GET", "/api/recordings", Origin=""))[0] == 409, "the recorder is off"
    assert (await browser.request("GET", SESSION))[1] | {"browser": ""} == {
        "owner": True, "secure": False, "name": 'phone "Pixel 7"', "browser": "",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "origin"),
    [
        ("POST", "/api/live", {"live": False}, "http://192.168.1.2:3000"),
        ("POST", "/api/live", {"live": False}, "http://evil.example"),
        ("POST", "/api/live", {"live": False}, "https://allowed.example"),
        ("POST", "/api/live", {"live": False}, "null"),
        ("POST", "/api/live", {"live": False}, ""),
        ("DELETE", "/api/owner/browsers", None, "http://192.168.1.2:3000"),
        ("DELETE", "/api/owner/browsers", None, ""),
        ("POST", "/api/owner/code", {}, "http://192.168.1.2:3000"),
        ("GET", "/api/owner/browsers", None, "http://192.168.1.2:3000"),
        ("GET", "/api/owner/browsers", None, "https://allowed.example"),
    ],
)
async def test_cookie_does_not_authorize_other_origins(method: str, path: str, body: object, origin: str) -> None:
    async with served(operator_token=TOKEN, origins=("https://allowed.example",)) as rig:
        browser = Browser(rig)
        await browser.sign_in()
        assert (await browser.request(method, path, body, Origin=origin))[0] in (401, 403)
        assert rig.stream.requested == []
        assert len((await browser.request("GET", "/api/owner/browsers"))[1]["browsers"]) == 1


async def test_other_origins_cannot_sign_in(rig: WebServerRig) -> None:
    browser = Browser(rig)
    for origin in ("http://192.168.1.2:3000", "http://evil.example", "null"):
        assert (await browser.request("POST", SESSION, {"token": TOKEN}, Origin=origin))[0] == 403
    assert browser.cookie is None


async def test_code_is_valid_once(rig: WebServerRig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    owner, phone = {"Authorization": f"Bearer {TOKEN}"}, Browser(rig)
    async with rig.client.post(f"{rig.url}/api/owner/code", json={}, headers=ELSEWHERE | owner) as response:
        answer = await response.json()
    assert answer["seconds"] == 600
    assert (await phone.sign_in(answer["code"]))[0] == 200
    assert (await Browser(rig).sign_in(answer["code"]))[0] == 401
    assert (await phone.sign_in(rig.server.issue_owner_code()))[0] == 200, "the code that is printed at start"
    assert (await Browser(rig).request("POST", "/api/owner/code", {}))[0] == 401
    assert 'owner: phone "Pixel 7" at 127.0.0.1 signed in' in caplog.text
    assert answer["code"] not in caplog.text
    assert TOKEN not in caplog.text


async def test_code_expires_after_ten_minutes(rig: WebServerRig, monkeypatch: pytest.MonkeyPatch) -> None:
    code, later = rig.server.issue_owner_code(), asyncio.get_running_loop().time() + 600
    monkeypatch.setattr("broadcaster.devices.clock.SystemClock.monotonic", lambda self: later)
    assert (await Browser(rig).sign_in(code))[0] == 401


async def test_browsers_are_listed_and_signed_out_one_by_one_and_all(rig: WebServerRig) -> None:
    phone, computer, curl = Browser(rig), Browser(rig, "Mozilla/5.0 (X11; Linux) Firefox/128.0"), Browser(rig, "curl/8")
    for browser in (phone, computer, curl):
        await browser.sign_in()
    listed = (await phone.request("GET", "/api/owner/browsers"))[1]["browsers"]
    assert {(one["name"], one["this"]) for one in listed} == {
        ('phone "Pixel 7"', True), ('computer "Firefox on Linux"', False), ('program "curl"', False),
    }  # fmt: skip
    assert all(set(one) == {"id", "name", "signed_in", "seen", "this"} for one in listed)
    (other,) = [one["id"] for one in listed if "Firefox" in one["name"]]
    assert (await phone.request("DELETE", f"/api/owner/browsers/{other}"))[0] == 200
    assert (await phone.request("DELETE", f"/api/owner/browsers/{other}"))[0] == 404
    assert (await computer.request("GET", "/api/owner/browsers"))[0] == 401
    assert (await curl.request("DELETE", SESSION))[1] == {"signed_out": 1}
    assert (await curl.request("GET", "/api/owner/browsers"))[0] == 401
    assert (await phone.request("DELETE", "/api/owner/browsers"))[1] == {"signed_out": 1}
    assert (await phone.request("GET", "/api/owner/browsers"))[0] == 401


async def test_restart_keeps_browsers_and_a_new_token_signs_them_out(tmp_path: Path) -> None:
    secrets = state_secrets(tmp_path)
    async with restarted(secrets) as rig:
        browser = Browser(rig)
        assert (await browser.sign_in(secrets.operator_token.read()))[0] == 200
    async with restarted(secrets) as rig:
        browser.rig = rig
        assert (await browser.request("GET", "/api/owner/browsers"))[0] == 200
    secrets.operator_token.renew()
    async with restarted(secrets) as rig:
        browser.rig = rig
        assert (await browser.request("GET", "/api/owner/browsers"))[0] == 401


def restarted(secrets: StateSecrets) -> Any:
    """Run a server whose state is in this folder."""
    return served(link_key=secrets.link_key, operator_token_file=secrets.operator_token, state_folder=secrets.folder)


@pytest.mark.parametrize("path", ["/", "/cam/", "/home/cam-1/"])
async def test_cookie_is_limited_to_the_path_of_the_page(path: str, rig: WebServerRig) -> None:
    browser = Browser(rig)
    assert (await browser.sign_in(path=path))[0] == 200
    assert browser.cookie is not None
    assert browser.cookie["path"] == path


@pytest.mark.parametrize(
    "body",
    [
        None, [], {}, {"token": 1}, {"token": ""}, {"token": "a" * 300}, {"token": "a\nb"}, {"token": "\udc80"},
        {"token": TOKEN, "path": "cam/"}, {"token": TOKEN, "path": "/cam"}, {"token": TOKEN, "path": "/;Domain=x/"},
        {"token": TOKEN, "path": "//"}, {"token": TOKEN, "path": 1}, {"token": TOKEN, "path": "/" + "a" * 300 + "/"},
        {"token": TOKEN, "path": "/\r\nSet-Cookie: a=b/"},
    ],
)  # fmt: skip
async def test_invalid_body_is_refused(body: object, rig: WebServerRig) -> None:
    browser = Browser(rig)
    assert (await browser.request("POST", SESSION, body))[0] in (400, 415)
    assert browser.cookie is None
    assert (await browser.sign_in())[0] == 200, "bad requests are no wrong tokens"


async def test_cookie_is_sent_over_https_only_if_it_was_set_over_https() -> None:
    async with served(operator_token=TOKEN, trusted_proxies=("127.0.0.1",)) as rig:
        browser = Browser(rig)
        status, answer = await browser.request("POST", SESSION, {"token": TOKEN}, **{"X-Forwarded-Proto": "https"})
        assert (status, answer["secure"]) == (200, True)
        assert browser.cookie is not None
        assert browser.cookie["secure"] is True


async def test_thousand_wrong_tokens_are_rate_limited_with_the_time_to_wait(
    rig: WebServerRig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    now = asyncio.get_running_loop().time()
    monkeypatch.setattr("broadcaster.devices.clock.SystemClock.monotonic", lambda self: now)
    signed_in, guesser = Browser(rig), Browser(rig)
    await signed_in.sign_in()
    statuses = [(await guesser.sign_in(f"guess-{number}"))[0] for number in range(1000)]
    assert statuses == [401] * 5 + [429] * 995
    status, text = await guesser.sign_in()
    assert status == 429, "the correct token is refused, too: otherwise the limit would reveal it"
    assert "wait 60 seconds" in text
    async with rig.client.post(rig.url + SESSION, json={"token": "x"}, headers=PAGE) as response:
        assert response.headers["Retry-After"] == "60"
    assert (await signed_in.request("GET", "/api/owner/browsers"))[0] == 200, "signed-in browsers are not locked out"
    assert (await Browser(rig).sign_in(rig.server.issue_owner_code()))[0] == 200, "a code cannot be guessed"
    assert "guess-" not in caplog.text


@pytest.mark.parametrize("what", ["viewer token", "link", "link key", "digest"])
async def test_token_of_a_viewer_does_not_sign_in(what: str, tmp_path: Path) -> None:
    secrets = state_secrets(tmp_path)
    key = secrets.link_key.renew()
    async with served(
        operator_token=TOKEN, viewer_token=TOKEN[::-1], links=True, link_key=secrets.link_key, state_folder=tmp_path
    ) as rig:
        await Browser(rig).sign_in()
        (stored,) = json.loads((tmp_path / "owner_browsers").read_text())["browsers"]
        token = {
            "viewer token": TOKEN[::-1],
            "link": sign_link(Link("Anna", int(time.time()), 3600), key),
            "link key": key,
            "digest": stored["digest"],
        }[what]
        browser = Browser(rig)
        assert (await browser.sign_in(token))[0] == 401
        headers = ELSEWHERE | {"Cookie": f"broadcaster_owner_0={token}"}
        async with rig.client.get(f"{rig.url}/api/owner/browsers", headers=headers) as response:
            assert response.status == 401


async def test_nothing_is_needed_on_this_machine_without_a_configured_token(tmp_path: Path) -> None:
    async with served(operator_token_file=state_secrets(tmp_path).operator_token) as rig:
        async with rig.client.get(rig.url + SESSION, headers={"User-Agent": "broadcaster/1"}) as response:
            assert (await response.json())["name"] == "command line"
        async with rig.client.delete(f"{rig.url}/api/owner/browsers") as response:
            assert await response.json() == {"signed_out": 0}
        for origin in ("http://127.0.0.1:1", "https://evil.example"):
            async with rig.client.post(f"{rig.url}/api/owner/code", json={}, headers={"Origin": origin}) as response:
                assert response.status == 403


@pytest.mark.parametrize(
    ("path", "ancestors"),
    [("/owner", "'none'"), ("/recordings", "'none'"), ("/", "'self' https://allowed.example")],
)
async def test_owner_s_pages_cannot_be_framed(path: str, ancestors: str) -> None:
    async with served(origins=("https://allowed.example",)) as rig, rig.client.get(rig.url + path) as response:
        policy = response.headers["Content-Security-Policy"]
        assert f"frame-ancestors {ancestors}" in policy.split("; ")
        assert "script-src 'self'" in policy
