"""What `broadcaster check` says of NAT, blocked UDP and relays."""

import pytest

from broadcaster.doctor.checks.internet import Nat, Outside, classify, evaluate_nat, evaluate_turn
from broadcaster.doctor.result import Level
from broadcaster.settings.ice_uris import parse_uri
from broadcaster.webrtc.nat import NatProbe, StunProbe
from broadcaster.webrtc.relays import RelayProbe, RelayProblem

OWN = frozenset({"192.168.1.5", "127.0.0.1", "203.0.113.9"})
SERVER, OTHER, INSIDE = ("198.51.100.1", 3478), ("198.51.100.2", 3478), ("192.168.1.2", 3478)
SAME_HOST = ("198.51.100.1", 3479)
ROUTER, NEXT = ("203.0.113.1", 5000), ("203.0.113.1", 5001)
NOTHING, PICTURE, RELAY = Outside(media=False), Outside(media=True), Outside(False, True, True)


def answers(mapped: dict, name: str = "stun.example.org:3478") -> NatProbe:
    return NatProbe(OWN, (StunProbe(name, mapped=mapped),))


def silence(*probes: StunProbe) -> NatProbe:
    return NatProbe(OWN, probes)


@pytest.mark.parametrize(
    ("mapped", "nat"),
    [
        ({SERVER: ("203.0.113.9", 5000)}, Nat.NONE),
        ({SERVER: ("203.0.113.9", 5000), OTHER: ("203.0.113.9", 5000)}, Nat.NONE),
        ({SERVER: ROUTER}, Nat.UNKNOWN),
        ({SERVER: ROUTER, SAME_HOST: ROUTER}, Nat.UNKNOWN),
        ({SERVER: ROUTER, SAME_HOST: NEXT}, Nat.DEPENDENT),
        ({SERVER: ROUTER, OTHER: ROUTER}, Nat.INDEPENDENT),
        ({SERVER: ROUTER, OTHER: NEXT}, Nat.DEPENDENT),
        ({SERVER: ROUTER, OTHER: ("203.0.113.2", 5000)}, Nat.DEPENDENT),
        ({INSIDE: ("192.168.1.5", 5000)}, Nat.INSIDE),
        ({SERVER: ("100.64.3.2", 5000)}, Nat.INSIDE),
        ({INSIDE: ("192.168.1.5", 5000), SERVER: ROUTER}, Nat.UNKNOWN),
        ({INSIDE: ("192.168.1.5", 5000), SERVER: ROUTER, OTHER: ROUTER}, Nat.INDEPENDENT),
    ],
)
def test_mapping_behaviour(mapped, nat):
    assert classify(answers(mapped)) is nat


@pytest.mark.parametrize(
    ("mapped", "outside", "level", "found"),
    [
        ({SERVER: ("203.0.113.9", 5000)}, NOTHING, "ok", "no NAT: this machine has a public address"),
        ({SERVER: ROUTER, OTHER: ROUTER}, NOTHING, "ok", "most viewers outside get the video directly"),
        ({SERVER: ROUTER}, NOTHING, "ok", "one STUN server cannot tell of which kind"),
        ({SERVER: ROUTER, OTHER: NEXT}, RELAY, "ok", "most viewers outside need the relay (TURN), which works"),
        ({SERVER: ROUTER, OTHER: NEXT}, PICTURE, "warning", "get the picture over the web only (TCP)"),
        ({SERVER: ROUTER, OTHER: NEXT}, NOTHING, "warning", "get no picture without a relay (TURN)"),
        ({INSIDE: ("192.168.1.5", 5000)}, NOTHING, "warning", "cannot see what the router does"),
    ],
)
def test_nat_says_whether_viewers_outside_need_a_relay(mapped, outside, level, found):
    result = evaluate_nat(answers(mapped), outside)
    assert result.level == level
    assert found in result.found
    assert bool(result.fix) == (level != "ok")
    assert not [address for address, _ in (ROUTER, NEXT) if address in str(result)]


BY_NAME, LITERAL = StunProbe("stun.example.org:3478"), StunProbe("198.51.100.1:3478", by_name=False)
TCP_ONLY = StunProbe("198.51.100.1:3478", by_name=False, tcp=True)
NOT_FOUND = StunProbe("stun.example.org:3478", found=False)


@pytest.mark.parametrize(
    ("probes", "outside", "level", "found", "fix"),
    [
        ([TCP_ONLY, LITERAL], PICTURE, "warning", "UDP is blocked: 198.51.100.1:3478 can be reached over TCP", "?tran"),
        ([TCP_ONLY], PICTURE, "warning", "viewers outside get the picture over the web only (TCP)", "outgoing UDP"),
        ([TCP_ONLY], NOTHING, "warning", "viewers outside get no picture without a relay (TURN)", "outgoing UDP"),
        ([TCP_ONLY], RELAY, "ok", "the relay (TURN) over TCP, which works", ""),
        ([TCP_ONLY], Outside(True, True, False), "warning", "over the web only (TCP)", "transport=tcp"),
        ([BY_NAME], PICTURE, "warning", "UDP seems to be blocked: names are found (DNS)", "outgoing UDP"),
        ([LITERAL], PICTURE, "warning", "neither over UDP nor over TCP", "internet connection"),
        ([NOT_FOUND], PICTURE, "warning", "no IPv4 address is found for stun.example.org:3478", "spelling"),
    ],
)
def test_servers_that_do_not_answer(probes, outside, level, found, fix):
    result = evaluate_nat(silence(*probes), outside)
    assert result.level == level
    assert found in result.found
    assert fix in result.fix


def test_one_silent_server_beside_others_is_named():
    probe = silence(*answers({SERVER: ROUTER, OTHER: ROUTER}).servers, NOT_FOUND, LITERAL)
    result = evaluate_nat(probe, NOTHING)
    assert result.level is Level.WARNING
    first, *others = result.found.splitlines()
    assert "ordinary router" in first
    assert others == [
        "stun.example.org:3478: no IPv4 address is found",
        "198.51.100.1:3478: does not answer over UDP",
    ]
    assert "ice.servers" in result.fix


def test_without_servers_nothing_is_checked():
    for result in (evaluate_nat(silence(), NOTHING), evaluate_turn([])):
        assert result.level is Level.OK
        assert result.found.startswith("not checked: ")


def relay(url: str, *, secret: bool = False, **result) -> RelayProbe:
    return RelayProbe(url, parse_uri(url), secret, **result)


URL = "turn:turn.example.org"


@pytest.mark.parametrize(
    ("probe", "found", "fix"),
    [
        (relay(URL, address="203.0.113.4"), "gives a relay over UDP", ""),
        (relay(f"{URL}?transport=tcp", address="2001:db8::4"), "gives a relay over TCP", ""),
        (relay("turns:turn.example.org", address="203.0.113.4"), "gives a relay over TLS", ""),
        (relay(URL, address="10.1.2.3"), "with the private address 10.1.2.3", "external-ip"),
        (relay(URL, address="fd00::1"), "with the private address fd00::1", "external-ip"),
        (relay(URL, problem=RelayProblem.UNSUPPORTED), "not checked", ""),
        (relay(URL, problem=RelayProblem.NOT_FOUND), "the name is not found", "name in ice.servers"),
        (relay(URL, problem=RelayProblem.UNREACHABLE, detail="no answer"), "over UDP (no answer)", "transport=tcp"),
        (relay(URL, problem=RelayProblem.CERTIFICATE, detail="expired"), "not accepted (expired)", "Let's Encrypt"),
        (relay(URL, problem=RelayProblem.CREDENTIALS), "refuses the credentials", "Check username and credential"),
        (relay(URL, secret=True, problem=RelayProblem.CREDENTIALS), "refuses the credentials", "static-auth-secret"),
        (relay(URL, problem=RelayProblem.EXPIRED), "which have expired", "Get new credentials"),
        (relay(URL, problem=RelayProblem.CLOCK), "clock of this machine is not set", "timedatectl"),
        (relay(URL, problem=RelayProblem.REFUSED, detail="486 Quota"), "refuses a relay (486 Quota)", "log"),
    ],
)
def test_relays(probe, found, fix):
    result = evaluate_turn([probe])
    assert result.level == ("warning" if fix else "ok")
    assert found in result.found
    assert result.found.startswith(f"{probe.url}: ")
    assert fix in result.fix


def test_every_problem_of_a_relay_has_a_sentence_and_a_fix_if_something_can_be_fixed():
    for problem in RelayProblem:
        result = evaluate_turn([relay(URL, problem=problem)])
        assert bool(result.fix) == (problem is not RelayProblem.UNSUPPORTED)


def test_the_same_fix_of_two_relays_is_shown_once():
    probes = [relay(url, problem=RelayProblem.CREDENTIALS) for url in (URL, f"{URL}?transport=tcp")]
    result = evaluate_turn(probes)
    assert len(result.found.splitlines()) == 2
    assert result.fix == evaluate_turn(probes[:1]).fix
