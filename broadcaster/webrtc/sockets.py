"""The UDP sockets for media."""

from __future__ import annotations

import errno
import random
import socket

SEND_BUFFER = 512 * 1024
"""Bytes: space for a whole keyframe, which must not be lost between this process and the network card."""

RECEIVE_BUFFER = 64 * 1024
"""Bytes: viewers send only RTCP and STUN, a few packets of some hundred bytes in 0.1 s."""


def open_socket(address: str, ports: range) -> socket.socket:
    """Return a non-blocking UDP socket bound to `address`, on one of `ports`, or on any port if `ports` is empty.

    Raises `OSError`.
    """
    opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        # The kernel limits this to net.core.wmem_max.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        _bind(opened, address, ports)
    except OSError:
        opened.close()
        raise
    return opened


def _bind(opened: socket.socket, address: str, ports: range) -> None:
    """Bind to a free port. Start at a random one: a port just closed may still receive its former viewer's packets."""
    if not ports:
        return opened.bind((address, 0))
    start = random.randrange(len(ports))
    for port in (*ports[start:], *ports[:start]):
        try:
            return opened.bind((address, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
    raise OSError(errno.EADDRINUSE, f"every port of ice.ports ({ports[0]}-{ports[-1]}) is in use")
