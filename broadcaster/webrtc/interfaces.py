"""Which addresses of this machine viewers are offered."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence

import ifaddr

LOOPBACK = "127.0.0.1"

_VIRTUAL = re.compile(
    r"docker\d+|br-[0-9a-f]{12}|veth.*|virbr\d+.*|(lxc|lxd|incus)br\d+|podman\d+|cni.*|vboxnet\d+|vmnet\d+"
)
"""What Docker, libvirt, LXC, Podman, Kubernetes, VirtualBox and VMware call their bridges: no viewer is behind them."""


def host_addresses(adapters: Iterable[ifaddr.Adapter], names: Sequence[str]) -> list[str]:
    """The addresses of the interfaces that are called `names`, loopback too if it is named.

    Without names those of all interfaces, of virtual ones only where there are no others. Link-local IPv6 addresses
    mean nothing without a zone (RFC 4007 §11), which candidates cannot carry.
    """
    found = [(adapter.name, address) for adapter in adapters for address in _addresses(adapter)]
    if names:
        return [address for name, address in found if name in names]
    others = [(name, address) for name, address in found if not ipaddress.ip_address(address).is_loopback]
    real = [address for name, address in others if not _VIRTUAL.fullmatch(name)]
    return real or [address for _, address in others]


def own_addresses(adapters: Iterable[ifaddr.Adapter]) -> frozenset[str]:
    """Every address of this machine, offered or not: what listens there is not for viewers to aim at."""
    return frozenset(text for adapter in adapters for text in _texts(adapter))


def _addresses(adapter: ifaddr.Adapter) -> list[str]:
    return [text for text in _texts(adapter) if ":" not in text or not ipaddress.ip_address(text).is_link_local]


def _texts(adapter: ifaddr.Adapter) -> list[str]:
    return [ip.ip if isinstance(ip.ip, str) else ip.ip[0] for ip in adapter.ips]
