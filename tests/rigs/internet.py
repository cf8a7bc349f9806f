"""A small internet: public hosts on one network, and hosts behind NAT routers (nftables masquerade)."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Sequence

from tests.rigs import namespaces
from tests.rigs.namespaces import Namespace

_ROUTER_INSIDE = "192.168.77.1"


def unavailable() -> str | None:
    """Return what is missing on this machine; None if nothing is."""
    if reason := namespaces.unavailable():
        return reason
    return None if shutil.which("nft") else "not installed: nft (apt install nftables)"


class Internet:
    """Network namespaces connected by a bridge in a namespace of its own; use it with `with`."""

    def __enter__(self) -> Internet:
        self._stack = contextlib.ExitStack()
        self._count = 0
        self._bridge = self._namespace()
        with self._bridge.inside():
            self._bridge.ip("link add bridge0 type bridge")
            self._bridge.ip("link set bridge0 up")
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    def host(self, address: str, *others: str) -> Namespace:
        """Create a host with these public addresses."""
        host = self._namespace()
        self._connect(host, f"{address}/24", self._bridge, "master bridge0")
        with host.inside():
            for other in others:
                host.ip(f"addr add {other}/24 dev {self._last_device}")
        return host

    def behind_router(
        self, address: str, *, forwarded: int = 0, symmetric: bool = False, drops_udp: bool = False
    ) -> Namespace:
        """Create a host behind a router with a public address, which forwards the TCP port `forwarded` to it.

        The router's NAT keeps ports, or is `symmetric`: it chooses another one for each destination.
        """
        router, inside = self.host(address), self._namespace()
        outside = self._last_device
        self._connect(inside, "192.168.77.2/24", router, f"addr {_ROUTER_INSIDE}/24")
        with inside.inside():
            inside.ip(f"route add default via {_ROUTER_INSIDE}")
        with router.inside():
            masquerade = "masquerade fully-random" if symmetric else "masquerade"
            rules = [f'add rule ip nat post oifname "{outside}" {masquerade}']
            if forwarded:
                rules.append(f'add rule ip nat pre iifname "{outside}" tcp dport {forwarded} dnat to 192.168.77.2')
            if drops_udp:
                rules.append("add rule ip nat forward meta l4proto udp drop")
            _nft(rules)
        return inside

    def _namespace(self) -> Namespace:
        return self._stack.enter_context(contextlib.closing(Namespace()))

    def _connect(self, near: Namespace, address: str, far: Namespace, far_setup: str) -> None:
        """Connect two namespaces by a veth pair: `near` gets the address, `far_setup` configures the other end."""
        self._count += 1
        a, b = f"a{self._count}", f"b{self._count}"
        with far.inside():
            far.ip(f"link add {b} type veth peer name {a} netns {near.path}")
            if far_setup.startswith("addr "):
                far.ip(f"{far_setup.replace('addr', 'addr add', 1)} dev {b}")
            else:
                far.ip(f"link set {b} {far_setup}")
            far.ip(f"link set {b} up")
        with near.inside():
            near.ip(f"addr add {address} dev {a}")
            near.ip(f"link set {a} up")
        self._last_device = a


def _nft(rules: Sequence[str]) -> None:
    """Set up NAT and forwarding in the namespace of this thread."""
    lines = [
        "add table ip nat",
        "add chain ip nat post { type nat hook postrouting priority 100; }",
        "add chain ip nat pre { type nat hook prerouting priority -100; }",
        "add chain ip nat forward { type filter hook forward priority 0; }",
        *rules,
    ]
    subprocess.run(["nft", "-f", "-"], input="\n".join(lines), text=True, check=True, timeout=10)
    # /proc/sys/net shows the namespace of the thread that opens it.
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as forward:
        forward.write("1")
