"""One push target: carries out the actions of its machine over HTTP and on its peer connection."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from broadcaster.errors import BadAnswer, BroadcasterError, PushError
from broadcaster.model.push import PushState, PushStats
from broadcaster.model.stream import Quality, QualityPreference, StreamState
from broadcaster.ports import Clock, PeerFactory, PushPeer
from broadcaster.rate_limited_log import RateLimitedLogger
from broadcaster.settings import PushTarget
from broadcaster.signaling.actions import AddCandidate, ApplyAnswer, ClosePeer, Log
from broadcaster.storage.push_sessions import PushSessions
from broadcaster.storage.secrets import read_token
from broadcaster.web.access import is_loopback_host
from broadcaster.web.push.actions import (
    Abort,
    Action,
    CheckConsent,
    DeleteSession,
    ForgetSession,
    IceServers,
    Post,
    Prepare,
    StoreSession,
)
from broadcaster.web.push.client import WhipClient
from broadcaster.web.push.machine import PushMachine

PEER_TIMEOUT = 5.0
"""Limit in seconds for one operation on the peer connection; gathering candidates takes at most one."""

Attempt = Prepare | Post | ApplyAnswer | AddCandidate
"""Jobs that end with their attempt."""
Job = Attempt | ClosePeer | DeleteSession


@dataclass(frozen=True, slots=True)
class PushContext:
    """What all push targets share."""

    peers: PeerFactory
    clock: Clock
    sessions: PushSessions
    log: RateLimitedLogger


class PushRunner:
    """Owns one target's machine, its timer, its peer connection, and the task that operates these."""

    def __init__(self, target: PushTarget, context: PushContext) -> None:
        self.target = target
        self._context = context
        loopback = is_loopback_host(urlsplit(target.url).hostname or "")
        self._machine = PushMachine(context.sessions.get(target.name), loopback=loopback)
        self._client = WhipClient(target.url)
        self._deleted = ""
        self._peers: dict[int, PushPeer] = {}
        self._jobs: asyncio.Queue[Job] = asyncio.Queue()
        self._attempt: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._task = asyncio.create_task(self._run(), name=f"push target {target.name}")

    def stream_changed(self, stream: StreamState) -> None:
        """Process a change of the stream."""
        self._input(lambda now: self._machine.stream_changed(stream, now))

    async def close(self, limit: float) -> None:
        """Disconnect, and delete the session if the server answers within `limit` seconds."""
        self._input(lambda now: self._machine.end())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit):
                await self._jobs.join()
        if self._timer is not None:
            self._timer.cancel()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def stats(self) -> PushStats:
        """Return statistics for the operator."""
        machine, now = self._machine, self._context.clock.monotonic()
        waits, connected = machine.state is PushState.WAITING, machine.state is PushState.CONNECTED
        peer = self._peers.get(machine.attempts)
        return PushStats(
            name=self.target.name,
            server=self.target.server,
            state=machine.state,
            http_status=machine.http_status,
            reason=machine.reason,
            attempts=machine.attempts,
            connections=machine.connections,
            retry_in=round(max(0.0, machine.retry_at - now), 1) if waits else None,
            connected_for=round(now - machine.connected_at, 1) if connected else None,
            peer=None if peer is None else peer.stats(),
        )

    def _input(self, step: Callable[[float], list[Action]]) -> None:
        """Pass one event to the machine, and carry out its actions."""
        self._apply(step(self._context.clock.monotonic()))
        self._set_timer()

    def _apply(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Abort():
                    self._abort()
                case CheckConsent(id) if id in self._peers:
                    self._peers[id].check_consent()
                case StoreSession(url):
                    self._deleted = ""  # a server that was restarted may use the same URL again
                    self._context.sessions.store(self.target.name, url)
                case ForgetSession(url):
                    self._context.sessions.forget(self.target.name, url)
                case Log(kind, text):
                    self._log(kind, text)
                case Prepare() | Post() | ApplyAnswer() | AddCandidate() | ClosePeer() | DeleteSession():
                    self._jobs.put_nowait(action)

    def _abort(self) -> None:
        """Drop the jobs of the attempt, and cancel the one that is being done."""
        jobs = [self._jobs.get_nowait() for _ in range(self._jobs.qsize())]
        for job in jobs:
            if not isinstance(job, Attempt):
                self._jobs.put_nowait(job)
            self._jobs.task_done()
        if self._attempt is not None and self._attempt is not asyncio.current_task():
            self._attempt.cancel()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._machine.next_deadline(self._last_activity())
        if deadline < math.inf:
            delay = max(0.0, deadline - self._context.clock.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._step)

    def _step(self) -> None:
        self._input(lambda now: self._machine.step(now, self._last_activity()))

    def _last_activity(self) -> float | None:
        peer = self._peers.get(self._machine.attempts)
        return None if peer is None else peer.last_activity()

    async def _run(self) -> None:
        """Do one job after the other, and close everything in the end."""
        async with self._client:
            try:
                while True:
                    job = await self._jobs.get()
                    try:
                        await self._do(job)
                    finally:
                        self._jobs.task_done()
            finally:
                for peer in list(self._peers.values()):
                    with self._bugs_logged():
                        await peer.close()

    async def _do(self, job: Job) -> None:
        match job:
            case ClosePeer(id) if id in self._peers:
                with self._bugs_logged():
                    await self._peers[id].close()
                del self._peers[id]
            case DeleteSession(url):
                with self._bugs_logged():
                    await self._delete(url)
            case Prepare() | Post() | ApplyAnswer() | AddCandidate():
                self._attempt = asyncio.create_task(self._try(job), name="push attempt")
                try:
                    await asyncio.wait([self._attempt])
                finally:
                    self._attempt.cancel()
                    await asyncio.gather(self._attempt, return_exceptions=True)
                    self._attempt = None

    @contextlib.contextmanager
    def _bugs_logged(self) -> Iterator[None]:
        """Log an unexpected exception, and go on: the target lives on after it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001
            self._log_bug(error)

    async def _delete(self, url: str) -> None:
        if url == self._deleted:  # meanwhile, by an earlier job
            return
        try:
            token = await self._token()
        except BroadcasterError:  # the next attempt reports it
            return
        if await self._client.delete(url, token):
            self._deleted = url
            self._input(lambda now: self._machine.deleted(url))

    async def _try(self, job: Attempt) -> None:
        """Do a job of the attempt; whatever happens ends this attempt only."""
        try:
            await self._do_attempt(job)
        except PushError as error:
            self._failed(job.id, str(error), error.http_status)
        except BadAnswer as error:
            self._failed(job.id, f"the server's answer cannot be used: {error}")
        except TimeoutError:
            self._failed(job.id, "this machine is too slow to prepare the connection")
        except BroadcasterError as error:
            self._failed(job.id, str(error))
        except Exception as error:  # noqa: BLE001
            self._log_bug(error)
            self._failed(job.id, "internal error")

    async def _do_attempt(self, job: Attempt) -> None:
        match job:
            case Prepare(id, ice_servers):
                await self._prepare(id, ice_servers)
            case Post(id, sdp):
                answer = await self._client.post(sdp, await self._token())
                self._input(lambda now: self._machine.answered(id, answer, now))
            case ApplyAnswer(id, sdp):
                async with asyncio.timeout(PEER_TIMEOUT):
                    await self._peers[id].answer(sdp)
            case AddCandidate(id, candidate):
                async with asyncio.timeout(PEER_TIMEOUT):
                    await self._peers[id].add_candidate(candidate)

    async def _prepare(self, id: int, known: IceServers) -> None:
        _, servers = await self._client.options(await self._token())
        peer = self._peers[id] = self._context.peers.create_push(
            f"push {self.target.name}", _Listener(self, id), servers or known
        )
        # The small rendition would be for slow viewers; behind a media server there are others.
        peer.prefer(QualityPreference.FULL)
        async with asyncio.timeout(PEER_TIMEOUT):
            offer = await peer.offer()
        self._input(lambda now: self._machine.offered(id, offer))

    async def _token(self) -> str:
        target = self.target
        return await asyncio.to_thread(read_token, target.token_file) if target.token_file else target.token

    def _failed(self, id: int, reason: str, http_status: int = 0) -> None:
        self._input(lambda now: self._machine.failed(id, reason, now, http_status))

    def peer_connected(self, id: int) -> None:
        """The peer connection of that attempt is connected."""
        self._input(lambda now: self._machine.connected(id, now))

    def peer_lost(self, id: int) -> None:
        """The peer connection of that attempt has failed or was closed."""
        self._input(lambda now: self._machine.lost(id, now))

    def _log_bug(self, error: Exception) -> None:
        self._context.log.error("push bug", f'push target "{self.target.name}": internal error', error)

    def _log(self, kind: str, text: str) -> None:
        line = f'push target "{self.target.name}" ({self.target.server}): {text}'
        if kind == "failed":
            self._context.log.warning(f"push {kind}", line)
        else:
            self._context.log.info(f"push {kind}", line)


class _Listener:
    """Passes the events of one peer connection to its push target (`ports.PeerListener`)."""

    def __init__(self, runner: PushRunner, id: int) -> None:
        self._runner = runner
        self._id = id

    def peer_quality(self, quality: Quality) -> None:
        """See `ports.PeerListener`."""

    def peer_connected(self) -> None:
        self._runner.peer_connected(self._id)

    def peer_lost(self) -> None:
        self._runner.peer_lost(self._id)
