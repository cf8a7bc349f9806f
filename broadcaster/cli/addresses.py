"""Under which addresses the page can be opened."""

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
"""There while Avahi runs, which answers for names in `.local` (avahi-daemon(8))."""


def page_addresses(web: WebSettings, port: int) -> list[str]:
    """Return the page's addresses as URLs, the one for viewers first; `port` is the real one.

    A certificate is for names: those of `web.hosts` and its own come first. A proxy in front has one for `web.hosts`.
    """
    secure = web.certificate != ""
    named = [*web.hosts, *(_certificate_names(web.certificate) if secure else [])]
    urls = page_urls(list(dict.fromkeys(named)), 443 if web.trusted_proxies else port, secure=True)
    return [*(urls if secure or web.trusted_proxies else []), *reachable_at(web.host, port, secure=secure)]


def reachable_at(host: str, port: int, *, secure: bool = False) -> list[str]:
    """Return the addresses as URLs, by IP and by name; `host` is `web.host`, `port` the real one.

    The first is one by IPv4, where there is one: not every phone can look up this machine's names.
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
    """Return the names of this machine: by multicast DNS (RFC 6762) if it answers that, and as home routers know it."""
    short = hostname.partition(".")[0]
    if short in ("", "localhost"):
        return []
    if not hostname.isascii():
        return [ascii_name(hostname)]  # browsers ask for this one, and multicast DNS would have it in UTF-8
    return [*([f"{short}.local"] if multicast else []), hostname]


def _certificate_names(file: str) -> list[str]:
    """The names that viewers can use; a wildcard is none."""
    # Here and not above: only with a certificate does it load a library for that.
    from broadcaster.web.certificate import certificate_names  # noqa: PLC0415

    return [name for name in certificate_names(Path(expand(file))) if name[0] != "*" and name != "localhost"]


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
