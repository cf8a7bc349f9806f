"""The owner's browsers in the state folder: kept across restarts, without their secrets, bounded."""

from __future__ import annotations

import json
import logging
import stat
from pathlib import Path

import pytest

from broadcaster.auth.browsers import LIFETIME
from broadcaster.storage.browsers import MAX_BROWSERS, SignedInBrowsers

TOKEN = "operator-token"


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def monotonic(self) -> float:
        raise AssertionError("the lifetime of a browser continues across restarts")

    def unix(self) -> float:
        return self.now


def test_browser_is_found_by_its_secret_after_a_restart_until_it_is_signed_out(tmp_path: Path) -> None:
    clock = Clock()
    browser, secret = SignedInBrowsers(tmp_path, clock).sign_in("phone", TOKEN)
    browsers = SignedInBrowsers(tmp_path, clock)
    assert browsers.find(secret, TOKEN) == browser
    assert browsers.find(secret + "x", TOKEN) is None
    assert browsers.find(secret, "another token") is None, "a new operator token signs all browsers out"
    assert (browsers.all(TOKEN), browsers.all("another token")) == ([browser], [])
    assert browsers.sign_out("other") == 0
    assert browsers.sign_out(browser.id) == 1
    assert browsers.find(secret, TOKEN) is None
    assert SignedInBrowsers(tmp_path, clock).find(secret, TOKEN) is None


def test_secret_has_256_bits_and_is_not_stored(tmp_path: Path) -> None:
    _, secret = SignedInBrowsers(tmp_path, Clock()).sign_in("phone", TOKEN)
    file = tmp_path / "owner_browsers"
    assert len(secret) == 43  # base64url of 32 bytes
    assert secret not in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_browser_is_forgotten_after_thirty_days(tmp_path: Path) -> None:
    clock = Clock()
    browsers = SignedInBrowsers(tmp_path, clock)
    _, secret = browsers.sign_in("phone", TOKEN)
    clock.now += LIFETIME - 1
    assert browsers.find(secret, TOKEN) is not None
    clock.now += 1
    assert browsers.all(TOKEN) == []
    assert browsers.find(secret, TOKEN) is None
    assert json.loads((tmp_path / "owner_browsers").read_text()) == {"browsers": []}


def test_last_seen_is_written_once_an_hour(tmp_path: Path) -> None:
    clock, file = Clock(), tmp_path / "owner_browsers"
    browsers = SignedInBrowsers(tmp_path, clock)
    _, secret = browsers.sign_in("phone", TOKEN)
    before = file.read_text()
    clock.now += 3000
    assert browsers.find(secret, TOKEN).seen == clock.now
    assert file.read_text() == before
    clock.now += 3000
    browsers.find(secret, TOKEN)
    assert json.loads(file.read_text())["browsers"][0]["seen"] == clock.now


def test_number_is_limited_and_the_one_not_seen_for_longest_is_replaced(tmp_path: Path) -> None:
    clock = Clock()
    browsers = SignedInBrowsers(tmp_path, clock)
    secrets = []
    for _ in range(MAX_BROWSERS):
        clock.now += 1
        secrets.append(browsers.sign_in("phone", TOKEN)[1])
    clock.now += 1
    browsers.find(secrets[0], TOKEN)
    browsers.sign_in("phone", TOKEN)
    found = [browsers.find(secret, TOKEN) is not None for secret in secrets]
    assert found == [True, False, *[True] * (MAX_BROWSERS - 2)]
    assert len(browsers.all(TOKEN)) == MAX_BROWSERS


@pytest.mark.parametrize("content", ["", "{", "[]", '{"browsers": 3}', '{"browsers": [{"id": 1}]}', "[" * 9999])
def test_invalid_file_is_ignored(content: str, tmp_path: Path) -> None:
    (tmp_path / "owner_browsers").write_text(content)
    assert SignedInBrowsers(tmp_path, Clock()).all(TOKEN) == []


def test_browsers_work_without_a_writable_folder(caplog: pytest.LogCaptureFixture) -> None:
    browsers = SignedInBrowsers(Path("/dev/null"), Clock())
    for _ in range(3):
        _, secret = browsers.sign_in("phone", TOKEN)
        assert browsers.find(secret, TOKEN) is not None
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1
    assert "stream.state_dir" in warnings[0].message
    assert secret not in caplog.text
