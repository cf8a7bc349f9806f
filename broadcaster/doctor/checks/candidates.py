"""The ways by which viewers reach the daemon: ICE candidates, really gathered."""

from __future__ import annotations

from collections.abc import Sequence

from broadcaster.devices.clock import SystemClock
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.isolation import complete
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.settings import IceSettings
from broadcaster.webrtc.ice import Gathered, gather
from broadcaster.webrtc.interfaces import LOOPBACK

_ABOUT = Subject("ways", "Pictures come to viewers by one of these; STUN and TURN servers open ways from elsewhere.")
_KINDS = {"host": "direct", "srflx": "through the router", "relay": "by relay"}
"""RFC 8445 §4, for people."""


def probe(case: CheckContext) -> list[CheckResult]:
    """The one line."""
    return [evaluate(complete(gather(case.settings.ice, SystemClock())), case.settings.ice)]


def evaluate(gathered: Gathered, settings: IceSettings) -> CheckResult:
    """Without any way nobody sees anything; a server that gives none is asked for nothing."""
    found = _in_words(gathered.candidates)
    problems = [*gathered.problems, *_unused(gathered, settings)]
    if all(address == LOOPBACK for _, address in gathered.candidates):
        fix = "Connect a cable or join a Wi-Fi, and look at ice.interfaces and ice.ports:\n  ip -brief address"
        text = "\n".join([f"{found}: this machine only" if found else "none", *problems])
        return _ABOUT.warning(text, fix) if found else _ABOUT.broken(text, fix)
    if problems:
        fix = "Look at ice.servers, the network, and the servers themselves:\n  broadcaster settings --changed"
        return _ABOUT.warning("\n".join([found, *problems]), fix)
    return _ABOUT.ok(found)


def _in_words(candidates: Sequence[tuple[str, str]]) -> str:
    """Each kind, and its addresses."""
    kinds = dict.fromkeys(kind for kind, _ in candidates)
    addresses = {kind: ", ".join(address for other, address in candidates if other == kind) for kind in kinds}
    return "\n".join(f"{_KINDS.get(kind, kind)}: {addresses[kind]}" for kind in kinds)


def _unused(gathered: Gathered, settings: IceSettings) -> list[str]:
    """What nobody complained about, because nobody asked: a TURN server over a transport that we do not speak."""
    relays = [url for server in settings.servers for url in server.urls if url.startswith("turn")]
    if relays and not gathered.problems and all(kind != "relay" for kind, _ in gathered.candidates):
        return [f"the daemon itself cannot use {relays[0]}"]
    return []
