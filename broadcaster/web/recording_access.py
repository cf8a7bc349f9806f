"""Who may watch and change recordings."""

from __future__ import annotations

import secrets
import struct
from typing import TYPE_CHECKING

from aiohttp import hdrs, web

from broadcaster.auth.signing import signed, verified
from broadcaster.ports import Clock
from broadcaster.signaling.messages import Refusal
from broadcaster.signaling.protocol import ErrorCode
from broadcaster.web.api import json_response, read_object
from broadcaster.web.operator_auth import OperatorAuth
from broadcaster.web.proxies import CALLER
from broadcaster.web.viewer_auth import ViewerAuth

if TYPE_CHECKING:
    from broadcaster.model.recording import Recording
    from broadcaster.ports.recording import RecordingLibrary

ACCESS_LIFETIME = 12 * 3600.0
"""Seconds."""

_PURPOSE = b"broadcaster recording access 1\n"
_EXPIRY = struct.Struct("!d")


class RecordingAccess:
    """The recordings for those who may watch or change them: the operator, and with `viewers` viewers may watch.

    A `<video>` element cannot send a token, so its addresses have an access code (`access=`): signed, for watching
    only, and valid for some hours, until the daemon restarts, or until the viewer's link is ended.
    """

    def __init__(
        self, library: RecordingLibrary, operator: OperatorAuth, viewer: ViewerAuth, clock: Clock, *, viewers: bool
    ) -> None:
        self.operator = operator
        self._library = library
        self._viewer = viewer
        self._clock = clock
        self._viewers = viewers
        self._secret = secrets.token_urlsafe()

    def revoke(self) -> None:
        """Make all access codes invalid."""
        self._secret = secrets.token_urlsafe()

    def to_watch(self, request: web.Request) -> RecordingLibrary:
        """Return the library for whoever may watch. Raises HTTP errors."""
        if "access" in request.query:
            self._check_code(request.query["access"])
        elif not (self.operator.is_operator(request) or (self._viewers and self._viewer.is_open)):
            raise self.operator.refusal()
        return self._library

    def to_change(self, request: web.Request) -> RecordingLibrary:
        """Return the library for the operator. Raises HTTP errors."""
        if not self.operator.is_operator(request):
            raise self.operator.refusal()
        return self._library

    def changer(self, request: web.Request) -> str:
        """Return for the log who may change recordings, and from where. Raises HTTP errors."""
        return f"{self.operator.require(request)} at {request[CALLER].address}"

    def may_change(self, request: web.Request) -> bool:
        """Return whether the operator made a request that was allowed by `to_watch`."""
        return "access" not in request.query and self.operator.is_operator(request)

    def find(self, library: RecordingLibrary, name: str, *, renamed: bool = False) -> Recording:
        """Return a recording by its name. Raises `HTTPNotFound`.

        `renamed`: also by the name that it had before it was kept, or not kept any more: a browser may be playing it.
        """
        for recording in library.recordings:
            if recording.name == name or (renamed and _unkept(recording.name) == _unkept(name)):
                return recording
        raise web.HTTPNotFound(text="There is no such recording.\n")

    async def grant(self, request: web.Request) -> web.Response:
        """Answer an operator, or a viewer with a token in the body, with an access code."""
        token = (await read_object(request)).get("token", "")
        if not isinstance(token, str):
            raise web.HTTPBadRequest(text='The body must be {} or {"token": "…"}.\n')
        seconds, link = self._lifetime(request, token)
        content = _EXPIRY.pack(self._clock.monotonic() + seconds) + link.encode()
        code = signed(content, _PURPOSE, self._secret)
        return json_response({"access": code, "until": self._clock.unix() + seconds})

    def _lifetime(self, request: web.Request, token: str) -> tuple[float, str]:
        """Return for how many seconds the caller may watch, and the id of the link, if any. Raises HTTP errors."""
        if self._viewers and (token or self._viewer.is_open):
            try:
                grant = self._viewer.admit(token, request[CALLER].address)
            except Refusal as refusal:
                raise _http_error(refusal) from refusal
            return min(ACCESS_LIFETIME, grant.expires_at - self._clock.monotonic()), grant.link
        if not self.operator.is_operator(request):
            raise self.operator.refusal()
        return ACCESS_LIFETIME, ""

    def _check_code(self, code: str) -> None:
        content = verified(code, _PURPOSE, self._secret)
        is_valid = content is not None and _EXPIRY.unpack_from(content)[0] > self._clock.monotonic()
        if content is None or not is_valid or self._viewer.links.is_ended(content[_EXPIRY.size :].decode()):
            raise web.HTTPUnauthorized(
                text="The access code is wrong or has expired.\n", headers={hdrs.WWW_AUTHENTICATE: "Bearer"}
            )


def _unkept(name: str) -> str:
    return name.replace("_kept.", ".")


def _http_error(refusal: Refusal) -> web.HTTPException:
    if refusal.error.code is ErrorCode.TOO_MANY:
        return web.HTTPTooManyRequests(text="Too many wrong tokens; wait a minute.\n")
    return web.HTTPUnauthorized(text=f"{refusal}\n".capitalize(), headers={hdrs.WWW_AUTHENTICATE: "Bearer"})
