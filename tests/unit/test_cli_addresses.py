"""The page's addresses."""

import ipaddress

import pytest

from broadcaster.cli import addresses
from broadcaster.cli.addresses import (
    for_others,
    names,
    own_addresses,
    page_addresses,
    page_urls,
    reachable_at,
)
from broadcaster.settings import WebSettings
from tests.rigs.certificates import make_pair


def test_unreachable_addresses_are_omitted_and_the_default_route_comes_first():
    own = ["127.0.0.1", "::1", "fe80::1", "169.254.9.9", "2001:db8::2", "172.17.0.1", "192.168.1.20", "192.168.1.20"]
    assert for_others(own, first="192.168.1.20") == ["192.168.1.20", "172.17.0.1", "2001:db8::2"]
    assert for_others(own, first=None) == ["172.17.0.1", "192.168.1.20", "2001:db8::2"]


def test_ipv4_link_local_addresses_are_used_only_without_others():
    assert for_others(["127.0.0.1", "::1", "fe80::1", "169.254.9.9"], first=None) == ["169.254.9.9"]
    assert for_others(["169.254.9.9", "2001:db8::2"], first=None) == ["2001:db8::2"]
    assert for_others(["127.0.0.1", "fe80::1"], first=None) == []


@pytest.mark.parametrize(
    ("hostname", "expected"),
    [
        ("pi", ["pi.local", "pi"]),
        ("pi.lan", ["pi.local", "pi.lan"]),
        ("localhost", []),
        ("localhost.localdomain", []),
        ("", []),
        ("köln", ["xn--kln-sna"]),
    ],
)
def test_names_of_the_machine(hostname, expected):
    assert names(hostname, multicast=True) == expected
    assert names(hostname, multicast=False) == [name for name in expected if not name.endswith(".local")]


@pytest.mark.parametrize("avahi_runs", [True, False])
def test_local_names_are_used_only_while_avahi_runs(avahi_runs, monkeypatch, tmp_path):
    monkeypatch.setattr(addresses, "_AVAHI", tmp_path if avahi_runs else tmp_path / "missing")
    monkeypatch.setattr("socket.gethostname", lambda: "pi")
    assert ("http://pi.local:8080/" in reachable_at("", 8080)) is avahi_runs
    assert "http://pi:8080/" in reachable_at("", 8080)


def test_page_urls():
    assert page_urls(["pi.local", "10.0.0.1", "2001:db8::2"], 8080) == [
        "http://pi.local:8080/",
        "http://10.0.0.1:8080/",
        "http://[2001:db8::2]:8080/",
    ]
    assert page_urls(["pi.local"], 80) == ["http://pi.local/"]


@pytest.mark.parametrize(
    ("own", "first"),
    [
        (["127.0.0.1", "2001:db8::2", "10.0.0.2", "10.0.0.1"], "http://10.0.0.2:8080/"),
        (["127.0.0.1", "2001:db8::2"], "http://pi:8080/"),
        (["127.0.0.1"], "http://pi:8080/"),
    ],
)
def test_first_address_is_ipv4_if_possible(own, first, monkeypatch):
    """The first address is in the QR code; not every phone can resolve the names of a home network."""
    monkeypatch.setattr(addresses, "own_addresses", lambda: own)
    monkeypatch.setattr(addresses, "address_towards_others", lambda: "10.0.0.2")
    monkeypatch.setattr(addresses, "available_ip_versions", lambda host: {4, 6})
    monkeypatch.setattr("socket.gethostname", lambda: "pi")
    assert reachable_at("", 8080)[0] == first


def test_names_of_the_certificate_come_first(tmp_path):
    pair = make_pair(tmp_path, names=("localhost", "*.example.net", "pi.example.org", "cam.example.org"))
    web = WebSettings(host="192.0.2.7", hosts=("cam.example.org",), **pair.settings)
    assert page_addresses(web, 8443) == [
        "https://cam.example.org:8443/",
        "https://pi.example.org:8443/",
        "https://192.0.2.7:8443/",
    ]


def test_configured_host_is_the_only_address():
    assert reachable_at("192.0.2.7", 8080) == ["http://192.0.2.7:8080/"]


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::"])
def test_last_address_is_localhost_when_listening_everywhere(host):
    assert reachable_at(host, 8080)[-1] == "http://localhost:8080/"


def test_own_addresses_include_loopback():
    assert any(ipaddress.ip_address(address).is_loopback for address in own_addresses())


def test_addresses_are_https_with_a_certificate_and_hosts_come_first():
    web = WebSettings(host="192.0.2.7", certificate="/c.pem", key="/k.pem", hosts=("cam.example.org",))
    assert page_addresses(web, 8443) == ["https://cam.example.org:8443/", "https://192.0.2.7:8443/"]
    assert page_addresses(web, 443)[0] == "https://cam.example.org/"


def test_name_of_a_proxy_comes_first():
    web = WebSettings(host="127.0.0.1", trusted_proxies=("127.0.0.1",), hosts=("cam.example.org",))
    assert page_addresses(web, 8080) == ["https://cam.example.org/", "http://127.0.0.1:8080/"]


def test_hosts_are_not_printed_without_tls_and_proxy():
    assert page_addresses(WebSettings(host="192.0.2.7", hosts=("cam",)), 8080) == ["http://192.0.2.7:8080/"]
