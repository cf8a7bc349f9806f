"""Selection of the addresses to offer, with invented network interfaces."""

import random

import pytest
from ifaddr import IP, Adapter

from broadcaster.webrtc import interfaces
from broadcaster.webrtc.interfaces import MAX_ADDRESSES, host_addresses, own_addresses, short_lived_addresses


def adapter(name: str, *addresses: str) -> Adapter:
    ips = [IP((text, 0, 0), 64, name) if ":" in text else IP(text, 24, name) for text in addresses]
    return Adapter(name, name, ips)


LOOPBACK = adapter("lo", "127.0.0.1", "::1")
CABLE = adapter("eth0", "192.168.1.5", "2001:db8::5", "fe80::5")
WIFI = adapter("wlan0", "192.168.1.6")
TUNNEL = adapter("wg0", "10.8.0.2")
DOCKER = adapter("docker0", "172.17.0.1")


def test_loopback_and_link_local_ipv6_are_not_offered():
    adapters = [LOOPBACK, CABLE, WIFI, TUNNEL]
    assert host_addresses(adapters, ()).offered == ("192.168.1.5", "2001:db8::5", "192.168.1.6", "10.8.0.2")


def test_own_addresses_include_those_not_offered():
    assert own_addresses([LOOPBACK, CABLE, DOCKER]) == {
        "127.0.0.1", "::1", "192.168.1.5", "2001:db8::5", "fe80::5", "172.17.0.1",
    }  # fmt: skip


def test_only_named_interfaces_are_used():
    adapters = [LOOPBACK, CABLE, WIFI, DOCKER]
    assert host_addresses(adapters, ("wlan0",)).offered == ("192.168.1.6",)
    assert host_addresses(adapters, ("docker0", "lo")).offered == ("127.0.0.1", "::1", "172.17.0.1")
    assert host_addresses(adapters, ("wlan1",)).offered == ()


@pytest.mark.parametrize(
    "name",
    [
        "docker0",
        "br-0123456789ab",
        "veth12ab@if3",
        "virbr0",
        "virbr0-nic",
        "lxcbr0",
        "lxdbr0",
        "podman1",
        "cni0",
        "vmnet8",
    ],
)
def test_virtual_interfaces_are_used_only_without_others(name):
    virtual = adapter(name, "172.17.0.1")
    assert host_addresses([LOOPBACK, virtual, WIFI], ()).offered == ("192.168.1.6",)
    assert host_addresses([LOOPBACK, virtual], ()).offered == ("172.17.0.1",)


@pytest.mark.parametrize("name", ["br-lan", "br0", "usb0", "end0", "wlx001122334455", "tailscale0"])
def test_similar_names_are_not_virtual(name):
    assert host_addresses([adapter(name, "10.0.0.1"), WIFI], ()).offered == ("10.0.0.1", "192.168.1.6")


def test_no_address_is_offered_without_a_network():
    assert host_addresses([LOOPBACK, adapter("eth0", "fe80::5")], ()).offered == ()


STABLE, TEMPORARY, NEWER = "2001:db8::5", "2001:db8::abcd:1", "2001:db8::abcd:2"


def test_one_address_per_network_is_offered_preferably_a_permanent_one():
    cable = Adapter("eth0", "eth0", [IP((text, 0, 0), 64, "eth0") for text in (NEWER, TEMPORARY, STABLE, "fd00::5")])
    found = host_addresses([cable], (), short_lived={TEMPORARY, NEWER})
    assert (found.offered, found.networks) == ((STABLE, "fd00::5"), 2)
    assert host_addresses([cable], (), short_lived={TEMPORARY, NEWER, STABLE}).offered == (NEWER, "fd00::5")
    assert host_addresses([adapter("eth0", "10.0.0.1", "10.0.0.2", "10.0.1.1")], ()).offered == ("10.0.0.1", "10.0.1.1")
    assert host_addresses([adapter("eth0", "10.0.0.1"), adapter("eth1", "10.0.0.2")], ()).networks == 2


def test_preferred_address_is_always_offered():
    many = adapter("eth0", *(f"10.{number // 250}.{number % 250}.1" for number in range(400)), "10.9.9.1", "10.9.9.2")
    assert "10.9.9.2" in host_addresses([many], (), ("10.9.9.2",)).offered
    assert "10.9.9.2" not in host_addresses([many], (), ("192.0.2.1",)).offered


@pytest.mark.parametrize("count", [MAX_ADDRESSES, MAX_ADDRESSES + 1, 400])
def test_most_useful_of_many_addresses_are_offered(count):
    cable = adapter(
        "eth0", *(f"198.51.{number}.1" for number in range(100)), *(f"2001:db8:{n}::5" for n in range(count))
    )
    wifi = adapter("wlan0", "192.168.1.6", "169.254.1.1")
    found = host_addresses([cable, wifi], ())
    assert found.networks == count + 102
    assert len(found.offered) == MAX_ADDRESSES
    assert "192.168.1.6" in found.offered
    assert all("." in text and not text.startswith("169.254") for text in found.offered)


def test_addresses_are_chosen_from_every_interface():
    adapters = [adapter(f"eth{i}", *(f"10.{i}.{number}.1" for number in range(100))) for i in range(MAX_ADDRESSES)]
    random.shuffle(adapters)
    assert {text.split(".")[1] for text in host_addresses(adapters, ()).offered} == {
        str(i) for i in range(MAX_ADDRESSES)
    }


def test_short_lived_addresses_are_read_from_the_kernel(tmp_path, monkeypatch):
    flags = {"2001:db8::1": 0x80, "2001:db8::2": 0x01, "2001:db8::3": 0x20, "2001:db8::4": 0x40, "2001:db8::5": 0x08}
    lines = [
        f"{int(interfaces.ipaddress.IPv6Address(text)):032x} 02 40 00 {flag:02x} eth0" for text, flag in flags.items()
    ]
    (tmp_path / "if_inet6").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(interfaces, "_IPV6_ADDRESSES", tmp_path / "if_inet6")
    assert short_lived_addresses() == set(flags) - {"2001:db8::1"}
    monkeypatch.setattr(interfaces, "_IPV6_ADDRESSES", tmp_path / "none")
    assert short_lived_addresses() == set()
