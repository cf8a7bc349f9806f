"""What comes over the WebSocket: messages, SDP answers, candidates, links."""

from __future__ import annotations

import json
from ipaddress import ip_address

from aiortc import RTCIceCandidate
from aiortc.rtcicetransport import candidate_to_aioice
from aiortc.sdp import SessionDescription

from broadcaster.auth.links import Link, is_name, read_link, sign_link
from broadcaster.errors import BadAnswer
from broadcaster.model.stream import AudioState, StreamState, StreamStatus
from broadcaster.signaling.actions import Action, AddCandidate, ApplyAnswer, ClosePeer, OpenPeer, Send
from broadcaster.signaling.candidates import Dropped, filter_candidate
from broadcaster.signaling.messages import serialize
from broadcaster.signaling.protocol import Timings
from broadcaster.signaling.sdp import MOST_BYTES, filter_answer
from broadcaster.signaling.session import Session
from tests.unit.signaling_samples import OFFER
from tests.unit.test_signaling_session import Offered

OWN = frozenset({"192.168.1.2", "fd00::2"})
STATUS = StreamStatus(StreamState.LIVE, 1.0, AudioState.ON)
KEY = "k" * 43
ANOTHER_KEY = "a" * 43
"""With which nothing is signed here: a fuzzer that follows comparisons would find what was."""


class Book:
    """Plays the edge for one session, and keeps the books: what it asks for must make sense."""

    def __init__(self) -> None:
        self.now = 0.0
        self.open: set[int] = set()
        self.answered: set[int] = set()
        self.session = Session("v1", "secret", Timings(), STATUS, self.now)
        self._do(self.session.attach(1, 1, self.now))

    def receive(self, text: str) -> None:
        """One message comes, a moment after the last."""
        self.now += 0.05
        self._do(self.session.receive(1, text, self.now))

    def _do(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Send(message):
                    json.loads(serialize(message))
                case OpenPeer(id):
                    self.open.add(id)
                    self._do(self.session.offered(id, Offered(), self.now))
                case ApplyAnswer(id, sdp):
                    assert id in self.open - self.answered
                    self.answered.add(id)
                    _parse(sdp)
                case AddCandidate(id):
                    assert id in self.open & self.answered
                case ClosePeer(id):
                    self.open.remove(id)
        assert len(self.open) <= 2, "one, and one in the making"
        assert not (self.session.is_over and self.open)


def messages(data: bytes) -> None:
    """A line is a message; who has said too much is followed by the next viewer."""
    book = Book()
    for line in data.split(b"\n"):
        book.receive(line.decode("utf-8", "replace"))
        if book.session.is_over:
            book = Book()


def answer(data: bytes) -> None:
    """What passes the screen is read by aiortc's parser, and carries no candidate."""
    try:
        filtered = filter_answer(OFFER, data.decode("utf-8", "replace"))
    except BadAnswer:
        return
    assert len(filtered.sdp) <= 2 * MOST_BYTES
    assert "a=candidate" not in filtered.sdp
    _parse(filtered.sdp)


def _parse(sdp: str) -> None:
    description = SessionDescription.parse(sdp)
    assert [media.kind for media in description.media] == ["video", "audio"]
    assert all(media.ice.password and media.dtls.fingerprints for media in description.media)


def candidate(data: bytes) -> None:
    """What passes the screen is a place that we may send to, and ICE takes it."""
    try:
        one = filter_candidate(data.decode("utf-8", "replace"), OWN)
    except Dropped:
        return
    address = ip_address(one.address)
    assert not any((address.is_loopback, address.is_multicast, address.is_unspecified))
    assert one.address not in OWN
    assert 1024 <= one.port < 65536
    ice = RTCIceCandidate(
        1, one.foundation, one.address, one.port, one.priority, one.protocol, one.type, one.related_address,
        one.related_port,
    )  # fmt: skip
    assert candidate_to_aioice(ice).port == one.port


def link(data: bytes) -> None:
    """Nothing that was made up is a link; what was signed is one, and none after any change."""
    text = data.decode("utf-8", "replace")
    assert read_link(text, ANOTHER_KEY) is None
    name = text[:40]
    if not is_name(name):
        return
    made = int.from_bytes(data[-8:-4])
    token = sign_link(Link(name, made, 3600), KEY)
    found = read_link(token, KEY)
    assert found is not None
    assert (found.created, found.seconds) == (made, 3600)
    at = (data[0] if data else 0) % len(token)
    changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
    assert read_link(changed, KEY) is None
