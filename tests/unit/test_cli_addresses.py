"""The addresses that are printed: those that others can open."""

import ipaddress

import pytest

from broadcaster.cli.addresses import (
    easiest,
    for_others,
    names,
    own_addresses,
    page_addresses,
    page_urls,
    reachable_at,
)
from broadcaster.settings import WebSettings


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
    assert names(hostname) == expected


def test_urls():
    assert page_urls(["pi.local", "10.0.0.1", "2001:db8::2"], 8080) == [
        "http://pi.local:8080/",
        "http://10.0.0.1:8080/",
        "http://[2001:db8::2]:8080/",
    ]
    assert page_urls(["pi.local"], 80) == ["http://pi.local/"]


def test_a_phone_is_sent_to_an_ipv4_address_where_there_is_one():
    assert easiest(page_urls(["pi.local", "2001:db8::2", "10.0.0.1", "10.0.0.2"], 80)) == "http://10.0.0.1/"
    assert easiest(page_urls(["pi.local", "2001:db8::2"], 80)) == "http://pi.local/"


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
    assert easiest(found) == "https://cam.example.org:8443/"
    assert page_addresses(web, 443)[0] == "https://cam.example.org/"


def test_behind_a_proxy_its_name_comes_first():
    web = WebSettings(host="127.0.0.1", trusted_proxies=("127.0.0.1",), hosts=("cam.example.org",))
    assert page_addresses(web, 8080) == ["https://cam.example.org/", "http://127.0.0.1:8080/"]


def test_other_names_of_a_machine_without_tls_are_the_owner_s_business():
    assert page_addresses(WebSettings(host="192.0.2.7", hosts=("cam",)), 8080) == ["http://192.0.2.7:8080/"]
