"""Gathers candidates once as for a viewer, for those who want to know which ways there are."""

from __future__ import annotations

from dataclasses import dataclass

from broadcaster.errors import BroadcasterError
from broadcaster.ports import Clock
from broadcaster.settings import IceSettings
from broadcaster.webrtc.ice import IceConnection, IceContext
from broadcaster.webrtc.servers import Servers, own_servers


@dataclass(frozen=True, slots=True)
class Gathered:
    """Candidates as kind (RFC 8445 §5.3: host, srflx, relay) and address, and what went wrong on the way."""

    candidates: tuple[tuple[str, str], ...]
    problems: tuple[str, ...]


async def gather(settings: IceSettings, clock: Clock) -> Gathered:
    """Open ports and ask servers exactly as for a viewer's offer; everything is closed again."""
    servers = Servers(settings.servers, settings.turn_secret, clock).for_offer("check")
    room = IceContext(clock, settings.interfaces, settings.ports)
    connection = IceConnection(room, own_servers(servers), ice_controlling=True)
    try:
        await connection.gather_candidates()
    except BroadcasterError as error:
        return Gathered((), (str(error),))
    else:
        candidates = tuple((one.type, one.host) for one in connection.local_candidates)
        return Gathered(candidates, connection.problems)
    finally:
        await connection.close()
