"""The page's port and addresses."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from broadcaster.devices.holders import Process
from broadcaster.doctor.advice import change
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.errors import BroadcasterError
from broadcaster.web.listen import WILDCARD_HOSTS, open_listeners

_PORT = Subject("port", "Browsers open the page there.")
_ADDRESSES = Subject("addresses", "Under these the page opens in browsers on the same network.")


@dataclass(frozen=True, slots=True)
class Port:
    """What became of listening there: `error` is empty when it worked; `holders` are known where we may look.

    `denied`: only privileged programs may listen there, of which the `service` is one.
    """

    number: int
    error: str
    holders: tuple[Process, ...]
    ours: bool
    denied: bool = False
    service: bool = False


def probe(case: CheckContext) -> list[CheckResult]:
    """Both lines."""
    web = case.settings.web
    holders = case.holders.ports.get(web.port, ())
    ours = case.running is not None or any(one.pid == case.service.pid for one in holders)
    error, denied = asyncio.run(try_port(web.host, web.port))
    # Listening by somebody whom we may not look at is known, too.
    denied = denied and web.port not in case.holders.ports
    service = case.service.low_ports and case.account.is_services
    port = Port(web.port, error, holders, ours, denied, service)
    return [evaluate_port(port), evaluate_addresses(web.host, case.page_addresses(web, web.port))]


async def try_port(host: str, port: int) -> tuple[str, bool]:
    """Listen as the daemon does, and stop again; returns what is wrong, and whether privileges are missing."""
    try:
        listeners = await open_listeners(host, port)
    except BroadcasterError as error:
        return str(error), isinstance(error.__cause__, PermissionError)
    for listener in listeners:
        listener.close()
    return "", False


def evaluate_port(port: Port) -> CheckResult:
    """Free, or held by the daemon itself."""
    held = f", held by {', '.join(map(str, port.holders))}" if port.holders else ""
    if not port.error:
        return _PORT.ok(f"{port.number} is free" if port.number else "any free one (web.port = 0)")
    if port.ours:
        return _PORT.ok(f"{port.number}, in use by the running broadcaster: fine")
    if port.denied:
        return _PORT.ok(f"{port.number} is free, for the service") if port.service else _denied(port)
    if port.holders:
        stop = f"Stop it, or choose another port in web.port:\n  sudo kill {port.holders[0].pid}"
    else:
        stop = (
            f"See who holds it, and stop that, or choose another in web.port:\n  sudo ss -ltnp 'sport = :{port.number}'"
        )
    return _PORT.broken(f"{port.error}{held}", stop)


def _denied(port: Port) -> CheckResult:
    """Below 1024 only root and the service may listen (ip_unprivileged_port_start, ip(7))."""
    fix = (
        "Install it as a service, or update the installed one: it may listen there. Or choose [web] port = 8080.\n"
        "  sudo make install"
    )
    return _PORT.broken(port.error, fix)


def evaluate_addresses(host: str, links: list[str]) -> CheckResult:
    """At least one must mean something on other machines; names alone do not make a network."""
    hosts = [urlsplit(link).hostname or "" for link in links]
    if host not in WILDCARD_HOSTS:
        if all(map(is_own, hosts)):
            fix = change('Right behind a proxy on this machine; for others: [web] host = ""')
            return _ADDRESSES.warning(f"{links[0]}: this machine only (web.host)", fix)
        return _ADDRESSES.ok("\n".join(links))
    addresses = [ipaddress.ip_address(name) for name in hosts if _is_ip(name)]
    if not addresses:
        return _ADDRESSES.warning("no network: this machine only", "Connect a cable, or join a Wi-Fi:\n  sudo nmtui")
    if all(address.is_link_local for address in addresses):
        found = "\n".join(["link-local only: machines on the same cable or Wi-Fi can watch, others cannot", *links])
        fix = "For others, connect it to a router that gives addresses (DHCP), or set one:\n  sudo nmtui"
        return _ADDRESSES.warning(found, fix)
    return _ADDRESSES.ok("\n".join(links))


def is_own(host: str) -> bool:
    """Whether that name or address leads nowhere but to the machine itself."""
    return host == "localhost" or (_is_ip(host) and ipaddress.ip_address(host).is_loopback)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
