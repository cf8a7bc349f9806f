"""Access rules for hosts, origins and addresses, and log lines that clients cannot forge or flood."""

import logging

import pytest

from broadcaster.auth.rate_limits import networks
from broadcaster.devices.fakes import FakeClock
from broadcaster.rate_limited_log import RateLimitedLogger, quoted
from broadcaster.web import access

NAMES = access.own_names(["Pi.example.org"], ["Cam.Example.com."])


@pytest.mark.parametrize(
    "host",
    [
        "localhost", "LOCALHOST:8080", "localhost.", "127.0.0.1", "192.168.1.2:80", "[fe80::1]:8080", "[::1]",
        "8.8.8.8", "pi", "PI:8080", "pi.local", "pi.local.:80", "pi.lan", "pi.home.arpa", "pi.fritz.box",
        "pi.example.org", "cam.example.com", "CAM.example.com:443",
    ],
)  # fmt: skip
def test_own_hosts_are_recognised(host: str) -> None:
    assert access.own_host(host, NAMES) == host


@pytest.mark.parametrize(
    "host",
    [
        "", "evil.example", "pi.evil.example", "pi.local.evil.example", "xpi.local", "localhost.evil.example",
        "127.0.0.1.evil.example", "pi:port", "pi:123456", "user@pi", "pi/", "pi;script-src *", "pi local", "[::1",
        "[fe80::1%25eth0]", "[::1;]", "[pi]", "2130706433", "0x7f.1", "pi:80:80",
    ],
)  # fmt: skip
def test_other_hosts_are_rejected(host: str) -> None:
    assert access.own_host(host, NAMES) is None


@pytest.mark.parametrize(
    ("origin", "host", "allowed"),
    [
        ("http://pi.local:8080", "pi.local:8080", True),
        ("http://PI.local.:8080", "pi.local:8080", True),
        ("http://pi.local", "pi.local", True),
        ("http://pi.local", "pi.local:80", True),
        ("https://pi.local", "pi.local", True),
        ("https://pi.local", "pi.local:443", True),
        ("http://[::1]:8080", "[::1]:8080", True),
        ("http://pi.local", "pi.local:8080", False),
        ("http://pi.local:8081", "pi.local:8080", False),
        ("http://pi.lan:8080", "pi.local:8080", False),
        ("https://site.example", "pi.local", True),
        ("https://site.example:8443", "pi.local", False),
        ("null", "pi.local", False),
        ("", "pi.local", False),
        ("file://", "pi.local", False),
        ("http://pi.local:8080/", "pi.local:8080", False),
        ("http://evil@pi.local:8080", "pi.local:8080", False),
    ],
)
def test_allowed_origins(origin: str, host: str, allowed: bool) -> None:
    assert access.is_allowed_origin(origin, host, ["https://site.example"]) is allowed


@pytest.mark.parametrize(
    ("address", "host", "headers", "is_local"),
    [
        ("127.0.0.1", "localhost:8080", {}, True),
        ("::1", "[::1]:8080", {}, True),
        ("127.0.0.1", "127.0.0.2", {"Accept": "*/*"}, True),
        ("192.168.1.2", "localhost", {}, False),
        ("127.0.0.1", "pi.local", {}, False),
        ("127.0.0.1", "192.168.1.2", {}, False),
        ("127.0.0.1", "localhost", {"x-forwarded-for": "1.2.3.4"}, False),
        ("127.0.0.1", "localhost", {"FORWARDED": "for=1.2.3.4"}, False),
        ("127.0.0.1", "localhost", {"Via": "1.1 proxy"}, False),
        ("127.0.0.1", "localhost", {"X-Real-IP": "1.2.3.4"}, False),
        ("127.0.0.1", "", {}, False),
    ],
)
def test_local_requests_are_recognised(address: str, host: str, headers: dict[str, str], is_local: bool) -> None:
    assert access.is_local_request(address, host, headers) is is_local


def test_addresses_are_normalised_and_grouped_into_networks() -> None:
    assert access.plain_address("::ffff:192.0.2.1") == "192.0.2.1"
    assert access.plain_address("fe80::1%eth0") == "fe80::1"
    assert access.plain_address(None) == ""
    assert networks("192.0.2.1") == ("192.0.2.1",)
    assert networks("2001:db8:1:2:3::4") == networks("2001:db8:1:2::9")
    assert networks("2001:db8:1:2::9") == ("2001:db8:1:2::/64", "2001:db8:1::/48")


def test_log_text_is_escaped_and_truncated() -> None:
    assert quoted("a\nb\x1b[31m\u202e\ud800") == "a\\nb\\x1b[31m\\u202e\\ud800"
    assert len(quoted("\n" * 1000)) == len(quoted("x" * 1000)) == 200
    assert quoted("Käse") == "Käse"


def test_at_most_ten_lines_of_one_kind_per_second_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = FakeClock()
    log = RateLimitedLogger(logging.getLogger("web"), clock)
    for _ in range(50):
        log.info("joined", "one")
    log.info("left", "two")
    clock.advance(1.0)
    log.info("joined", "three")
    assert [record.message for record in caplog.records] == ["one"] * 10 + [
        "two",
        "three (and 40 more lines like this)",
    ]


def test_a_traceback_of_one_kind_is_logged_once_per_second(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    log = RateLimitedLogger(logging.getLogger("web"), clock)
    for _ in range(50):
        log.warning("viewer", "internal error", KeyError("x"))
    assert [record.exc_info is not None for record in caplog.records] == [True] + [False] * 9
    assert caplog.messages[1] == "internal error: KeyError: 'x'"
    clock.advance(1.0)
    log.warning("viewer", "internal error", KeyError("x"))
    assert caplog.records[-1].exc_info


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("xn--kln-sna.local:8080", "xn--kln-sna.local:8080"),  # as browsers send it
        ("köln.local:8080", "xn--kln-sna.local:8080"),  # as other programs send it
        ("KÖLN", "xn--kln-sna"),
        ("xn--strae-oqa.example", "xn--strae-oqa.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("münchen.local", None),
        ("köln.local:80:80", None),
        ("köln.local; script-src *", None),
        ("k\u00f6ln" * 100, None),
        ("\udcff", None),
    ],
)
def test_international_host_names_are_recognised(host: str, own: str | None) -> None:
    names = access.own_names(["Köln"], ["straße.example"])
    assert access.own_host(host, names) == own
