"""Which addresses are offered, over made-up network interfaces."""

import pytest
from ifaddr import IP, Adapter

from broadcaster.webrtc.interfaces import host_addresses, own_addresses


def adapter(name: str, *addresses: str) -> Adapter:
    ips = [IP((text, 0, 0) if ":" in text else text, 24, name) for text in addresses]
    return Adapter(name, name, ips)


LOOPBACK = adapter("lo", "127.0.0.1", "::1")
CABLE = adapter("eth0", "192.168.1.5", "2001:db8::5", "fe80::5")
WIFI = adapter("wlan0", "192.168.1.6")
TUNNEL = adapter("wg0", "10.8.0.2")
DOCKER = adapter("docker0", "172.17.0.1")


def test_all_interfaces_but_loopback_and_link_local_ipv6():
    adapters = [LOOPBACK, CABLE, WIFI, TUNNEL]
    assert host_addresses(adapters, ()) == ["192.168.1.5", "2001:db8::5", "192.168.1.6", "10.8.0.2"]


def test_every_address_is_our_own_offered_or_not():
    assert own_addresses([LOOPBACK, CABLE, DOCKER]) == {
        "127.0.0.1", "::1", "192.168.1.5", "2001:db8::5", "fe80::5", "172.17.0.1",
    }  # fmt: skip


def test_only_the_named_ones():
    adapters = [LOOPBACK, CABLE, WIFI, DOCKER]
    assert host_addresses(adapters, ("wlan0",)) == ["192.168.1.6"]
    assert host_addresses(adapters, ("docker0", "lo")) == ["127.0.0.1", "::1", "172.17.0.1"]
    assert host_addresses(adapters, ("wlan1",)) == []


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
def test_virtual_ones_only_where_there_are_no_others(name):
    virtual = adapter(name, "172.17.0.1")
    assert host_addresses([LOOPBACK, virtual, WIFI], ()) == ["192.168.1.6"]
    assert host_addresses([LOOPBACK, virtual], ()) == ["172.17.0.1"]


@pytest.mark.parametrize("name", ["br-lan", "br0", "usb0", "end0", "wlx001122334455", "tailscale0"])
def test_what_only_looks_virtual_is_offered(name):
    assert host_addresses([adapter(name, "10.0.0.1"), WIFI], ()) == ["10.0.0.1", "192.168.1.6"]


def test_without_a_network_there_is_nothing():
    assert host_addresses([LOOPBACK, adapter("eth0", "fe80::5")], ()) == []
