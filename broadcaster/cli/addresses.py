"""Under which addresses the page can be opened."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

import ifaddr

from broadcaster.settings import WebSettings
from broadcaster.settings.host_names import ascii_name
from broadcaster.web.listen import EVERYWHERE, versions
from broadcaster.webrtc import interfaces


def page_addresses(web: WebSettings, port: int) -> list[str]:
    """Return the page's addresses as URLs, the one for viewers first; `port` is the real one.

    The names of `web.hosts` are what a certificate is for; where there is a proxy in front, it has that.
    """
    secure = web.certificate != ""
    named = page_urls(web.hosts, 443 if web.trusted_proxies else port, secure=True)
    return [*(named if secure or web.trusted_proxies else []), *reachable_at(web.host, port, secure=secure)]


def reachable_at(host: str, port: int, *, secure: bool = False) -> list[str]:
    """Return the addresses as URLs, by name and by IP; `host` is `web.host`, `port` the real one."""
    if host not in EVERYWHERE:
        return page_urls([host], port, secure=secure)
    listening = versions(host)
    own = [address for address in own_addresses() if ipaddress.ip_address(address).version in listening]
    addresses = for_others(own, first=address_towards_others())
    return page_urls([*names(socket.gethostname()), *addresses, "localhost"], port, secure=secure)


def easiest(links: Sequence[str]) -> str:
    """Return the link that a phone can open: by IPv4, because not every phone asks for `.local` names.

    A certificate is for names: with one it is the first.
    """
    if links[0].startswith("https:"):
        return links[0]
    return next((link for link in links if _is_ipv4(urlsplit(link).hostname)), links[0])


def names(hostname: str) -> list[str]:
    """Return the names of this machine: by multicast DNS (RFC 6762), and as most home routers know it."""
    short = hostname.partition(".")[0]
    if short in ("", "localhost"):
        return []
    if not hostname.isascii():
        return [ascii_name(hostname)]  # browsers ask for this one, and multicast DNS would have it in UTF-8
    return [f"{short}.local", hostname]


def own_addresses() -> list[str]:
    """Return the IP addresses of all network interfaces."""
    return list(interfaces.own_addresses(ifaddr.get_adapters()))


def address_towards_others() -> str | None:
    """Return the IPv4 address that packets to the world leave from, or None without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737); on UDP this looks up the route and sends nothing
        except OSError:
            return None
        return str(probe.getsockname()[0])


def for_others(addresses: Iterable[str], first: str | None) -> list[str]:
    """Keep what means something on other machines: `first`, IPv4, IPv6.

    Link-local addresses of IPv4 (RFC 3927) do on the same link, and are kept where there are no others; those of IPv6
    need a zone, for which URLs have no form (RFC 9844).
    """
    found = {ip for ip in map(ipaddress.ip_address, addresses) if not ip.is_loopback}
    link_local = {ip for ip in found if ip.is_link_local}
    kept = found - link_local or {ip for ip in link_local if ip.version == 4}
    return [str(ip) for ip in sorted(kept, key=lambda ip: (str(ip) != first, ip.version, int(ip)))]


def page_urls(hosts: Sequence[str], port: int, *, secure: bool = False) -> list[str]:
    """Return the page's URL for each host, port 80 or 443 left out (RFC 9110 §4.2.1)."""
    scheme, default = ("https", 443) if secure else ("http", 80)
    suffix = "" if port == default else f":{port}"
    return [f"{scheme}://{f'[{host}]' if ':' in host else host}{suffix}/" for host in hosts]


def _is_ipv4(host: str | None) -> bool:
    return host is not None and host.replace(".", "").isdigit()
