"""The candidate filter: viewers must not be able to direct our packets at other hosts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broadcaster.model.offers import IceCandidate
from broadcaster.signaling.candidates import Dropped, filter_candidate

OWN = frozenset({"192.168.1.2", "fd00::2"})


def line(address: str = "192.168.1.9", port: object = 50000, protocol: str = "udp", rest: str = "") -> str:
    return f"candidate:842163049 1 {protocol} 1677729535 {address} {port} typ host{rest}"


@pytest.mark.parametrize("address", ["192.168.1.9", "10.0.0.1", "169.254.3.4", "203.0.113.7", "fd00::9", "2001:db8::1"])
def test_addresses_of_other_machines_are_accepted(address: str) -> None:
    assert filter_candidate(line(address), OWN) == IceCandidate(
        "842163049", 1, "udp", 1677729535, address, 50000, "host"
    )


def test_candidates_of_browsers_are_read() -> None:
    text = (
        "candidate:1 1 UDP 1677729535 203.0.113.7 61000 typ srflx raddr 192.168.1.9 rport 50000"
        " generation 0 ufrag 5/9E network-id 1 network-cost 10"
    )
    assert filter_candidate(text, OWN) == IceCandidate(
        "1", 1, "udp", 1677729535, "203.0.113.7", 61000, "srflx", "192.168.1.9", 50000
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "unparsable"),
        ("candidate:", "unparsable"),
        ("x" * 10_000, "unparsable"),
        (line() + " odd", "unparsable"),
        (line().replace("typ host", "typ hose"), "unparsable"),
        (line("10.0.0.1%eth0"), "unparsable"),
        (line(port=123456), "unparsable"),
        (line(protocol="tcp", rest=" tcptype active"), "not UDP"),
        (line().replace(" 1 udp", " 2 udp"), "not component 1"),
        (line("89eb1ca4-d12e-4701-b5d3-8a5a0391860f.local"), "a host name"),
        (line("example.org"), "a host name"),
        (line("1.2.3"), "a host name"),
        (line("010.0.0.1"), "a host name"),
        (line(port=1023), "port"),
        (line(port=0), "port"),
        (line(port=65536), "port"),
        (line("127.0.0.1"), "loopback"),
        (line("127.8.8.8"), "loopback"),
        (line("::1"), "loopback"),
        (line("224.0.0.251"), "multicast"),
        (line("ff02::fb"), "multicast"),
        (line("255.255.255.255"), "broadcast"),
        (line("0.0.0.0"), "unspecified"),
        (line("0.1.2.3"), "unspecified"),
        (line("::"), "unspecified"),
        (line("::ffff:127.0.0.1"), "IPv4"),
        (line("192.168.1.2"), "our own"),
        (line("FD00:0::2"), "our own"),
        (line().replace("1677729535", "0"), "priority"),
        (line().replace("1677729535", "4294967295"), "priority"),
    ],
)
def test_invalid_candidates_are_dropped_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(Dropped, match=reason):
        filter_candidate(text, OWN)


@settings(max_examples=200, deadline=None)
@given(
    st.one_of(
        st.text(max_size=80),
        st.builds(line, st.ip_addresses().map(str), st.integers(-5, 70000), st.sampled_from(["udp", "UDP", "tcp"])),
        st.builds(line, st.text(max_size=20), st.text(max_size=6), st.text(max_size=5), st.text(max_size=20)),
    )
)
def test_accepted_candidates_have_allowed_addresses(text: str) -> None:
    try:
        candidate = filter_candidate(text, OWN)
    except Dropped:
        return
    assert 1024 <= candidate.port < 65536
    assert candidate.protocol == "udp"
    assert candidate.address not in OWN
    assert not candidate.address.startswith(("127.", "0.", "224.", "255.", "ff"))
