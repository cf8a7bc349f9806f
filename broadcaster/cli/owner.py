"""`broadcaster live`, `owner`, `record`, `status` and `viewers`: control and query the running daemon."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from broadcaster.cli import failure
from broadcaster.cli.addresses import page_addresses
from broadcaster.cli.banner import owner_link, qr_code
from broadcaster.cli.target import Target
from broadcaster.errors import BroadcasterError
from broadcaster.model.quantities import count_text, duration_text, size_text
from broadcaster.service.daemon_client import NoDaemon

START_LIMIT, STOP_LIMIT = 30.0, 15.0
"""Seconds: opening a camera, or a file on a slow disk, takes time; sources have 10 s to close."""
RECORD_LIMIT = 8.0
"""Seconds for a file to begin: with the next chunk, which has two, and an SD card may take some."""
_POLL = 0.2
"""Seconds between two status requests while something starts or stops."""
_COLUMNS = ("VIEWER", "NAME", "ADDRESS", "STATE", "LOSS", "ROUND TRIP", "ESTIMATE")


def set_live(target: Target, live: bool, wait: Callable[[float], None] = time.sleep) -> str:
    """Start or stop the stream, wait until that is done, and return the state. Raises `BroadcasterError`."""
    client = target.client
    answer = _request(target, lambda: client.set_live(live))
    deadline = time.monotonic() + (START_LIMIT if live else STOP_LIMIT)
    final = ("live", "failed") if live else ("offline",)
    while (state := answer["stream"]["state"]) not in final or answer.get("opening"):
        if time.monotonic() > deadline:
            raise BroadcasterError(_stuck(answer))
        wait(_POLL)
        answer = _request(target, client.status)
    if state == "failed":
        raise BroadcasterError(
            f"the stream has failed: {failure.problem(answer)}. The daemon keeps trying.\n{failure.fix(answer, target)}"
        )
    return str(state)


def _stuck(answer: dict[str, Any]) -> str:
    """Return the message about a stream that does not reach the requested state in time."""
    state = "being opened again" if answer.get("opening") else answer["stream"]["state"]
    return f"the stream is still {state}; run `broadcaster check` to find the cause"


def record(target: Target, what: str, wait: Callable[[float], None] = time.sleep) -> str:
    """Start or stop recording (`on`, `off`), save a `clip`, or `mark` this moment; return what is recorded.

    `on` waits for the file; while the stream is not live, there is none. Raises `BroadcasterError`.
    """
    client = target.client
    if what == "clip":
        clip = _request(target, client.clip)["clip"]
        return f"saved {clip['duration']:.0f} s: {', '.join(clip['files'])}"
    if what == "mark":
        marked = datetime.fromtimestamp(_request(target, client.mark)["mark"]).astimezone()
        return f"marked {marked:%Y-%m-%d %H:%M:%S %Z}"
    answer = _request(target, lambda: client.record(what == "on"))
    if what == "on":
        answer = _until_recording(target, answer, wait)
    return recorder(answer["recorder"])


def _until_recording(target: Target, answer: dict[str, Any], wait: Callable[[float], None]) -> dict[str, Any]:
    """Return the first answer with a file, or that of a stream that is not live. Raises `BroadcasterError`."""
    old, deadline = answer["recorder"]["store"]["problem"], time.monotonic() + RECORD_LIMIT
    while answer["stream"]["state"] == "live":
        state, store = answer["recorder"]["state"], answer["recorder"]["store"]
        if state == "recording" and store["file"]:
            return answer
        is_late = time.monotonic() > deadline
        if store["problem"] and (is_late or store["problem"] != old):
            raise BroadcasterError(f"nothing is recorded: {store['problem']}. The daemon keeps trying")
        if is_late:
            raise BroadcasterError(f"nothing is recorded yet ({state}); look for the cause in the daemon's log")
        wait(_POLL)
        answer = _request(target, target.client.status)
    return answer


def recorder(answer: dict[str, Any]) -> str:
    """Return the recorder's status in one line."""
    store = answer["store"]
    match answer["state"]:
        case "waiting":
            state = "waiting until the stream is live"
        case "off":
            state = "off"
        case other:
            state = f"{other} {store['file']}".strip()
    if store["problem"]:
        state += f" ({store['problem']})"
    files = count_text(store["files"], "file")
    return f"{state}; {files}, {size_text(store['bytes'])}; {size_text(store['free'])} free"


def sign_in_link(target: Target, address: str | None, *, qr: bool) -> str:
    """Return a link that signs a browser in to the owner's page, and its QR code if `qr`. Raises `BroadcasterError`."""
    if address is None and target.settings.web.port == 0:
        raise BroadcasterError("web.port is 0, so only the daemon knows its port; give the page's address: --address")
    links = [address] if address else page_addresses(target.settings.web, target.settings.web.port)
    with start_command(target):
        link = owner_link(links, target.client.owner_code())
    return "\n".join([link, *(["", "  Valid once, within 10 minutes.", "", qr_code(link)] if qr else [])])


def status(target: Target, now: float, *, as_json: bool) -> str:
    """Return the daemon's status as a block of text or as JSON; `now` is in Unix seconds."""
    answer = _request(target, target.client.status)
    if as_json:
        return json.dumps(answer, indent=2, ensure_ascii=False)
    return "\n".join(f"  {name:9}{text}".rstrip() for name, text in _rows(answer, target, now))


def viewers(target: Target, *, as_json: bool) -> str:
    """Return the viewers as a table or as JSON. Raises `BroadcasterError` without the operator's permission."""
    answer = _request(target, target.client.status)
    if "viewer_figures" not in answer:
        raise BroadcasterError(
            "only the operator may list viewers; run this with sudo, or with the daemon's settings (--settings FILE)"
        )
    stats = answer["viewer_figures"]
    if as_json:
        return json.dumps(stats, indent=2, ensure_ascii=False)
    return table([_COLUMNS, *map(_viewer, stats)]) if stats else "No viewers."


def _request(target: Target, send: Callable[[], Any]) -> dict[str, Any]:
    """Return the daemon's answer. Raises `BroadcasterError`."""
    with start_command(target):
        answer = send()
        if isinstance(answer, dict) and isinstance(answer.get("stream"), dict) and "state" in answer["stream"]:
            return answer
        raise NoDaemon(f"the server at {target.client.url} is not a broadcaster")


@contextmanager
def start_command(target: Target) -> Iterator[None]:
    """Add the command that starts a daemon to the error if none runs."""
    try:
        yield
    except NoDaemon as error:
        start = "sudo systemctl start broadcaster" if target.is_service else "broadcaster run"
        raise BroadcasterError(f"{error}. To start it: {start}") from error


def _rows(answer: dict[str, Any], target: Target, now: float) -> Iterable[tuple[str, str]]:
    yield "State", _state(answer["stream"], now)
    if answer["stream"]["state"] == "failed":
        yield from failure.rows(answer, target)
    if "source" not in answer:
        yield "", "The stream is private; only the operator sees more (use sudo, or the daemon's settings)."
        return
    capacity = answer["capacity"]
    yield "Viewers", f"{answer['viewers']} of at most {answer['limit']}{_small(capacity['renditions'])}{_web(answer)}"
    for server in answer.get("push", []):
        yield "Push", _push(server)
    yield "Source", f"{answer['source']}, {answer['width']}×{answer['height']}, {answer['fps']:g} fps"
    yield "Encoder", f"{answer['encoder']}, {capacity['bitrate_wanted'] / 1e6:.3g} Mbit/s"
    yield "Audio", str(answer["audio_source"])
    if "recorder" in answer:
        yield "Recorder", recorder(answer["recorder"])
    load = "overloaded, refusing new viewers" if capacity["overloaded"] else "ok"
    yield "Load", f"{load} (event loop lag: {capacity['loop_lag_p99']:g} ms, 99th percentile)"
    yield "Uptime", f"{duration_text(answer['uptime'])}, version {answer['version']}"


def _push(target: dict[str, Any]) -> str:
    """Return what a push target is doing, and why it is not connected."""
    text = f"{target['name']} ({target['server']}): {target['state']}"
    if target["connected_for"] is not None:
        return f"{text} for {duration_text(target['connected_for'])}"
    retry = f"; trying again in {duration_text(target['retry_in'])}" if target["retry_in"] else ""
    return f"{text}, {target['reason']}{retry}" if target["reason"] else text


def _small(renditions: dict[str, Any]) -> str:
    """Return how many viewers get the small rendition; empty if none does."""
    count = renditions["small"]["viewers"]
    return f" (smaller video because of slow networks: {count})" if count else ""


def _web(answer: dict[str, Any]) -> str:
    """Return how many viewers play without UDP; empty if none does."""
    count = answer.get("media", {}).get("viewers")
    return f" (over the web: {count})" if count else ""


def _state(stream: dict[str, Any], now: float) -> str:
    state = str(stream["state"])
    if since := stream.get("since"):
        state += f" for {duration_text(now - since)}"
    return state + {"none": ", no audio", "lost": ", microphone lost"}.get(str(stream.get("sound")), "")


def _viewer(viewer: dict[str, Any]) -> tuple[str, ...]:
    """Return a viewer's row; the stats are those of the way that it plays, else of its newest peer connection."""
    media = viewer.get("media")
    peer = {"route": media["route"], "remb": media["estimate"]} if media else (viewer["peers"] or [{}])[-1]
    state = "connected" if viewer["connected"] else "away" if viewer["kept"] else "connecting"
    if viewer.get("player"):
        state += " (WHEP)"
    route = f" ({peer['route']})" if peer.get("route") else ""
    return (
        str(viewer["viewer"]),
        (viewer["link"] or {}).get("name") or "-",
        f"{viewer['address']}{route}",
        f"{state}, {peer['health']}" if peer.get("health") else state,
        f"{peer['loss']:.1%}" if "loss" in peer else "-",
        f"{peer['round_trip'] * 1000:.0f} ms" if peer.get("round_trip") is not None else "-",
        f"{peer['remb'] / 1e6:.3g} Mbit/s" if peer.get("remb") else "-",
    )


def table(rows: list[tuple[str, ...]]) -> str:
    """Return rows as text, in columns."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
