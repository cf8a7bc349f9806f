"""Headers of WHEP responses."""

import re

import pytest

from broadcaster.web.whep_headers import cors, links, matches, preflight

LINK = re.compile(
    r'^<(.+?)>; rel="ice-server"(; username="(.*?)"; credential="(.*?)"; credential-type="password")?', re.IGNORECASE
)
"""How a widely used player reads them."""

STUN = {"urls": ["stun:stun.example.org"]}
TURN = {
    "urls": ["turn:turn.example.org?transport=udp", "turns:turn.example.org"],
    "username": "1800000000:v1",
    "credential": "c2VjcmV0/+=",
}


def test_each_url_has_a_link_that_players_can_read() -> None:
    read = [LINK.match(link) for link in links([STUN, TURN])]
    assert [(match[1], match[3], match[4]) for match in read if match] == [
        ("stun:stun.example.org", None, None),
        ("turn:turn.example.org?transport=udp", "1800000000:v1", "c2VjcmV0/+="),
        ("turns:turn.example.org", "1800000000:v1", "c2VjcmV0/+="),
    ]


def test_links_without_credentials_have_no_turn_servers() -> None:
    assert list(links([STUN, TURN], with_credentials=False)) == ['<stun:stun.example.org>; rel="ice-server"']


def test_quotes_in_credentials_are_escaped() -> None:
    (link,) = links([{"urls": ["turn:a"], "username": 'a"b', "credential": "c\\d"}])
    assert 'username="a\\"b"; credential="c\\\\d"' in link


def test_pages_of_other_origins_may_read_what_they_need() -> None:
    headers = cors("https://player.example")
    assert headers["Access-Control-Allow-Origin"] == "https://player.example"
    assert headers["Access-Control-Expose-Headers"] == "Location, ETag, Link, Retry-After"
    asked = preflight("https://player.example")
    assert {"POST", "PATCH", "DELETE"} <= set(asked["Access-Control-Allow-Methods"].split(", "))
    assert {"Authorization", "Content-Type", "If-Match"} <= set(asked["Access-Control-Allow-Headers"].split(", "))


def test_without_an_origin_there_are_no_cors_headers() -> None:
    assert not any(name.startswith("Access-Control") for name in (*cors(None), *preflight(None)))


@pytest.mark.parametrize("if_match", [None, "*", '"a1"', '"x", "a1"', 'W/"x", *', ' "x,y" ,, "a1"\t'])
def test_if_match_of_real_players_matches(if_match: str | None) -> None:
    assert matches(if_match, '"a1"')


@pytest.mark.parametrize("if_match", ["", '"x"', "a1", 'W/"a1"', '"a*b"', "a*", '"x, *"', '"x" *', '*"', '"x", "a1'])
def test_other_etags_do_not_match(if_match: str) -> None:
    assert not matches(if_match, '"a1"')
