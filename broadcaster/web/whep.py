"""WHEP, by which standard players watch: `POST /whep`, and PATCH and DELETE of the session that it creates."""

from __future__ import annotations

import functools
from typing import NoReturn

from aiohttp import hdrs, web

from broadcaster.auth.links import Grant
from broadcaster.auth.rate_limits import Rate, SlidingWindow
from broadcaster.errors import BadOffer, BroadcasterError, NoCommonCodec
from broadcaster.model.offers import Answer
from broadcaster.model.stream import StreamState
from broadcaster.ports import Clock, PeerFactory, StreamControl
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.signaling.messages import Refusal
from broadcaster.signaling.player_offer import PlayerOffer, filter_offer
from broadcaster.signaling.player_session import IceRestartRequested
from broadcaster.signaling.protocol import ErrorCode
from broadcaster.web import whep_headers
from broadcaster.web.connection import local_address
from broadcaster.web.player import Player, PlayerRequest
from broadcaster.web.players import Players
from broadcaster.web.proxies import CALLER, Caller
from broadcaster.web.request_guard import Handler
from broadcaster.web.viewer_auth import ViewerAuth
from broadcaster.web.viewers import Viewers
from broadcaster.web.whep_requests import WhepError, preference_of, read_text, require_type, token_of

_RETRY_OFFLINE, _RETRY_FULL, _RETRY_TOO_MANY = 5, 15, 60
"""Seconds in `Retry-After`: the page waits as long when it is told `full`; wrong tokens are refused for a minute."""

_STATUSES = {ErrorCode.FULL: (503, _RETRY_FULL), ErrorCode.TOO_MANY: (429, _RETRY_TOO_MANY)}
"""HTTP status and `Retry-After` of refusals; the others are about tokens: 401."""

_REFUSALS_LOGGED = Rate(6, 60.0)
"""Players try again every few seconds, for ever."""


class Whep:
    """Handlers for players; `RequestGuard` has checked Host and Origin."""

    def __init__(
        self,
        viewers: Viewers,
        players: Players,
        auth: ViewerAuth,
        peers: PeerFactory,
        stream: StreamControl,
        clock: Clock,
        log: RateLimitedLogger,
    ) -> None:
        self._viewers = viewers
        self._players = players
        self._auth = auth
        self._peers = peers
        self._stream = stream
        self._clock = clock
        self._log = log
        self._refusals = SlidingWindow(_REFUSALS_LOGGED)

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Add the endpoint and its sessions."""
        router.add_get("/whep", self.probe)
        router.add_post("/whep", _answering_errors(self.open))
        router.add_options("/whep", self.options)
        router.add_patch("/whep/{session}", _answering_errors(self.trickle))
        router.add_delete("/whep/{session}", _answering_errors(self.delete))
        router.add_options("/whep/{session}", self.session_options)

    async def probe(self, request: web.Request) -> web.StreamResponse:
        """Answer GET and HEAD, by which players ask whether there is a WHEP endpoint."""
        return _response(request, 200)

    async def options(self, request: web.Request) -> web.StreamResponse:
        """Answer OPTIONS; TURN servers, with their credentials, only to those who may watch."""
        response = web.Response(status=204, headers=whep_headers.preflight(request.headers.get(hdrs.ORIGIN)))
        response.headers["Accept-Post"] = whep_headers.OFFER_TYPE
        response.headers[hdrs.ALLOW] = whep_headers.ALLOWED
        servers = self._peers.ice_servers("player")
        for link in whep_headers.links(servers, with_credentials=self._may_watch(request)):
            response.headers.add(hdrs.LINK, link)
        return response

    async def session_options(self, request: web.Request) -> web.StreamResponse:
        """Answer OPTIONS of a session."""
        response = web.Response(status=204, headers=whep_headers.preflight(request.headers.get(hdrs.ORIGIN)))
        response.headers["Accept-Patch"] = whep_headers.FRAGMENT_TYPE
        response.headers[hdrs.ALLOW] = whep_headers.ALLOWED_FOR_SESSION
        return response

    async def open(self, request: web.Request) -> web.StreamResponse:
        """Answer an offer, and open a session. Raises `WhepError`."""
        require_type(request, whep_headers.OFFER_TYPE)
        grant, preference = self._grant(request), preference_of(request)
        self._require_live()
        self._check_admission(request[CALLER])
        offer = self._filter(await read_text(request))
        await self._peers.turn(answer=False)
        self._require_live()
        agent, address = request.headers.get(hdrs.USER_AGENT, ""), local_address(request.transport)
        player = self._admit(PlayerRequest(offer, request[CALLER], grant, preference, address, agent))
        return _created(request, player, await self._answer(player))

    async def trickle(self, request: web.Request) -> web.StreamResponse:
        """Add the candidates in an SDP fragment (RFC 8840). Raises `WhepError`."""
        player = self._players.find(request.match_info["session"])
        if player is None:
            raise WhepError(404, "there is no such session")
        if not player.take_patch():
            raise WhepError(429, "too many requests", _RETRY_OFFLINE)
        require_type(request, whep_headers.FRAGMENT_TYPE)
        if not whep_headers.matches(request.headers.get(hdrs.IF_MATCH), player.etag):
            raise WhepError(412, "If-Match does not match")
        text = await read_text(request)
        try:
            await player.trickle(text)
        except BadOffer as error:
            raise WhepError(422 if isinstance(error, IceRestartRequested) else 400, str(error)) from error
        return _response(request, 204)

    async def delete(self, request: web.Request) -> web.StreamResponse:
        """End a session, or confirm that it has ended. Raises `WhepError`."""
        secret = request.match_info["session"]
        player = self._players.find(secret)
        if player is not None:
            player.end("the player has left")
        elif not self._players.has_just_ended(secret):
            raise WhepError(404, "there is no such session")
        return _response(request, 200)

    def _grant(self, request: web.Request) -> Grant:
        """Return the grant of the token in the request. Raises `WhepError`."""
        try:
            return self._auth.admit(token_of(request), request[CALLER].address)
        except Refusal as refusal:
            self._refuse(request[CALLER].address, refusal)

    def _may_watch(self, request: web.Request) -> bool:
        try:
            self._auth.admit(token_of(request), request[CALLER].address)
        except Refusal:
            return False
        return True

    def _require_live(self) -> None:
        if self._stream.status.state is not StreamState.LIVE:
            raise WhepError(409, "the stream is not live", _RETRY_OFFLINE)

    def _filter(self, text: str) -> PlayerOffer:
        try:
            return filter_offer(text, with_audio=self._peers.with_audio)
        except NoCommonCodec as error:
            raise WhepError(406, str(error)) from error
        except BadOffer as error:
            raise WhepError(400, str(error)) from error

    def _check_admission(self, caller: Caller) -> None:
        """Check whether there is a place, before anything else is done for a new player. Raises `WhepError`.

        Offers that are refused then count like others: to read one takes longer than any other message.
        """
        try:
            self._viewers.check_rate(caller)
            self._viewers.check_place()
        except Refusal as refusal:
            self._refuse(caller.address, refusal)
        self._viewers.count_new(caller)

    def _admit(self, request: PlayerRequest) -> Player:
        try:
            return self._players.admit(request)
        except Refusal as refusal:
            self._refuse(request.caller.address, refusal)

    async def _answer(self, player: Player) -> Answer:
        try:
            return await player.answer()
        except (BroadcasterError, TimeoutError) as error:
            self._require_live()  # the stream may have ended meanwhile
            if isinstance(error, BadOffer):
                raise WhepError(400, str(error)) from error
            reason = str(error) or "the peer connection could not be opened in time"
            raise WhepError(503, reason, _RETRY_FULL) from error

    def _refuse(self, address: str, refusal: Refusal) -> NoReturn:
        """Raise `WhepError`."""
        now = self._clock.monotonic()
        if not self._refusals.is_exhausted(now):
            self._refusals.spend(now)
            self._log.info("refused", f"refused player at {address}: {refusal}")
        status, retry_after = _STATUSES.get(refusal.error.code, (401, None))
        raise WhepError(status, str(refusal), retry_after)


def _answering_errors(handler: Handler) -> Handler:
    """Return a handler that answers `WhepError` with JSON: some players take a body of any other type for SDP."""

    @functools.wraps(handler)
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except WhepError as error:
            headers = whep_headers.cors(request.headers.get(hdrs.ORIGIN))
            if error.retry_after is not None:
                headers[hdrs.RETRY_AFTER] = str(error.retry_after)
            if error.status == 401:
                headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
            return web.json_response({"error": str(error)}, status=error.status, headers=headers)

    return handle


def _response(request: web.Request, status: int) -> web.Response:
    return web.Response(status=status, headers=whep_headers.cors(request.headers.get(hdrs.ORIGIN)))


def _created(request: web.Request, player: Player, answer: Answer) -> web.Response:
    """Return the answer; the URL is relative, so that it is right below any path of a proxy."""
    headers = whep_headers.cors(request.headers.get(hdrs.ORIGIN)) | {
        hdrs.LOCATION: f"whep/{player.secret}",
        hdrs.ETAG: player.etag,
        "Accept-Patch": whep_headers.FRAGMENT_TYPE,
    }
    response = web.Response(status=201, text=answer.sdp, content_type=whep_headers.OFFER_TYPE, headers=headers)
    for link in whep_headers.links(answer.ice_servers):
        response.headers.add(hdrs.LINK, link)
    return response
