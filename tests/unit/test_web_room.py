"""How many connections there may be: everyone behind one address has room, and one address not all of it."""

import resource

import pytest

from broadcaster.web.accept import A_VIEWER, Room


def room(max_viewers: int = 20) -> Room:
    return Room(max_viewers, lambda address: address == "127.0.0.1")


def take(room: Room, address: str, most: int = 100_000) -> int:
    """Take places until there are no more."""
    taken = 0
    while taken < most and room.has_place(address) and not room.is_full:
        room.enter(address)
        taken += 1
    return taken


@pytest.mark.parametrize("viewers", [1, 20, 1000])
def test_everyone_behind_one_address_and_others_beside_them(viewers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda what: (65536, 65536))
    there = room(viewers)
    assert take(there, "192.0.2.1") >= viewers * A_VIEWER
    assert take(there, "192.0.2.2") >= viewers * A_VIEWER
    assert take(there, "192.0.2.3", 30) == 30


def test_many_networks_of_one_site_have_no_more_than_two_addresses() -> None:
    there = room()
    taken = sum(take(there, f"2001:db8:7:{number:x}::1") for number in range(10))
    assert taken == there.most_at[1] == 2 * there.most_at[0]
    assert there.has_place("2001:db8:8::1")


def test_this_machine_and_its_proxies_are_limited_only_in_all() -> None:
    there = room()
    assert take(there, "127.0.0.1") == there.most == len(there)
    assert there.is_full


def test_who_leaves_makes_place_and_leaves_nothing_behind() -> None:
    there = room()
    for _ in range(3):
        taken = take(there, "192.0.2.1")
        for _ in range(taken):
            there.leave("192.0.2.1")
    assert len(there) == 0
    assert not there._at


def test_half_of_the_descriptors_are_for_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda what: (1024, 4096))
    assert room(1000).most == 512
    assert room(1000).most_at[0] == 256, "and one address never has all of it"
