"""Selection of the local addresses that are offered to viewers."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import ifaddr

LOOPBACK = "127.0.0.1"

MAX_ADDRESSES = 16
"""Addresses in an offer: each adds a candidate line, and browsers pair it with every address of their own."""

KNOWN_FOR = 1.0
"""Seconds for which addresses are taken as known: finding them takes a millisecond, and hundreds may join at once."""

_VIRTUAL = re.compile(
    r"docker\d+|br-[0-9a-f]{12}|veth.*|virbr\d+.*|(lxc|lxd|incus)br\d+|podman\d+|cni.*|vboxnet\d+|vmnet\d+"
)
"""Names of the bridges of Docker, libvirt, LXC, Podman, Kubernetes, VirtualBox and VMware: no viewers are there."""

_IPV6_ADDRESSES = Path("/proc/net/if_inet6")
_TEMPORARY, _DAD_FAILED, _DEPRECATED, _TENTATIVE = 0x01, 0x08, 0x20, 0x40
"""Flags of IPv6 addresses (linux/if_addr.h, IFA_F_…)."""
_SHORT_LIVED = _TEMPORARY | _DAD_FAILED | _DEPRECATED | _TENTATIVE


@dataclass(frozen=True, slots=True)
class HostAddresses:
    """The addresses to offer, the number of networks that this machine is in, and all of its addresses."""

    offered: tuple[str, ...]
    networks: int
    own: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Address:
    """An address of an interface, and its network."""

    text: str
    interface: str
    network: str


def host_addresses(
    adapters: Iterable[ifaddr.Adapter],
    names: Sequence[str],
    preferred: Collection[str] = (),
    short_lived: Collection[str] = (),
) -> HostAddresses:
    """Return the addresses of the interfaces in `names` (loopback only if named), one for each interface and network.

    Without names, all interfaces are used, virtual ones only if there are no others. Link-local IPv6 addresses are left
    out: they need a zone (RFC 4007 §11), which candidates cannot carry. `preferred` addresses are chosen before others,
    `short_lived` ones last. If there are more than `MAX_ADDRESSES`, the most useful are offered.
    """
    chosen: dict[tuple[str, str], _Address] = {}
    for address in _candidates(adapters, names):
        key = address.interface, address.network
        same_network = chosen.get(key, address), address
        chosen[key] = min(same_network, key=lambda one: (one.text not in preferred, one.text in short_lived))
    texts = [address.text for address in chosen.values()]
    position = _positions(chosen.values())
    ranked = sorted(texts, key=lambda text: (text not in preferred, text in short_lived, _rank(text), position[text]))
    offered = frozenset(ranked[:MAX_ADDRESSES])
    return HostAddresses(tuple(text for text in texts if text in offered), len(texts))


def short_lived_addresses() -> frozenset[str]:
    """Return the IPv6 addresses that are temporary (RFC 8981), deprecated, or not usable yet (`/proc/net/if_inet6`)."""
    try:
        lines = _IPV6_ADDRESSES.read_text(encoding="ascii").splitlines()
    except OSError:  # the kernel has no IPv6
        return frozenset()
    fields = [line.split() for line in lines]
    flagged = [address for address, _, _, _, flags, *_ in fields if int(flags, 16) & _SHORT_LIVED]
    return frozenset(str(ipaddress.IPv6Address(int(address, 16))) for address in flagged)


def own_addresses(adapters: Iterable[ifaddr.Adapter]) -> frozenset[str]:
    """Return every address of this machine, offered or not: remote candidates must not point to its services."""
    return frozenset(_text(ip) for adapter in adapters for ip in adapter.ips)


def _candidates(adapters: Iterable[ifaddr.Adapter], names: Sequence[str]) -> list[_Address]:
    found = [address for adapter in adapters for address in _addresses(adapter)]
    if names:
        return [address for address in found if address.interface in names]
    others = [address for address in found if not ipaddress.ip_address(address.text).is_loopback]
    return [address for address in others if not _VIRTUAL.fullmatch(address.interface)] or others


def _addresses(adapter: ifaddr.Adapter) -> list[_Address]:
    return [
        _Address(_text(ip), adapter.name, str(ipaddress.ip_network((_text(ip), ip.network_prefix), strict=False)))
        for ip in adapter.ips
        if ip.is_IPv4 or not ipaddress.ip_address(_text(ip)).is_link_local
    ]


def _positions(addresses: Iterable[_Address]) -> dict[str, int]:
    """Return each address's position on its interface: the addresses of one interface must not displace others."""
    counts: Counter[str] = Counter()
    positions = {}
    for address in addresses:
        positions[address.text] = counts[address.interface]
        counts[address.interface] += 1
    return positions


def _text(ip: ifaddr.IP) -> str:
    return ip.ip if isinstance(ip.ip, str) else ip.ip[0]


def _rank(text: str) -> int:
    """Return the rank of an address: private IPv4, then other IPv4, then IPv6, and link-local IPv4 last."""
    ip = ipaddress.ip_address(text)
    if ip.version == 4:
        return 3 if ip.is_link_local else 0 if ip.is_private else 1
    return 2


class KnownAddresses:
    """The addresses of this machine, found again after `KNOWN_FOR`."""

    def __init__(self) -> None:
        self._found: dict[str, HostAddresses] = {}
        self._ends_at = float("-inf")

    def find(self, names: Sequence[str], reached_at: str, now: float) -> HostAddresses:
        """Return the addresses of these interfaces (see `host_addresses`), with the one that the viewer reached."""
        if now >= self._ends_at:
            self._found.clear()
            self._ends_at = now + KNOWN_FOR
        if reached_at not in self._found:
            adapters = list(ifaddr.get_adapters())
            addresses = host_addresses(adapters, names, (reached_at,), short_lived_addresses())
            self._found[reached_at] = replace(addresses, own=own_addresses(adapters))
        return self._found[reached_at]
