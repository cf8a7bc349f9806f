"""Browsers of the owner: names by user agent, and when they are signed out."""

import pytest

from broadcaster.auth.browsers import LIFETIME, MAX_NAME, Browser, device_name, digest

CHROME = (
    "Mozilla/5.0 (Linux; Android 14; {}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0.0.0 Mobile Safari/537.36"
)
SAFARI = "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)"


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (CHROME.format("K"), 'phone "Chrome on Android"'),
        (CHROME.format("Pixel 7 Build/UQ1A"), 'phone "Pixel 7"'),
        (CHROME.format("SM-S911B"), 'phone "SM-S911B"'),
        ("Mozilla/5.0 (Android 14; Mobile; rv:128.0) Gecko/128.0 Firefox/128.0", 'phone "Firefox on Android"'),
        (f"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) {SAFARI}", 'phone "iPhone"'),
        (f"Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) {SAFARI}", 'tablet "iPad"'),
        (f"{MAC} AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15", 'computer "Safari on macOS"'),
        (
            "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/127.0 Safari/537.36 Edg/127.0",
            'computer "Edge on Windows"',
        ),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", 'computer "Firefox on Linux"'),
        ("Mozilla/5.0", 'computer "Browser on an unknown system"'),
        ("curl/8.5.0", 'program "curl"'),
        ("broadcaster/0.9", "command line"),
        ("", 'program "unknown"'),
        ('evil"\x1b[31m\n/1', 'program "evil[31m"'),
    ],
)
def test_name_of_a_device(user_agent: str, name: str) -> None:
    assert device_name(user_agent) == name


def test_names_are_short() -> None:
    assert len(device_name("a" * 4000)) <= MAX_NAME + len('program ""')
    assert len(device_name(CHROME.format("a" * 4000))) <= MAX_NAME + len('phone ""')


def test_browser_is_signed_out_after_its_lifetime_and_a_slow_clock_does_not_extend_it() -> None:
    browser = Browser("1", "name", "digest", 1_000_000, 1_000_000)
    assert browser.remaining(1_000_000 + LIFETIME) == 0
    assert browser.remaining(0) == LIFETIME


def test_digest_depends_on_secret_and_token() -> None:
    assert len({digest(secret, token) for secret in ("a", "b") for token in ("", "c")}) == 4
    assert digest("\udc80", "token")
