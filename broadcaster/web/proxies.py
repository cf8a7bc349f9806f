"""The origin of a request behind trusted reverse proxies, by their X-Forwarded headers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from aiohttp import web

from broadcaster.web import access

_MAX_CHAIN = 32
"""Addresses in one request that are considered; every proxy on the route adds one."""

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Caller:
    """The client of a request: its address, whether that is a trusted proxy's own, and whether it uses TLS."""

    address: str
    by_proxy: bool
    secure: bool


CALLER = web.RequestKey("caller", Caller)
"""The key under which a request stores its caller."""


def is_own(caller: Caller) -> bool:
    """Whether a request comes from this machine or a trusted proxy itself, which have no limit per address."""
    return access.is_loopback(caller.address) or caller.by_proxy


class Proxies:
    """The networks of `web.trusted_proxies`."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._trusted: tuple[Network, ...] = tuple(ip_network(network) for network in trusted)

    def caller(
        self, peer: str, forwarded_for: Sequence[str], forwarded_proto: Sequence[str], *, secure: bool
    ) -> Caller:
        """Return the caller, by the connection's `peer` address and the values of `X-Forwarded-For` and `-Proto`.

        Each proxy appends the address of its client, so the rightmost address that is not a trusted proxy is the
        viewer's; everything to the left of it may be forged. `secure` is whether the connection itself uses TLS.
        """
        address = access.plain_address(peer)
        if not self.is_trusted(address):
            return Caller(address, by_proxy=False, secure=secure)
        viewer, schemes = self._viewer(address, _split(forwarded_for)), _split(forwarded_proto)
        return Caller(viewer, self.is_trusted(viewer), schemes[-1] == "https" if schemes else secure)

    def is_own(self, address: str) -> bool:
        """Whether this is the address of this machine or a trusted proxy, from which many viewers may connect."""
        return access.is_loopback(address) or self.is_trusted(address)

    def is_trusted(self, address: str) -> bool:
        """Whether this is the address of a trusted proxy."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)

    def _viewer(self, peer: str, chain: list[str]) -> str:
        """Return the rightmost address that is not a trusted proxy, or the leftmost one before an invalid entry."""
        address = peer
        for entry in reversed(chain[-_MAX_CHAIN:]):
            parsed = _address(entry)
            if parsed is None:
                return address
            address = parsed
            if not self.is_trusted(address):
                return address
        return address


def _split(values: Sequence[str]) -> list[str]:
    """Return the elements of a list header, which may occur several times (RFC 9110 §5.3)."""
    return [part.strip().lower() for value in values for part in value.split(",") if part.strip()]


def _address(text: str) -> str | None:
    """Return an address without the port that some proxies append; None if it is invalid."""
    host, _, port = text.rpartition(":")
    candidates = [text, host.strip("[]") if port.isdigit() else "", text.strip("[]")]
    for candidate in map(access.plain_address, candidates):
        try:
            return str(ip_address(candidate))
        except ValueError:
            continue
    return None
