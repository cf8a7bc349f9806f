"""The origin of a request: headers of trusted proxies count, forged ones do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.web.proxies import Caller, Proxies

PROXIES = Proxies(["127.0.0.1", "10.0.0.0/8", "2001:db8:1::/48"])


def caller(peer: str, *forwarded_for: str, proto: tuple[str, ...] = (), secure: bool = False) -> Caller:
    return PROXIES.caller(peer, forwarded_for, proto, secure=secure)


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "address", "by_proxy"),
    [
        ("192.0.2.1", (), "192.0.2.1", False),
        ("192.0.2.1", ("198.51.100.1",), "192.0.2.1", False),
        ("127.0.0.1", ("198.51.100.1",), "198.51.100.1", False),
        ("127.0.0.1", ("203.0.113.9, 198.51.100.1",), "198.51.100.1", False),
        ("127.0.0.1", ("127.0.0.1, 198.51.100.1",), "198.51.100.1", False),
        ("127.0.0.1", ("203.0.113.9", "198.51.100.1"), "198.51.100.1", False),
        ("127.0.0.1", ("203.0.113.9, 198.51.100.1, 10.1.2.3",), "198.51.100.1", False),
        ("::ffff:127.0.0.1", ("::ffff:198.51.100.1",), "198.51.100.1", False),
        ("2001:db8:1::5", ("2001:db8:9::1",), "2001:db8:9::1", False),
        ("127.0.0.1", ("198.51.100.1:4711",), "198.51.100.1", False),
        ("127.0.0.1", ("[2001:db8:9::1]:4711",), "2001:db8:9::1", False),
        ("127.0.0.1", ("[2001:db8:9::1]",), "2001:db8:9::1", False),
        ("127.0.0.1", (), "127.0.0.1", True),
        ("127.0.0.1", ("10.1.2.3, 10.3.2.1",), "10.1.2.3", True),
        ("127.0.0.1", ("198.51.100.1, unknown",), "127.0.0.1", True),
        ("127.0.0.1", ("198.51.100.1, _hidden, 10.1.2.3",), "10.1.2.3", True),
        ("127.0.0.1", (" , ,",), "127.0.0.1", True),
        ("", ("198.51.100.1",), "", False),
    ],
)
def test_the_caller_is_the_rightmost_untrusted_address(
    peer: str, forwarded_for: tuple[str, ...], address: str, by_proxy: bool
) -> None:
    assert caller(peer, *forwarded_for) == Caller(address, by_proxy, secure=False)


@pytest.mark.parametrize(
    ("peer", "proto", "own_tls", "secure"),
    [
        ("127.0.0.1", ("https",), False, True),
        ("127.0.0.1", ("HTTPS",), False, True),
        ("127.0.0.1", ("https, http",), False, False),
        ("127.0.0.1", ("http",), True, False),
        ("127.0.0.1", (), True, True),
        ("192.0.2.1", ("https",), False, False),
        ("192.0.2.1", ("http",), True, True),
    ],
)
def test_secure_is_what_the_last_trusted_proxy_reports(
    peer: str, proto: tuple[str, ...], own_tls: bool, secure: bool
) -> None:
    assert caller(peer, "198.51.100.1", proto=proto, secure=own_tls).secure is secure


def test_without_trusted_proxies_headers_are_ignored() -> None:
    assert Proxies([]).caller("127.0.0.1", ["198.51.100.1"], ["https"], secure=False).address == "127.0.0.1"


@given(st.lists(st.text(max_size=30), max_size=5), st.ip_addresses())
def test_forged_addresses_are_ignored(forged: list[str], viewer: object) -> None:
    result = caller("127.0.0.1", *forged, str(viewer))
    assert PROXIES.is_trusted(str(viewer)) or result == caller("127.0.0.1", str(viewer))


def test_long_chains_are_truncated() -> None:
    assert caller("127.0.0.1", ",".join(["198.51.100.1", *["10.0.0.1"] * 1000])).address == "10.0.0.1"
