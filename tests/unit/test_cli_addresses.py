"""The addresses that are printed: those that others can open."""

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


def test_addresses_of_no_use_to_others_are_left_out_and_the_route_comes_first():
    found = ["127.0.0.1", "::1", "fe80::1", "169.254.9.9", "2001:db8::2", "172.17.0.1", "192.168.1.20", "192.168.1.20"]
    assert for_others(found, first="192.168.1.20") == ["192.168.1.20", "172.17.0.1", "2001:db8::2"]
    assert for_others(found, first=None) == ["172.17.0.1", "192.168.1.20", "2001:db8::2"]


def test_link_local_addresses_of_ipv4_do_where_there_are_no_others():
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
def test_names(hostname, expected):
    assert names(hostname, multicast=True) == expected
    assert names(hostname, multicast=False) == [name for name in expected if not name.endswith(".local")]


@pytest.mark.parametrize("runs", [True, False])
def test_names_in_local_are_printed_only_where_avahi_answers_for_them(runs, monkeypatch, tmp_path):
    monkeypatch.setattr(addresses, "_AVAHI", tmp_path if runs else tmp_path / "missing")
    monkeypatch.setattr("socket.gethostname", lambda: "pi")
    assert ("http://pi.local:8080/" in reachable_at("", 8080)) is runs
    assert "http://pi:8080/" in reachable_at("", 8080)


def test_urls():
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
def test_the_first_address_is_one_by_ipv4_that_a_phone_can_open(own, first, monkeypatch):
    """It is the one in the QR code; not every phone can look up names of home networks."""
    monkeypatch.setattr(addresses, "own_addresses", lambda: own)
    monkeypatch.setattr(addresses, "address_towards_others", lambda: "10.0.0.2")
    monkeypatch.setattr(addresses, "available_ip_versions", lambda host: {4, 6})
    monkeypatch.setattr("socket.gethostname", lambda: "pi")
    assert reachable_at("", 8080)[0] == first


def test_the_names_of_the_certificate_come_first(tmp_path):
    pair = make_pair(tmp_path, names=("localhost", "*.example.net", "pi.example.org", "cam.example.org"))
    web = WebSettings(host="192.0.2.7", hosts=("cam.example.org",), **pair.settings)
    assert page_addresses(web, 8443) == [
        "https://cam.example.org:8443/",
        "https://pi.example.org:8443/",
        "https://192.0.2.7:8443/",
    ]


def test_a_chosen_host_is_the_only_address():
    assert reachable_at("192.0.2.7", 8080) == ["http://192.0.2.7:8080/"]


@pytest.mark.parametrize("host", ["", "0.0.0.0", "::"])
def test_all_hosts_end_with_this_machine(host):
    assert reachable_at(host, 8080)[-1] == "http://localhost:8080/"


def test_this_machine_has_addresses():
    assert any(ipaddress.ip_address(address).is_loopback for address in own_addresses())


def test_with_a_certificate_the_addresses_are_https_and_its_names_come_first():
    web = WebSettings(host="192.0.2.7", certificate="/c.pem", key="/k.pem", hosts=("cam.example.org",))
    found = page_addresses(web, 8443)
    assert found == ["https://cam.example.org:8443/", "https://192.0.2.7:8443/"]
    assert page_addresses(web, 443)[0] == "https://cam.example.org/"


def test_behind_a_proxy_its_name_comes_first():
    web = WebSettings(host="127.0.0.1", trusted_proxies=("127.0.0.1",), hosts=("cam.example.org",))
    assert page_addresses(web, 8080) == ["https://cam.example.org/", "http://127.0.0.1:8080/"]


def test_other_names_of_a_machine_without_tls_are_the_owner_s_business():
    assert page_addresses(WebSettings(host="192.0.2.7", hosts=("cam",)), 8080) == ["http://192.0.2.7:8080/"]
