"""Limits on connections: enough for all viewers behind one address, and never all for one address."""

import resource

import pytest

from broadcaster.web.accept import CONNECTIONS_PER_VIEWER, ConnectionSlots


def make_slots(max_viewers: int = 20) -> ConnectionSlots:
    return ConnectionSlots(max_viewers, lambda address: address == "127.0.0.1")


def take_all(slots: ConnectionSlots, address: str, limit: int = 100_000) -> int:
    """Take slots for an address until none is available, at most `limit`; return the number taken."""
    taken = 0
    while taken < limit and slots.is_available(address) and not slots.is_full:
        slots.take(address)
        taken += 1
    return taken


@pytest.mark.parametrize("viewers", [1, 20, 1000])
def test_slots_suffice_for_all_viewers_at_two_addresses_and_for_others(
    viewers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda what: (65536, 65536))
    slots = make_slots(viewers)
    assert take_all(slots, "192.0.2.1") >= viewers * CONNECTIONS_PER_VIEWER
    assert take_all(slots, "192.0.2.2") >= viewers * CONNECTIONS_PER_VIEWER
    assert take_all(slots, "192.0.2.3", 30) == 30


def test_an_ipv6_site_gets_no_more_slots_than_two_addresses() -> None:
    slots = make_slots()
    taken = sum(take_all(slots, f"2001:db8:7:{number:x}::1") for number in range(10))
    assert taken == slots.max_per_network[1] == 2 * slots.max_per_network[0]
    assert slots.is_available("2001:db8:8::1")


def test_this_machine_and_its_proxies_are_limited_only_in_total() -> None:
    slots = make_slots()
    assert take_all(slots, "127.0.0.1") == slots.max_total == slots._total
    assert slots.is_full


def test_released_slots_are_available_again_and_leave_no_counters() -> None:
    slots = make_slots()
    for _ in range(3):
        taken = take_all(slots, "192.0.2.1")
        for _ in range(taken):
            slots.release("192.0.2.1")
    assert slots._total == 0
    assert not slots._by_network


def test_connections_use_at_most_half_of_the_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda what: (1024, 4096))
    assert make_slots(1000).max_total == 512
    assert make_slots(1000).max_per_network[0] == 256, "one address never gets all of them"
