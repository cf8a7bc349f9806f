"""The addresses at which browsers can open the page."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

import ifaddr

from broadcaster.settings import WebSettings
from broadcaster.settings.host_names import ascii_name
from broadcaster.settings.paths import expand
from broadcaster.web.listen import WILDCARD_HOSTS, available_ip_versions
from broadcaster.webrtc import interfaces

_AVAHI = Path("/run/avahi-daemon/socket")
"""Exists while Avahi runs, which answers queries for names in `.local` (avahi-daemon(8))."""


def page_addresses(web: WebSettings, port: int) -> list[str]:
    """Return the page's addresses as URLs, the one for viewers first; `port` is the port in use.

    With a certificate, its names and those of `web.hosts` come first, because certificates are rarely valid for IP
    addresses. Behind a reverse proxy, `web.hosts` are the proxy's names.
    """
    secure = web.certificate != ""
    hosts = [*web.hosts, *(_certificate_names(web.certificate) if secure else [])]
    urls = page_urls(list(dict.fromkeys(hosts)), 443 if web.trusted_proxies else port, secure=True)
    return [*(urls if secure or web.trusted_proxies else []), *reachable_at(web.host, port, secure=secure)]


def reachable_at(host: str, port: int, *, secure: bool = False) -> list[str]:
    """Return this machine's own addresses as URLs, by IP address and by name; `host` is `web.host`.

    An IPv4 address comes first, if there is one: not every phone can resolve this machine's names.
    """
    if host not in WILDCARD_HOSTS:
        return page_urls([host], port, secure=secure)
    listening = available_ip_versions(host)
    own = [address for address in own_addresses() if ipaddress.ip_address(address).version in listening]
    addresses = for_others(own, first=address_towards_others())
    first = [address for address in addresses if "." in address][:1]
    others = [address for address in addresses if address not in first]
    known = names(socket.gethostname(), multicast=_AVAHI.exists())
    return page_urls([*first, *known, *others, "localhost"], port, secure=secure)


def names(hostname: str, *, multicast: bool) -> list[str]:
    """Return this machine's names: in `.local` if it answers multicast DNS (RFC 6762), and as home routers know it."""
    short = hostname.partition(".")[0]
    if short in ("", "localhost"):
        return []
    if not hostname.isascii():
        return [ascii_name(hostname)]  # what browsers look up; multicast DNS would answer only for the UTF-8 name
    return [*([f"{short}.local"] if multicast else []), hostname]


def _certificate_names(file: str) -> list[str]:
    """Return the names in a certificate that viewers can use, so no wildcards."""
    # Imported here because it loads a library that is needed only with a certificate.
    from broadcaster.web.certificate import certificate_names  # noqa: PLC0415

    return [name for name in certificate_names(Path(expand(file))) if name[0] != "*" and name != "localhost"]


def own_addresses() -> list[str]:
    """Return the IP addresses of all network interfaces."""
    return list(interfaces.own_addresses(ifaddr.get_adapters()))


def address_towards_others() -> str | None:
    """Return the IPv4 source address of the default route; None without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737); for UDP, connect only looks up the route
        except OSError:
            return None
        return str(probe.getsockname()[0])


def for_others(addresses: Iterable[str], first: str | None) -> list[str]:
    """Return the addresses that other machines can use: `first`, then IPv4, then IPv6.

    IPv4 link-local addresses (RFC 3927) work on the same link only, and are returned only if there is no other address.
    IPv6 link-local addresses need a zone, which URLs cannot carry (RFC 9844).
    """
    candidates = {ip for ip in map(ipaddress.ip_address, addresses) if not ip.is_loopback}
    link_local = {ip for ip in candidates if ip.is_link_local}
    usable = candidates - link_local or {ip for ip in link_local if ip.version == 4}
    return [str(ip) for ip in sorted(usable, key=lambda ip: (str(ip) != first, ip.version, int(ip)))]


def page_urls(hosts: Sequence[str], port: int, *, secure: bool = False) -> list[str]:
    """Return the page's URL for each host, without a default port (RFC 9110 §4.2.1)."""
    scheme, default = ("https", 443) if secure else ("http", 80)
    suffix = "" if port == default else f":{port}"
    return [f"{scheme}://{f'[{host}]' if ':' in host else host}{suffix}/" for host in hosts]
