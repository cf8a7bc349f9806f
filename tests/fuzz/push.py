"""What a media server answers when the stream is pushed to it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from aiortc.sdp import SessionDescription

from broadcaster.errors import PushError
from broadcaster.model.offers import Offer
from broadcaster.model.push import PushState
from broadcaster.model.stream import StreamState
from broadcaster.signaling.actions import ApplyAnswer
from broadcaster.web.push.actions import WhipAnswer
from broadcaster.web.push.machine import PushMachine
from broadcaster.web.push.whip import ice_servers, refusal, resolve

SDP = Path(__file__).parents[1] / "unit" / "sdp"
OFFER = Offer((SDP / "whip-offer.sdp").read_bytes().decode())
SERVERS = ("janus-lite", "passive-lite", "livekit-like", "wrtc", "aiortc", "gst")
SEEDS = [
    b'/session/1\n<turn:a:3478>; rel="ice-server"; username="u"; credential="c"\n'
    + (SDP / f"whip-{name}.sdp").read_bytes()
    for name in SERVERS
]


def whip_answer(data: bytes) -> None:
    """Take a `Location`, a `Link` header and an answer: it is accepted and can be parsed, or ends the attempt."""
    location, _, rest = data.decode("utf-8", "replace").partition("\n")
    link, _, sdp = rest.partition("\n")
    session = "https://example.org/s"
    with suppress(PushError):
        session = resolve("https://example.org/whip", location)
    assert session.startswith("https://")
    assert str(refusal(503, sdp)).isprintable()
    machine = PushMachine()
    machine.stream_changed(StreamState.LIVE, 0.0)
    machine.offered(1, OFFER)
    actions = machine.answered(1, WhipAnswer(session, sdp, ice_servers([link])), 1.0)
    applied = [action for action in actions if isinstance(action, ApplyAnswer)]
    assert bool(applied) == (machine.state is PushState.CONNECTING)
    for action in applied:
        assert len(SessionDescription.parse(action.sdp).media) == 2
