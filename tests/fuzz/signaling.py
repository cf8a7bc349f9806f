"""Input of signaling: messages, SDP answers, candidates and links; offers and fragments of players."""

from __future__ import annotations

import contextlib
import json
import re
from ipaddress import ip_address

from aiortc import RTCIceCandidate
from aiortc.rtcicetransport import candidate_to_aioice
from aiortc.sdp import SessionDescription

from broadcaster.auth.links import Link, is_name, read_link, sign_link
from broadcaster.auth.rate_limits import CANDIDATES_PER_OFFER
from broadcaster.errors import BadAnswer, BadOffer
from broadcaster.model.stream import AudioState, StreamState, StreamStatus
from broadcaster.signaling.actions import Action, AddCandidate, ApplyAnswer, ClosePeer, OpenPeer, Send
from broadcaster.signaling.candidates import Dropped, filter_candidate
from broadcaster.signaling.messages import serialize
from broadcaster.signaling.player_answer import Ssrcs, equivalent_offer, write_answer
from broadcaster.signaling.player_offer import filter_offer
from broadcaster.signaling.player_session import PlayerSession
from broadcaster.signaling.protocol import Timings
from broadcaster.signaling.sdp import MAX_BYTES, filter_answer
from broadcaster.signaling.session import Session
from tests.unit.player_offers import DESCRIPTION
from tests.unit.session_driver import Offered
from tests.unit.signaling_samples import OFFER

OWN = frozenset({"192.168.1.2", "fd00::2"})
STATUS = StreamStatus(StreamState.LIVE, 1.0, AudioState.ON)
KEY = "k" * 43
ANOTHER_KEY = "a" * 43
"""A key with which nothing is signed: a coverage-guided fuzzer could forge a link signed with a key it has seen."""


_ANSWER_LINE = re.compile(
    r"[vost]=[ -~]*|m=[a-z]+ (0|9) [A-Z/]+ [!-~]+( [!-~]+)*|c=IN IP4 0\.0\.0\.0|a=[a-z-]+(:[ -~]+)?"
)


class CheckedSession:
    """A session whose actions are carried out, and checked for consistency."""

    def __init__(self) -> None:
        self.now = 0.0
        self.open: set[int] = set()
        self.answered: set[int] = set()
        self.session = Session("v1", "secret", Timings(), STATUS, self.now)
        self._do(self.session.attach(1, 1, self.now))

    def receive(self, text: str) -> None:
        """Receive one message, 50 ms after the last one."""
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
        assert len(self.open) <= 2, "one peer connection, and one that replaces it"
        assert not (self.session.is_over and self.open)


def messages(data: bytes) -> None:
    """Each line is a message; a new session starts when the last one is over."""
    checked = CheckedSession()
    for line in data.split(b"\n"):
        checked.receive(line.decode("utf-8", "replace"))
        if checked.session.is_over:
            checked = CheckedSession()


def answer(data: bytes) -> None:
    """Check that an answer that passes the filter can be parsed by aiortc, and has no candidates."""
    try:
        filtered = filter_answer(OFFER, data.decode("utf-8", "replace"))
    except BadAnswer:
        return
    assert len(filtered.sdp) <= 2 * MAX_BYTES
    assert "a=candidate" not in filtered.sdp
    _parse(filtered.sdp)


def player_offer(data: bytes) -> None:
    """Check that an offer that passes the filter is answered, and that aiortc can parse what it gets instead.

    Whatever the offer contains, the answer has only lines of known forms, and our transport.
    """
    text, fragment = data.decode("utf-8", "replace"), data[-2000:].decode("utf-8", "replace")
    try:
        offer = filter_offer(text, with_audio=len(data) % 2 == 0)
    except BadOffer:
        return
    parsed = SessionDescription.parse(equivalent_offer(offer))
    assert [media.kind for media in parsed.media] == list(offer.media)
    assert all(media.ice.password and media.dtls.fingerprints for media in parsed.media)
    answered = write_answer(offer, DESCRIPTION, Ssrcs(1, 2, 3))
    assert answered.isascii()
    assert all(_ANSWER_LINE.fullmatch(line) for line in answered.split("\r\n")[:-1])
    assert answered.count("\r\nm=") == len(offer.m_lines)
    assert set(re.findall("a=ice-ufrag:(.*)\r", answered)) == {"ours"}
    session = PlayerSession(offer, Timings(), 0.0, 1.0)
    with contextlib.suppress(BadOffer):
        assert len(session.read_fragment(fragment)) <= CANDIDATES_PER_OFFER


def _parse(sdp: str) -> None:
    description = SessionDescription.parse(sdp)
    assert [media.kind for media in description.media] == ["video", "audio"]
    assert all(media.ice.password and media.dtls.fingerprints for media in description.media)


def candidate(data: bytes) -> None:
    """Check that a candidate that passes the filter has an allowed address, and is accepted by ICE."""
    try:
        accepted = filter_candidate(data.decode("utf-8", "replace"), OWN)
    except Dropped:
        return
    address = ip_address(accepted.address)
    assert not any((address.is_loopback, address.is_multicast, address.is_unspecified))
    assert accepted.address not in OWN
    assert 1024 <= accepted.port < 65536
    ice = RTCIceCandidate(
        1,
        accepted.foundation,
        accepted.address,
        accepted.port,
        accepted.priority,
        accepted.protocol,
        accepted.type,
        accepted.related_address,
        accepted.related_port,
    )
    assert candidate_to_aioice(ice).port == accepted.port


def link(data: bytes) -> None:
    """Check that random text is no valid link, that a signed link is valid, and that any change invalidates it."""
    text = data.decode("utf-8", "replace")
    assert read_link(text, ANOTHER_KEY) is None
    name = text[:40]
    if not is_name(name):
        return
    created = int.from_bytes(data[-8:-4])
    token = sign_link(Link(name, created, 3600), KEY)
    read_back = read_link(token, KEY)
    assert read_back is not None
    assert (read_back.created, read_back.seconds) == (created, 3600)
    at = (data[0] if data else 0) % len(token)
    changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
    assert read_link(changed, KEY) is None
