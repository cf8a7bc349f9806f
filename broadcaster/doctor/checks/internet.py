"""Viewers outside this network: the router's NAT, blocked UDP, and relays."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from broadcaster.devices.clock import SystemClock
from broadcaster.doctor.advice import change_settings
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.isolation import run_coroutine
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.settings import IceSettings
from broadcaster.webrtc.nat import NatProbe, StunProbe, probe_nat
from broadcaster.webrtc.relays import RelayProbe, RelayProblem, probe_relays

_NAT = Subject(
    "nat", "The router (NAT) decides whether viewers outside get the video directly, or need a relay (TURN)."
)
_TURN = Subject("turn", "A relay carries the video to viewers outside whom it does not reach directly.")

_PRIVATE = [
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8",
                    "0.0.0.0/8", "fc00::/7", "fe80::/10", "::1/128", "::/128")
]  # fmt: skip
"""Networks whose addresses nobody outside can reach (RFC 1918, 6598, 3927, 1122, 4193, 4291)."""


class Nat(Enum):
    """What is known of the mapping behaviour of RFC 4787 §4.1 between this machine and the servers."""

    NONE = "none"
    INDEPENDENT = "endpoint-independent"
    DEPENDENT = "address- or port-dependent"
    UNKNOWN = "one server only"
    INSIDE = "servers inside the network only"


@dataclass(frozen=True, slots=True)
class Outside:
    """What viewers outside can have: the picture over the web (`web.media`), and a relay that works (over TCP)."""

    media: bool
    relay: bool = False
    tcp_relay: bool = False


def probe(context: CheckContext) -> list[CheckResult]:
    """Return the results for NAT and relays."""
    return run_coroutine(_probe(context.settings.ice, media=context.settings.web.media))


async def _probe(settings: IceSettings, *, media: bool) -> list[CheckResult]:
    nat, relays = await asyncio.gather(probe_nat(settings), probe_relays(settings, SystemClock()))
    working = [relay for relay in relays if relay.address and not _is_private(relay.address)]
    outside = Outside(media, bool(working), any(relay.uri.transport == "tcp" for relay in working))
    return [evaluate_nat(nat, outside), evaluate_turn(relays)]


def classify(probe: NatProbe) -> Nat:
    """Classify the mapping; there must be an answer. Servers that see a private address are not outside."""
    mapped = {
        server: address
        for answers in probe.servers
        for server, address in answers.mapped.items()
        if not _is_private(address[0])
    }
    if not mapped:
        return Nat.INSIDE
    if len(set(mapped.values())) > 1:
        return Nat.DEPENDENT
    if all(address[0] in probe.own for address in mapped.values()):
        return Nat.NONE
    return Nat.INDEPENDENT if len({host for host, _ in mapped}) > 1 else Nat.UNKNOWN


def evaluate_nat(probe: NatProbe, outside: Outside) -> CheckResult:
    """Require that viewers outside can be reached, directly or by a relay; without a server nothing is known."""
    if not probe.servers:
        return _NAT.ok(
            "not checked: no STUN server (over UDP) is set in ice.servers. Viewers in this network need none; "
            "how well viewers outside are reached is unknown"
        )
    silent = [server for server in probe.servers if not server.mapped]
    if len(silent) == len(probe.servers):
        return _evaluate_silence(silent, outside)
    result = _evaluate_mapping(classify(probe), outside)
    if not silent:
        return result
    fix = "Check the names, or remove the servers from ice.servers: each delays every viewer's start by up to 1 s."
    fixes = [part for part in (result.fix, change_settings(fix)) if part]
    return _NAT.warning(f"{result.found}\n{_name_silent(silent)}", "\n".join(fixes))


def _evaluate_mapping(nat: Nat, outside: Outside) -> CheckResult:
    if nat is Nat.DEPENDENT and not outside.relay:
        found = f"strict router (symmetric NAT): most {_without_direct_way(outside)}"
        return _NAT.warning(found, _SET_UP_TURN)
    if nat is Nat.INSIDE:
        found = "the STUN servers are in this network, and cannot see what the router does"
        return _NAT.warning(found, change_settings("Set a STUN server on the internet in ice.servers."))
    return _NAT.ok(_FOUND[nat])


_FOUND = {
    Nat.NONE: "no NAT: this machine has a public address; viewers outside need no relay (TURN), "
    "unless a firewall blocks UDP",
    Nat.INDEPENDENT: "ordinary router (endpoint-independent NAT): most viewers outside get the video directly; "
    "only those in strict networks, such as some mobile ones, need a relay (TURN)",
    Nat.DEPENDENT: "strict router (symmetric NAT): most viewers outside need the relay (TURN), which works",
    Nat.UNKNOWN: "behind a NAT; one STUN server cannot tell of which kind: whether viewers outside need a relay (TURN) "
    "is shown if ice.servers has a second one with another address",
}


def _evaluate_silence(silent: Sequence[StunProbe], outside: Outside) -> CheckResult:
    """Tell blocked UDP, missing names and missing servers apart."""
    names = ", ".join(server.server for server in silent)
    if not any(server.found for server in silent):
        fix = "Check the spelling in ice.servers, and the internet connection:\n  ping -c 3 deb.debian.org"
        return _NAT.warning(f"no IPv4 address is found for {names}", fix)
    if open_servers := [server.server for server in silent if server.tcp]:
        found = f"UDP is blocked: {', '.join(open_servers)} can be reached over TCP only"
    elif any(server.found and server.by_name for server in silent):
        found = f"UDP seems to be blocked: names are found (DNS), but {names} does not answer"
    else:
        fix = "Check the internet connection, and the addresses in ice.servers:\n  ping -c 3 deb.debian.org"
        return _NAT.warning(f"no answer from {names}, neither over UDP nor over TCP", fix)
    if outside.tcp_relay:
        return _NAT.ok(f"{found}; viewers outside need the relay (TURN) over TCP, which works")
    return _NAT.warning(f"{found}; {_without_direct_way(outside)}", f"{_ALLOW_UDP}\n{_SET_UP_TCP_TURN}")


def _without_direct_way(outside: Outside) -> str:
    if outside.media:
        return "viewers outside get the picture over the web only (TCP), a little later, or need a relay (TURN)"
    return "viewers outside get no picture without a relay (TURN), because web.media is off"


def _name_silent(silent: Iterable[StunProbe]) -> str:
    return "\n".join(
        f"{server.server}: " + ("does not answer over UDP" if server.found else "no IPv4 address is found")
        for server in silent
    )


_TURN_SERVER = '[ice] servers = [{{urls = ["turn:turn.example.org{0}"]}}], turn_secret = "…"'
_SET_UP_TURN = change_settings(
    f"Set up a TURN server on the internet (Debian: coturn with use-auth-secret). Then:\n{_TURN_SERVER.format('')}"
)
_SET_UP_TCP_TURN = change_settings(
    "Or set up a TURN server on the internet (Debian: coturn with use-auth-secret), and use it over TCP or TLS:\n"
    + _TURN_SERVER.format("?transport=tcp")
)
_ALLOW_UDP = "Let outgoing UDP pass the firewall or router."


def evaluate_turn(probes: Sequence[RelayProbe]) -> CheckResult:
    """Require a relay with a public address from every TURN server."""
    if not probes:
        return _TURN.ok(
            "not checked: no TURN server is set in ice.servers; only viewers outside may need one, see the line nat"
        )
    found = "\n".join(f"{probe.url}: {_describe(probe)}" for probe in probes)
    fixes = dict.fromkeys(fix for probe in probes if (fix := _fix(probe)))
    return _TURN.warning(found, "\n".join(fixes)) if fixes else _TURN.ok(found)


def _describe(probe: RelayProbe) -> str:
    way = "TLS" if probe.uri.secure else probe.uri.transport.upper()
    if probe.problem is None:
        if _is_private(probe.address):
            return f"gives a relay over {way}, but with the private address {probe.address}"
        return f"gives a relay over {way}"
    return _PROBLEMS[probe.problem].format(way=way, detail=probe.detail)


_PROBLEMS = {
    RelayProblem.UNSUPPORTED: "not checked: the broadcaster cannot use TURN over DTLS; browsers may",
    RelayProblem.NOT_FOUND: "the name is not found",
    RelayProblem.UNREACHABLE: "cannot be reached over {way} ({detail})",
    RelayProblem.CERTIFICATE: "its certificate is not accepted ({detail})",
    RelayProblem.CREDENTIALS: "refuses the credentials",
    RelayProblem.EXPIRED: "refuses the credentials, which have expired",
    RelayProblem.CLOCK: "refuses the credentials, because the clock of this machine is not set",
    RelayProblem.REFUSED: "refuses a relay ({detail})",
}


def _fix(probe: RelayProbe) -> str:
    if probe.problem is None:
        return _ANNOUNCE_ADDRESS if _is_private(probe.address) else ""
    if probe.problem is RelayProblem.CREDENTIALS and probe.from_secret:
        return _SAME_SECRET
    return _FIXES.get(probe.problem, "")


_ANNOUNCE_ADDRESS = (
    "Let the TURN server announce its public address (coturn: external-ip=PUBLIC/PRIVATE in /etc/turnserver.conf)."
)
_SAME_SECRET = change_settings(
    "Set ice.turn_secret to the TURN server's secret (coturn: use-auth-secret and static-auth-secret), "
    "and check that both machines have the right time."
)
_FIXES = {
    RelayProblem.NOT_FOUND: change_settings(
        "Check the TURN server's name in ice.servers, and the internet connection."
    ),
    RelayProblem.UNREACHABLE: (
        "Check that the TURN server runs, and that firewalls let its port pass. If UDP is blocked here, use it over "
        "TCP (turn:…?transport=tcp) or TLS (turns:…)."
    ),
    RelayProblem.CERTIFICATE: (
        "Give the TURN server a certificate for this name that browsers accept, such as one from Let's Encrypt."
    ),
    RelayProblem.CREDENTIALS: change_settings("Check username and credential of the TURN server in ice.servers."),
    RelayProblem.EXPIRED: change_settings(
        "Get new credentials. If the TURN server is yours, set ice.turn_secret instead of username and credential: "
        "each viewer then gets credentials of its own."
    ),
    RelayProblem.CLOCK: "Set the clock; see the line clock:\n  timedatectl",
    RelayProblem.REFUSED: "Look for the reason in the TURN server's log, such as quotas and its limits of relays.",
}


def _is_private(address: str) -> bool:
    ip = ipaddress.ip_address(address)
    return any(ip in network for network in _PRIVATE)
