"""Which addresses of this machine viewers are offered."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import ifaddr

LOOPBACK = "127.0.0.1"

MOST = 16
"""Addresses that a viewer is offered: an offer has a line for each, and browsers check each against all their own."""

_VIRTUAL = re.compile(
    r"docker\d+|br-[0-9a-f]{12}|veth.*|virbr\d+.*|(lxc|lxd|incus)br\d+|podman\d+|cni.*|vboxnet\d+|vmnet\d+"
)
"""What Docker, libvirt, LXC, Podman, Kubernetes, VirtualBox and VMware call their bridges: no viewer is behind them."""

_IPV6_ADDRESSES = Path("/proc/net/if_inet6")
_TEMPORARY, _DAD_FAILED, _DEPRECATED, _TENTATIVE = 0x01, 0x08, 0x20, 0x40
"""Flags of IPv6 addresses (linux/if_addr.h, IFA_F_…)."""
_SHORT_LIVED = _TEMPORARY | _DAD_FAILED | _DEPRECATED | _TENTATIVE


@dataclass(frozen=True, slots=True)
class HostAddresses:
    """The addresses to offer, and in how many networks this machine could be reached."""

    offered: tuple[str, ...]
    networks: int


@dataclass(frozen=True, slots=True)
class _Address:
    """An address of an interface, and the network that it is in."""

    text: str
    interface: str
    network: str


def host_addresses(
    adapters: Iterable[ifaddr.Adapter],
    names: Sequence[str],
    first: Collection[str] = (),
    short_lived: Collection[str] = (),
) -> HostAddresses:
    """The addresses of the interfaces that are called `names`, loopback too if it is named; one for each network.

    Without names those of all interfaces, of virtual ones only where there are no others. Link-local IPv6 addresses
    mean nothing without a zone (RFC 4007 §11), which candidates cannot carry. Addresses in `first` come before others,
    and others before `short_lived` ones. Of more than `MOST` the most useful are offered.
    """
    chosen: dict[tuple[str, str], _Address] = {}
    for address in _candidates(adapters, names):
        key = address.interface, address.network
        both = chosen.get(key, address), address
        chosen[key] = min(both, key=lambda one: (one.text not in first, one.text in short_lived))
    texts = [address.text for address in chosen.values()]
    turns = _turns(chosen.values())
    ranked = sorted(texts, key=lambda text: (text not in first, text in short_lived, _rank(text), turns[text]))
    kept = frozenset(ranked[:MOST])
    return HostAddresses(tuple(text for text in texts if text in kept), len(texts))


def short_lived_addresses() -> frozenset[str]:
    """IPv6 addresses that are temporary (RFC 8981), deprecated, or not usable yet; by proc(5), `/proc/net/if_inet6`."""
    try:
        lines = _IPV6_ADDRESSES.read_text(encoding="ascii").splitlines()
    except OSError:  # a kernel without IPv6
        return frozenset()
    fields = [line.split() for line in lines]
    flagged = [address for address, _, _, _, flags, *_ in fields if int(flags, 16) & _SHORT_LIVED]
    return frozenset(str(ipaddress.IPv6Address(int(address, 16))) for address in flagged)


def own_addresses(adapters: Iterable[ifaddr.Adapter]) -> frozenset[str]:
    """Every address of this machine, offered or not: what listens there is not for viewers to aim at."""
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


def _turns(addresses: Iterable[_Address]) -> dict[str, int]:
    """The place of each address among those of its interface: no interface may crowd out the others."""
    counts: Counter[str] = Counter()
    turns = {}
    for address in addresses:
        turns[address.text] = counts[address.interface]
        counts[address.interface] += 1
    return turns


def _text(ip: ifaddr.IP) -> str:
    return ip.ip if isinstance(ip.ip, str) else ip.ip[0]


def _rank(text: str) -> int:
    """Private IPv4 before other IPv4, then IPv6, and link-local IPv4 last."""
    ip = ipaddress.ip_address(text)
    if ip.version == 4:
        return 3 if ip.is_link_local else 0 if ip.is_private else 1
    return 2
