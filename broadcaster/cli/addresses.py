"""Under which addresses the page can be opened."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

import ifaddr

_EVERYWHERE = ("", "0.0.0.0", "::")


def reachable_at(host: str, port: int) -> list[str]:
    """Return the page's addresses as URLs, by name and by IP; `host` is `web.host`, `port` the real one."""
    if host not in _EVERYWHERE:
        return page_urls([host], port)
    addresses = for_others(own_addresses(), first=address_towards_others())
    return page_urls([*names(socket.gethostname()), *addresses, "localhost"], port)


def easiest(links: Sequence[str]) -> str:
    """Return the link that a phone can open: by IPv4, because not every phone asks for `.local` names."""
    return next((link for link in links if _is_ipv4(urlsplit(link).hostname)), links[0])


def names(hostname: str) -> list[str]:
    """Return the names of this machine: by multicast DNS (RFC 6762), and as most home routers know it."""
    short = hostname.partition(".")[0]
    return [f"{short}.local", hostname] if short not in ("", "localhost") else []


def own_addresses() -> list[str]:
    """Return the IP addresses of all network interfaces."""
    return [ip.ip if isinstance(ip.ip, str) else ip.ip[0] for adapter in ifaddr.get_adapters() for ip in adapter.ips]


def address_towards_others() -> str | None:
    """Return the IPv4 address that packets to the world leave from, or None without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737); on UDP this looks up the route and sends nothing
        except OSError:
            return None
        return str(probe.getsockname()[0])


def for_others(addresses: Iterable[str], first: str | None) -> list[str]:
    """Keep what means something on other machines, nothing loopback or link-local: `first`, IPv4, IPv6."""
    kept = {ip for ip in map(ipaddress.ip_address, addresses) if not (ip.is_loopback or ip.is_link_local)}
    return [str(ip) for ip in sorted(kept, key=lambda ip: (str(ip) != first, ip.version, int(ip)))]


def page_urls(hosts: Sequence[str], port: int) -> list[str]:
    """Return the page's URL for each host, port 80 left out (RFC 9110 §4.2.1)."""
    suffix = "" if port == 80 else f":{port}"
    return [f"http://{f'[{host}]' if ':' in host else host}{suffix}/" for host in hosts]


def _is_ipv4(host: str | None) -> bool:
    return host is not None and host.replace(".", "").isdigit()
