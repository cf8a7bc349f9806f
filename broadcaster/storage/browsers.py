"""The browsers in which the owner has signed in, across restarts."""

from __future__ import annotations

import secrets
from dataclasses import asdict, replace
from pathlib import Path

from msgspec import ValidationError, convert

from broadcaster.auth.browsers import Browser, digest
from broadcaster.ports import Clock
from broadcaster.storage.private_json import PrivateJson

MAX_BROWSERS = 32
"""A further browser replaces the one that was not seen for the longest time."""
_SECRET = 32
"""Random bytes of a browser's secret."""
_SEEN_INTERVAL = 3600
"""Seconds between two writes because a browser was seen: SD cards wear out."""


class SignedInBrowsers:
    """Knows each browser by the digest of its secret. `folder` is the state folder; None: they end with the daemon."""

    def __init__(self, folder: Path | None, clock: Clock) -> None:
        self._file = None if folder is None else PrivateJson(folder / "owner_browsers", "the owner's browsers")
        self._clock = clock
        self._browsers = {browser.digest: browser for browser in self._load()}
        self._stored_at = clock.unix()

    def sign_in(self, name: str, operator_token: str) -> tuple[Browser, str]:
        """Return a new browser and its secret."""
        while len(self._browsers) >= MAX_BROWSERS:
            self._remove(min(self._browsers.values(), key=lambda browser: browser.seen))
        secret, now = secrets.token_urlsafe(_SECRET), int(self._clock.unix())
        browser = Browser(secrets.token_hex(4), name, digest(secret, operator_token), now, now, _id(operator_token))
        self._browsers[browser.digest] = browser
        self._save()
        return browser, secret

    def find(self, secret: str, operator_token: str) -> Browser | None:
        """Return the browser with this secret, which was seen now; None if it is not signed in, or no longer."""
        browser, now = self._browsers.get(digest(secret, operator_token)), self._clock.unix()
        if browser is None:
            return None
        if browser.remaining(now) <= 0:
            self._remove(browser)
            self._save()
            return None
        browser = self._browsers[browser.digest] = replace(browser, seen=int(now))
        if not 0 <= now - self._stored_at < _SEEN_INTERVAL:
            self._save()
        return browser

    def all(self, operator_token: str) -> list[Browser]:
        """Return the browsers that are signed in while this token is valid, the last seen first."""
        now, token = self._clock.unix(), _id(operator_token)
        valid = [
            browser for browser in self._browsers.values() if browser.remaining(now) > 0 and browser.token == token
        ]
        return sorted(valid, key=lambda browser: browser.seen, reverse=True)

    def sign_out(self, *ids: str) -> int:
        """Sign out these browsers; return how many of them were signed in."""
        ended = [browser for browser in self._browsers.values() if browser.id in ids]
        for browser in ended:
            self._remove(browser)
        if ended:
            self._save()
        return len(ended)

    def _remove(self, browser: Browser) -> None:
        del self._browsers[browser.digest]

    def _save(self) -> None:
        self._stored_at = self._clock.unix()
        if self._file is not None:
            self._file.save({"browsers": [asdict(browser) for browser in self._browsers.values()]})

    def _load(self) -> list[Browser]:
        stored = {} if self._file is None else self._file.load()
        try:
            return convert(stored.get("browsers", []), list[Browser])[:MAX_BROWSERS]
        except ValidationError:
            return []


def _id(operator_token: str) -> str:
    """Return what identifies a token, of which it says nothing."""
    return digest("id", operator_token)[:16]
