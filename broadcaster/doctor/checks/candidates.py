"""The ICE candidates that the daemon would offer to viewers."""

from __future__ import annotations

from collections.abc import Sequence

from broadcaster.devices.clock import SystemClock
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.isolation import run_coroutine
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.settings import IceSettings
from broadcaster.webrtc.ice import Gathered, gather
from broadcaster.webrtc.interfaces import LOOPBACK

_ABOUT = Subject(
    "candidates", "Viewers get the video over one of these addresses; other networks need STUN or TURN servers."
)
_KINDS = {"host": "direct", "srflx": "through the router", "relay": "by relay"}
"""Descriptions of the candidate types of RFC 8445 §4."""


def probe(context: CheckContext) -> list[CheckResult]:
    """Return the only result."""
    return [evaluate(run_coroutine(gather(context.settings.ice, SystemClock())), context.settings.ice)]


def evaluate(gathered: Gathered, settings: IceSettings) -> CheckResult:
    """Require a candidate that other machines can reach, and one from every configured server."""
    found = _describe(gathered.candidates)
    problems = [*gathered.problems, *_unused_relays(gathered, settings)]
    if all(address == LOOPBACK for _, address in gathered.candidates):
        fix = "Connect a cable or join a Wi-Fi network, and check ice.interfaces and ice.ports:\n  ip -brief address"
        if found:
            return _ABOUT.warning("\n".join([f"{found} (viewers on this machine only)", *problems]), fix)
        return _ABOUT.broken("\n".join(["viewers cannot reach this machine at any address", *problems]), fix)
    if problems:
        fix = "Check the network, the STUN and TURN servers, and ice.servers:\n  broadcaster settings --changed"
        return _ABOUT.warning("\n".join([found, *problems]), fix)
    return _ABOUT.ok(found)


def _describe(candidates: Sequence[tuple[str, str]]) -> str:
    """Return one line for each type of candidate, with its addresses."""
    kinds = dict.fromkeys(kind for kind, _ in candidates)
    addresses = {kind: ", ".join(address for other, address in candidates if other == kind) for kind in kinds}
    return "\n".join(f"{_KINDS.get(kind, kind)}: {addresses[kind]}" for kind in kinds)


def _unused_relays(gathered: Gathered, settings: IceSettings) -> list[str]:
    """Report TURN servers that were never asked, because the daemon does not support their transport."""
    relays = [url for server in settings.servers for url in server.urls if url.startswith("turn")]
    if relays and not gathered.problems and all(kind != "relay" for kind, _ in gathered.candidates):
        return [f"the broadcaster cannot use {relays[0]}"]
    return []
