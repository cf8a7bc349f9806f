"""A small internet: hosts on one wire, and homes behind routers that translate addresses (nftables masquerade)."""

from __future__ import annotations

import contextlib
import shutil
import subprocess

from tests.rigs import namespaces
from tests.rigs.namespaces import Namespace

_INSIDE = "192.168.77.1"


def why_not() -> str | None:
    """What this machine lacks; None if nothing."""
    if reason := namespaces.why_not():
        return reason
    return None if shutil.which("nft") else "not installed: nft (apt install nftables)"


class Internet:
    """The wire is a bridge in a namespace of its own; use it with `with`."""

    def __enter__(self) -> Internet:
        self._stack = contextlib.ExitStack()
        self._count = 0
        self._wire = self._namespace()
        with self._wire.inside():
            self._wire.ip("link add wire type bridge")
            self._wire.ip("link set wire up")
        return self

    def __exit__(self, *details: object) -> None:
        self._stack.close()

    def host(self, address: str) -> Namespace:
        """A machine with that public address."""
        host = self._namespace()
        self._plug(host, f"{address}/24", self._wire, "master wire")
        return host

    def home(self, address: str, *, forwarded: int = 0) -> Namespace:
        """A machine behind a router with that public address; the TCP port `forwarded` leads to it."""
        router, inside = self.host(address), self._namespace()
        outside = self._last
        self._plug(inside, "192.168.77.2/24", router, f"addr {_INSIDE}/24")
        with inside.inside():
            inside.ip(f"route add default via {_INSIDE}")
        with router.inside():
            _nft(f'add rule ip nat post oifname "{outside}" masquerade', forwarded, outside)
        return inside

    def _namespace(self) -> Namespace:
        return self._stack.enter_context(contextlib.closing(Namespace()))

    def _plug(self, near: Namespace, address: str, far: Namespace, how: str) -> None:
        """A cable: `near` gets the address, the other end is what `how` says."""
        self._count += 1
        a, b = f"a{self._count}", f"b{self._count}"
        with far.inside():
            far.ip(f"link add {b} type veth peer name {a} netns {near.path}")
            if how.startswith("addr "):
                far.ip(f"{how.replace('addr', 'addr add', 1)} dev {b}")
            else:
                far.ip(f"link set {b} {how}")
            far.ip(f"link set {b} up")
        with near.inside():
            near.ip(f"addr add {address} dev {a}")
            near.ip(f"link set {a} up")
        self._last = a


def _nft(masquerade: str, forwarded: int, outside: str) -> None:
    """Rules of the router in whose namespace this thread is."""
    rules = [
        "add table ip nat",
        "add chain ip nat post { type nat hook postrouting priority 100; }",
        "add chain ip nat pre { type nat hook prerouting priority -100; }",
        masquerade,
    ]
    if forwarded:
        rules.append(f'add rule ip nat pre iifname "{outside}" tcp dport {forwarded} dnat to 192.168.77.2')
    subprocess.run(["nft", "-f", "-"], input="\n".join(rules), text=True, check=True, timeout=10)
    # This namespace's own: /proc/sys/net is that of the thread that opens it.
    with open("/proc/sys/net/ipv4/ip_forward", "w", encoding="ascii") as forward:
        forward.write("1")
