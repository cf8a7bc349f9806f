"""A player's session: when it ends, and which candidates it takes."""

import pytest

from broadcaster.auth.rate_limits import CANDIDATES_PER_OFFER
from broadcaster.errors import BadOffer
from broadcaster.signaling.player_session import IceRestartRequested, PlayerSession
from broadcaster.signaling.protocol import Timings
from tests.unit.player_offers import CHROMIUM, accepted

CANDIDATE = "candidate:1 1 udp 1677729535 192.0.2.7 50000 typ host"
UFRAG = accepted(CHROMIUM).transport.ufrag


def opened(ends_at: float = float("inf")) -> PlayerSession:
    return PlayerSession(accepted(CHROMIUM), Timings(), 100.0, ends_at)


def fragment(*lines: str) -> str:
    """Return an SDP fragment as browsers' WHEP clients send it."""
    return "\r\n".join([f"a=ice-ufrag:{UFRAG}", "m=video 9 UDP/TLS/RTP/SAVPF 0", "a=mid:0", *lines, ""])


def test_unconnected_session_ends_after_ten_seconds() -> None:
    session = opened()
    assert session.next_deadline(None) == 110.0
    assert session.end_reason(109.9, 109.0) is None
    assert session.end_reason(110.0, 109.9) == "not connected in 10 s"


def test_connected_session_ends_ten_seconds_after_the_last_datagram() -> None:
    session = opened()
    session.connected()
    assert session.next_deadline(150.0) == 160.0
    assert session.end_reason(159.9, 150.0) is None
    assert session.end_reason(160.0, 150.0) == "no sign of life"
    assert session.end_reason(110.0, None) == "no sign of life"


def test_session_ends_with_its_link() -> None:
    session = opened(ends_at=105.0)
    session.connected()
    assert session.next_deadline(104.0) == 105.0
    assert session.end_reason(105.0, 105.0) == "link expired"


@pytest.mark.parametrize(
    "text",
    [
        fragment(f"a={CANDIDATE}"),
        f"a=mid:0\na={CANDIDATE}\n",
        f"a={CANDIDATE}",
        f"a=ice-ufrag:{UFRAG}\r\na={CANDIDATE}\r\na=end-of-candidates",
    ],
)
def test_candidates_are_read_from_every_form_of_fragment(text: str) -> None:
    assert opened().read_fragment(text) == [CANDIDATE]


@pytest.mark.parametrize("text", ["", "a=end-of-candidates", "nonsense", fragment()])
def test_fragment_without_candidates_is_accepted(text: str) -> None:
    assert opened().read_fragment(text) == []


def test_candidates_of_transports_that_are_bundled_away_are_ignored() -> None:
    text = f"a=ice-ufrag:{UFRAG}\nm=audio 9 RTP/AVP 0\na=mid:1\na=ice-ufrag:other\na={CANDIDATE}\n"
    assert opened().read_fragment(text) == []


def test_new_credentials_ask_for_an_ice_restart() -> None:
    for text in (f"a=ice-ufrag:new\na={CANDIDATE}", fragment("a=ice-ufrag:new")):
        with pytest.raises(IceRestartRequested):
            opened().read_fragment(text)


def test_fragment_of_ten_thousand_lines_is_refused() -> None:
    with pytest.raises(BadOffer, match="more than 1500 lines"):
        opened().read_fragment(f"a={CANDIDATE}\n" * 10_000)


def test_number_of_candidates_is_limited() -> None:
    session = opened()
    assert len(session.take_candidates([CANDIDATE] * 5)) == 5
    assert len(session.read_fragment(f"a={CANDIDATE}\n" * 1000)) == CANDIDATES_PER_OFFER - 5
    assert session.read_fragment(f"a={CANDIDATE}") == []
    assert session.candidates_dropped == 1000 - (CANDIDATES_PER_OFFER - 5) + 1


def test_rate_of_patch_requests_is_limited() -> None:
    session = opened()
    assert [session.take_patch(100.0) for _ in range(31)] == [True] * 30 + [False]
    assert session.take_patch(110.1)
