"""STUN and TURN servers: temporary credentials, and the servers as browsers and as aioice configure them."""

from __future__ import annotations

import base64
import hmac
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from broadcaster.auth.links import EARLIEST_CLOCK
from broadcaster.ports import Clock
from broadcaster.settings import IceServer
from broadcaster.settings.ice_uris import parse_uri

log = logging.getLogger(__name__)

CREDENTIAL_LIFETIME = 86_400
"""Seconds: one day, as draft-uberti-behave-turn-rest-00 §2.2 recommends. Some servers check the expiry at every refresh
of an allocation, so it must be longer than a visit; a viewer that stays longer gets a new one with its next offer."""


def turn_credentials(secret: str, user: str, unix: float) -> tuple[str, str]:
    """Return the username and password that a TURN server with this shared secret accepts from `user` for a day."""
    username = f"{int(unix) + CREDENTIAL_LIFETIME}:{user}"
    password = hmac.digest(secret.encode(), username.encode(), "sha1")
    return username, base64.b64encode(password).decode()


class Servers:
    """The servers of the settings, with new credentials for each offer."""

    def __init__(self, servers: tuple[IceServer, ...], secret: str, clock: Clock) -> None:
        self._servers = servers
        self._secret = secret
        self._clock = clock
        self._warned = False

    def for_offer(self, viewer: str) -> tuple[IceServer, ...]:
        """Return the servers, with the credentials that this viewer and its peer connection use."""
        if not any(server.needs_credential for server in self._servers):
            return self._servers
        now = self._clock.unix()
        self._check_clock(now)
        username, credential = turn_credentials(self._secret, viewer, now)
        return tuple(
            replace(server, username=username, credential=credential) if server.needs_credential else server
            for server in self._servers
        )

    def _check_clock(self, now: float) -> None:
        if now < EARLIEST_CLOCK and not self._warned:
            self._warned = True
            log.warning("clock not set: TURN servers will refuse the credentials made from ice.turn_secret")


def rtc_ice_server(server: IceServer) -> dict[str, Any]:
    """Return the server as an `RTCIceServer` of the W3C API, for the browser's `RTCConfiguration.iceServers`."""
    fields = {"urls": list(server.urls), "username": server.username, "credential": server.credential}
    return {name: value for name, value in fields.items() if value}


def ice_server(server: Mapping[str, Any]) -> IceServer:
    """Return the server that an `RTCIceServer` describes."""
    return IceServer(tuple(server["urls"]), server.get("username", ""), server.get("credential", ""))


def aioice_arguments(servers: Iterable[IceServer]) -> dict[str, Any]:
    """Return keyword arguments for aioice's `Connection`: the first STUN and the first TURN server that it supports."""
    arguments: dict[str, Any] = {}
    for server in servers:
        for url in server.urls:
            for name, value in _arguments(server, url).items():
                arguments.setdefault(name, value)
    return arguments


def _arguments(server: IceServer, url: str) -> dict[str, Any]:
    """Return the arguments for one URL; none if aioice lacks its transport."""
    uri = parse_uri(url)
    if not uri.supported:
        return {}
    if not uri.relays:
        return {"stun_server": (uri.host, uri.port)}
    return {
        "turn_server": (uri.host, uri.port),
        "turn_username": server.username,
        "turn_password": server.credential,
        "turn_ssl": uri.secure,
        "turn_transport": uri.transport,
    }
