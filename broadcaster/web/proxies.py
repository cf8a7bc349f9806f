"""Where a request really comes from: what proxies of ours say about it, and nothing that others say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from aiohttp import web

from broadcaster.web import access

_LONGEST_CHAIN = 32
"""Addresses that are looked at in one request; every proxy on the way adds one."""

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the address, whether that is a trusted proxy (which did not say who), and whether by TLS."""

    address: str
    by_proxy: bool
    secure: bool


CALLER = web.RequestKey("caller", Caller)
"""Where a request carries its caller, once that was found out."""


class Proxies:
    """The networks of `web.trusted_proxies`."""

    def __init__(self, trusted: Iterable[str]) -> None:
        self._trusted: tuple[Network, ...] = tuple(ip_network(network) for network in trusted)

    def caller(
        self, peer: str, forwarded_for: Sequence[str], forwarded_proto: Sequence[str], *, secure: bool
    ) -> Caller:
        """Return who asks, by the connection's `peer` address and the values of `X-Forwarded-For` and `-Proto`.

        Each proxy appends who asked it, so from the right the first that is not one of ours is the viewer: what
        stands before that is the viewer's own claim. `secure` is whether the connection itself is by TLS.
        """
        address = access.plain_address(peer)
        if not self.is_trusted(address):
            return Caller(address, by_proxy=False, secure=secure)
        viewer, schemes = self._viewer(address, _split(forwarded_for)), _split(forwarded_proto)
        return Caller(viewer, self.is_trusted(viewer), schemes[-1] == "https" if schemes else secure)

    def is_own(self, address: str) -> bool:
        """Whether this is this machine or a trusted proxy: many people may connect from there."""
        return access.is_loopback(address) or self.is_trusted(address)

    def is_trusted(self, address: str) -> bool:
        """Whether this is the address of a proxy of ours."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._trusted)

    def _viewer(self, peer: str, chain: list[str]) -> str:
        """Return the rightmost address that is no proxy of ours; of none, or where one is no address, the last good."""
        address = peer
        for entry in reversed(chain[-_LONGEST_CHAIN:]):
            named = _address(entry)
            if named is None:
                return address
            address = named
            if not self.is_trusted(address):
                return address
        return address


def _split(values: Sequence[str]) -> list[str]:
    """Return the parts of a header that may come several times (RFC 9110 §5.3)."""
    return [part.strip().lower() for value in values for part in value.split(",") if part.strip()]


def _address(text: str) -> str | None:
    """Read one address as proxies write it: plain, or with a port."""
    host, _, port = text.rpartition(":")
    candidates = [text, host.strip("[]") if port.isdigit() else "", text.strip("[]")]
    for candidate in map(access.plain_address, candidates):
        try:
            return str(ip_address(candidate))
        except ValueError:
            continue
    return None
