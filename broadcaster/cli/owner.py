"""`broadcaster live`, `status` and `viewers`: start, stop and look at the running daemon."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from typing import Any

from broadcaster.cli.target import Target
from broadcaster.errors import BroadcasterError
from broadcaster.service.daemon_client import NoDaemon

START_LIMIT, STOP_LIMIT = 30.0, 15.0
"""Seconds: a camera, or a file on a slow disk, takes some to open; sources have 10 to close."""
_POLL = 0.2
"""Seconds between two questions while the stream starts or stops."""
_COLUMNS = ("VIEWER", "NAME", "ADDRESS", "STATE", "LOSS", "ROUND TRIP", "ESTIMATE")


def set_live(target: Target, live: bool, wait: Callable[[float], None] = time.sleep) -> str:
    """Start or stop the stream, wait until it has, and return the state. Raises `BroadcasterError` when it does not."""
    client = target.client
    told = _told(target, lambda: client.set_live(live))
    deadline = time.monotonic() + (START_LIMIT if live else STOP_LIMIT)
    ends = ("live", "failed") if live else ("offline",)
    while (state := told["stream"]["state"]) not in ends:
        if time.monotonic() > deadline:
            raise BroadcasterError(f"the stream is still {state}; `broadcaster check` may know why")
        wait(_POLL)
        told = _told(target, client.status)
    if state == "failed":
        raise BroadcasterError(
            f"failed ({told['stream'].get('reason', 'unknown')}); the daemon keeps trying. "
            "`broadcaster check camera` says what is wrong"
        )
    return str(state)


def status(target: Target, now: float, *, as_json: bool) -> str:
    """Return what the daemon is doing, as a block to read or as JSON; `now` is in Unix seconds."""
    told = _told(target, target.client.status)
    if as_json:
        return json.dumps(told, indent=2, ensure_ascii=False)
    return "\n".join(f"  {name:9}{text}" for name, text in _rows(told, now))


def viewers(target: Target, *, as_json: bool) -> str:
    """Return who is watching, as a table or as JSON. Raises `BroadcasterError` for all but the operator."""
    told = _told(target, target.client.status)
    if "viewer_figures" not in told:
        raise BroadcasterError("only the operator sees the viewers: run this with sudo, or with the daemon's settings")
    found = told["viewer_figures"]
    if as_json:
        return json.dumps(found, indent=2, ensure_ascii=False)
    return _table([_COLUMNS, *map(_viewer, found)]) if found else "Nobody is watching."


def _told(target: Target, ask: Callable[[], Any]) -> dict[str, Any]:
    """What the daemon answers. Raises `BroadcasterError`, which says how to start it if it does not run."""
    try:
        told = ask()
        if isinstance(told, dict) and isinstance(told.get("stream"), dict) and "state" in told["stream"]:
            return told
        raise NoDaemon(f"who answers at {target.client.url} is no broadcaster")
    except NoDaemon as error:
        start = "sudo systemctl start broadcaster" if target.is_service else "broadcaster run"
        raise BroadcasterError(f"{error}. To start it: {start}") from error


def _rows(told: dict[str, Any], now: float) -> Iterable[tuple[str, str]]:
    yield "State", _state(told["stream"], now)
    if "source" not in told:
        yield "", "It is private: only its operator sees more (sudo, or the daemon's settings)."
        return
    capacity = told["capacity"]
    yield "Viewers", f"{told['viewers']} of at most {told['limit']}"
    yield "Source", f"{told['source']}, {told['width']}×{told['height']}, {told['fps']:g} fps"
    yield "Encoder", f"{told['encoder']}, {capacity['bitrate_wanted'] / 1e6:.3g} Mbit/s"
    yield "Audio", str(told["audio_source"])
    overloaded = "overloaded, newcomers are refused" if capacity["overloaded"] else "ok"
    yield "Load", f"{overloaded} (event loop {capacity['loop_lag_p99']:g} ms late, 99th percentile)"
    yield "Running", f"for {duration(told['uptime'])}, version {told['version']}"


def _state(stream: dict[str, Any], now: float) -> str:
    state = str(stream["state"])
    if reason := stream.get("reason"):
        state += f" ({reason})"
    if since := stream.get("since"):
        state += f" for {duration(now - since)}"
    return state + {"none": ", without sound", "lost": ", microphone lost"}.get(str(stream.get("sound")), "")


def duration(seconds: float) -> str:
    """Return a duration in its two largest units, such as "2 h 5 min"."""
    whole = max(0, round(seconds))
    days, hours, minutes = whole // 86400, whole // 3600 % 24, whole // 60 % 60
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (whole % 60, "s")]
    first = next((index for index, (count, _) in enumerate(parts) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"


def _viewer(told: dict[str, Any]) -> tuple[str, ...]:
    """One row; stats are those of its newest peer connection."""
    peer = told["peers"][-1] if told["peers"] else {}
    state = "connected" if told["connected"] else "away" if told["kept"] else "connecting"
    route = f" ({peer['route']})" if peer.get("route") else ""
    return (
        str(told["viewer"]),
        (told["link"] or {}).get("name") or "-",
        f"{told['address']}{route}",
        f"{state}, {peer['health']}" if peer.get("health") else state,
        f"{peer['loss']:.1%}" if peer else "-",
        f"{peer['round_trip'] * 1000:.0f} ms" if peer.get("round_trip") is not None else "-",
        f"{peer['remb'] / 1e6:.3g} Mbit/s" if peer.get("remb") else "-",
    )


def _table(rows: list[tuple[str, ...]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
