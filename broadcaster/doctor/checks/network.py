"""The page's port and addresses."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from broadcaster.devices.holders import Process
from broadcaster.doctor.advice import change_settings
from broadcaster.doctor.context import CheckContext
from broadcaster.doctor.result import CheckResult, Subject
from broadcaster.errors import BroadcasterError
from broadcaster.web.access import is_loopback_host
from broadcaster.web.listen import WILDCARD_HOSTS, open_listeners

_PORT = Subject("port", "Browsers open the page on this port.")
_ADDRESSES = Subject("addresses", "Browsers on the same network open the page at these addresses.")


@dataclass(frozen=True, slots=True)
class Port:
    """The result of listening on a port.

    `error` is empty on success. `holders` are the processes that listen there, as far as they may be inspected.
    `ours`: the running broadcaster is one of them. `denied`: only privileged programs may listen there, and `service`:
    the service is one of those.
    """

    number: int
    error: str
    holders: tuple[Process, ...]
    ours: bool
    denied: bool = False
    service: bool = False


def probe(context: CheckContext) -> list[CheckResult]:
    """Return the results for port and addresses."""
    web = context.settings.web
    holders = context.holders.ports.get(web.port, ())
    ours = context.running is not None or any(process.pid == context.service.pid for process in holders)
    error, denied = asyncio.run(try_port(web.host, web.port))
    # A port in use is listed even if its process may not be inspected; then it is not only a matter of privileges.
    denied = denied and web.port not in context.holders.ports
    service = context.service.low_ports and context.account.is_service_user
    port = Port(web.port, error, holders, ours, denied, service)
    return [evaluate_port(port), evaluate_addresses(web.host, context.page_addresses(web, web.port))]


async def try_port(host: str, port: int) -> tuple[str, bool]:
    """Listen as the daemon does, and stop; return the error, and whether privileges are missing."""
    try:
        listeners = await open_listeners(host, port)
    except BroadcasterError as error:
        return str(error), isinstance(error.__cause__, PermissionError)
    for listener in listeners:
        listener.close()
    return "", False


def evaluate_port(port: Port) -> CheckResult:
    """Require a port that is free, or held by the daemon itself."""
    if not port.error:
        return _PORT.ok(f"{port.number} is free" if port.number else "any free port (web.port = 0)")
    if port.ours:
        return _PORT.ok(f"{port.number} is in use by the running broadcaster")
    if port.denied:
        if port.service:
            return _PORT.ok(f"{port.number} is free, and the service may use it")
        return _PORT.broken(port.error, _PRIVILEGED_PORT_FIX)
    if port.holders:
        held = f"{port.error}\nit is held by {', '.join(map(str, port.holders))}"
        fix = f"Stop that program, or set web.port to another port:\n  sudo kill {port.holders[0].pid}"
        return _PORT.broken(held, fix)
    fix = (
        "Find the program that uses the port and stop it, or set web.port to another port:\n"
        f"  sudo ss -ltnp 'sport = :{port.number}'"
    )
    return _PORT.broken(port.error, fix)


_PRIVILEGED_PORT_FIX = (
    "Install the broadcaster as a service, or update the installed service, which may use this port. "
    "Or choose another one: [web] port = 8080\n  sudo make install"
)
"""Below 1024 only root and the service may listen (ip_unprivileged_port_start, ip(7))."""


def evaluate_addresses(host: str, links: list[str]) -> CheckResult:
    """Require an address that other machines can reach; a host name alone does not show that there is a network."""
    hosts = [urlsplit(link).hostname or "" for link in links]
    if host not in WILDCARD_HOSTS:
        if all(map(is_loopback_host, hosts)):
            advice = 'This is right behind a reverse proxy on this machine. For other machines: [web] host = ""'
            return _ADDRESSES.warning(
                f"{links[0]} can be opened on this machine only (web.host)", change_settings(advice)
            )
        return _ADDRESSES.ok("\n".join(links))
    addresses = [ipaddress.ip_address(name) for name in hosts if _is_ip(name)]
    if not addresses:
        found = "there is no network; the page can be opened on this machine only"
        return _ADDRESSES.warning(found, "Connect a cable or join a Wi-Fi network:\n  sudo nmtui")
    if all(address.is_link_local for address in addresses):
        only = "link-local addresses only: machines on the same cable or Wi-Fi can watch, others cannot"
        fix = "For others, connect to a router that assigns addresses (DHCP), or set an address:\n  sudo nmtui"
        return _ADDRESSES.warning("\n".join([only, *links]), fix)
    return _ADDRESSES.ok("\n".join(links))


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
