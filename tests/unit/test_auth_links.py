"""Signed links: only tokens signed with the key are read back."""

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcaster.auth import links
from broadcaster.auth.links import MAX_NAME_LENGTH, Link, is_name, read_link, sign_link

KEY = "k" * 43
ANNA = Link("Anna", 1_800_000_000, 7200)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ é"

names = st.text(st.characters(categories=["L", "N", "P", "S"]), max_size=MAX_NAME_LENGTH // 2)
some_links = st.builds(Link, names, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))


@given(some_links, st.text(min_size=1))
def test_signed_link_is_read_back(link: Link, key: str) -> None:
    key = key.encode("utf-8", "replace").decode()
    token = sign_link(link, key)
    assert token.isascii()
    assert token.replace("-", "").replace("_", "").isalnum()
    read = read_link(token, key)
    assert read is not None
    assert (read.created, read.seconds) == (link.created, link.seconds)
    assert sign_link(read, key) == token


@given(some_links)
def test_link_is_invalid_with_another_key(link: Link) -> None:
    assert read_link(sign_link(link, KEY), KEY + "k") is None


def test_every_change_of_a_character_invalidates_a_token() -> None:
    token = sign_link(ANNA, KEY)
    for position in range(len(token)):
        for letter in ALPHABET:
            changed = token[:position] + letter + token[position + 1 :]
            assert (read_link(changed, KEY) == ANNA) == (changed == token)
        assert read_link(token[:position] + token[position + 1 :], KEY) is None
        assert read_link(token[:position], KEY) is None
    for letter in ALPHABET:
        assert read_link(token + letter, KEY) is None


@given(st.text(max_size=400))
def test_arbitrary_text_is_not_a_link(token: str) -> None:
    assert read_link(token, KEY) is None


def test_longest_name_is_valid_and_tokens_are_short() -> None:
    link = Link("𝄞" * MAX_NAME_LENGTH, 2**32 - 1, links.MAX_LIFETIME)
    assert read_link(sign_link(link, KEY), KEY) == link
    assert len(sign_link(ANNA, KEY)) == 38


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return one == other

    monkeypatch.setattr(hmac, "compare_digest", compare)
    wrong = "A" + sign_link(ANNA, KEY)[1:]
    assert read_link(wrong, KEY) is None
    assert compared == [(16, 16)]


def test_remaining_time() -> None:
    assert ANNA.remaining(ANNA.created) == 7200
    assert ANNA.remaining(ANNA.created + 7199.5) == 0.5
    assert ANNA.remaining(ANNA.created + 7200) == 0


def test_slow_clock_does_not_extend_a_link() -> None:
    assert ANNA.remaining(5.0) == 7200
    assert ANNA.is_from_the_future(5.0)
    assert not ANNA.is_from_the_future(ANNA.created - 30)


@pytest.mark.parametrize("name", ["", "Anna & Jürgen", "安娜", "x" * MAX_NAME_LENGTH])
def test_valid_names(name: str) -> None:
    assert is_name(name)
    read = read_link(sign_link(Link(name, 1, 1), KEY), KEY)
    assert read is not None
    assert read.name == name


@pytest.mark.parametrize("name", ["a\nb", "\x1b[31m", "\u202eevil", "x" * (MAX_NAME_LENGTH + 1)])
def test_invalid_names(name: str) -> None:
    assert not is_name(name)
