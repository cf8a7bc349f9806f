"""Addresses and networks as a setting."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from broadcaster.settings.kinds import NotAllowed, Problem, Text
from broadcaster.settings.toml import spell

_ALLOWED = "an IP address or network such as 192.168.1.0/24"


class Network(Text):
    """An IP address, or a network of them."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(_ALLOWED, "[0-9A-Fa-f.:/]{1,49}")

    def read(self, value: object) -> str:
        """See `Kind`."""
        text = super().read(value)
        try:
            return str(ip_network(text) if "/" in text else ip_address(text))
        except ValueError as error:
            raise NotAllowed(Problem("", spell(text), f"must be {self.allowed}{_hint(text, error)}")) from None


def _hint(text: str, error: ValueError) -> str:
    """Say which network was meant, where an address has a length behind it (192.168.1.7/24)."""
    if "host bits" not in str(error):
        return ""
    return f"; did you mean {ip_network(text, strict=False)}?"
