"""The UDP sockets that viewers talk to."""

from __future__ import annotations

import errno
import random
import socket

SEND_BUFFER = 512 * 1024
"""Bytes: room for a whole keyframe, which must not be lost between us and the network card."""

RECEIVE_BUFFER = 64 * 1024
"""Bytes: viewers send reports and checks only, a few packets of some hundred bytes in a tenth of a second."""


def open_socket(address: str, ports: range) -> socket.socket:
    """A non-blocking UDP socket at `address`, on one of `ports`, or any port if those are none. Raises `OSError`."""
    opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        # The kernel gives as much of it as net.core.wmem_max allows.
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        _bind(opened, address, ports)
    except OSError:
        opened.close()
        raise
    return opened


def _bind(opened: socket.socket, address: str, ports: range) -> None:
    """Take a free port, looking from anywhere on: one that was left just now may still get its old viewer's packets."""
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
