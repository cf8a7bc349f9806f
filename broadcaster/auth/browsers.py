"""Browsers of the owner: what is stored about each, and a name for it."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass

LIFETIME = 30 * 24 * 3600
"""Seconds for which a browser stays signed in."""
MAX_NAME = 40
"""Characters of a browser's name."""

_MODEL = re.compile(r"Android [\d.]+; (?:[a-z]{2}-[a-zA-Z]{2}; )?(?P<model>[^;)]{2,}?)(?: Build/[^;)]*)?(?:; wv)?\)")
"""The model of an Android device; browsers of today send `K` or nothing in its place."""
_NO_MODEL = ("Mobile", "Tablet", "TV", "rv:")
_BROWSERS = {
    "Edg": "Edge", "OPR/": "Opera", "SamsungBrowser/": "Samsung Internet", "Firefox/": "Firefox", "FxiOS/": "Firefox",
    "CriOS/": "Chrome", "Chrome/": "Chrome", "Safari/": "Safari",
}  # fmt: skip
"""Names by their mark in the user agent, the most special first: Edge also calls itself Chrome and Safari."""
_SYSTEMS = {
    "iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "CrOS": "ChromeOS", "Windows": "Windows",
    "Mac OS X": "macOS", "Linux": "Linux",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Browser:
    """A signed-in browser; times are in Unix seconds.

    `digest` identifies its secret, which is not stored, and `token` the operator token at that time.
    """

    id: str
    name: str
    digest: str
    signed_in: int
    seen: int
    token: str = ""

    def remaining(self, unix: float) -> float:
        """Return the seconds until it is signed out, at most `LIFETIME`, so that a slow clock cannot extend it."""
        return min(self.signed_in + LIFETIME - unix, float(LIFETIME))


def digest(secret: str, operator_token: str) -> str:
    """Return what identifies a browser's secret; it depends on the token, so that a new token signs everyone out."""
    return hmac.digest(operator_token.encode(), secret.encode("utf-8", "surrogatepass"), "sha256").hex()


def device_name(user_agent: str) -> str:
    """Return a name such as `phone "Pixel 7"`, `computer "Firefox on Linux"`, `program "curl"` or `command line`."""
    if not user_agent.startswith("Mozilla/"):
        program = _clean(user_agent.partition("/")[0])
        return "command line" if program == "broadcaster" else f'program "{program or "unknown"}"'
    system = next((name for mark, name in _SYSTEMS.items() if mark in user_agent), "an unknown system")
    browser = next((name for mark, name in _BROWSERS.items() if mark in user_agent), "Browser")
    name = system if system in ("iPhone", "iPad") else f"{browser} on {system}"
    return f'{_kind(user_agent, system)} "{_model(user_agent) or name}"'


def _kind(user_agent: str, system: str) -> str:
    if "Mobile" in user_agent and system != "iPad":
        return "phone"
    return "tablet" if system in ("iPad", "Android") else "computer"


def _model(user_agent: str) -> str:
    match = _MODEL.search(user_agent)
    return _clean(match["model"]) if match and not match["model"].startswith(_NO_MODEL) else ""


def _clean(text: str) -> str:
    """Return untrusted text for use in a name: printable, without quotation marks, and not too long."""
    return "".join(c for c in text if c.isprintable() and c != '"')[:MAX_NAME].strip()
