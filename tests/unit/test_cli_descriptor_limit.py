"""The limit of descriptors is raised as far as it is useful, and never lowered."""

import resource

import pytest

from broadcaster.cli import streams

ENDLESS = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 524288), (65536, 524288)),
        ((1024, 4096), (4096, 4096)),
        ((1024, ENDLESS), (65536, ENDLESS)),
        ((65536, 65536), None),
        ((100000, 524288), None),
        ((ENDLESS, ENDLESS), None),
    ],
)
def test_as_far_as_it_is_useful(before, after, monkeypatch):
    done = []
    monkeypatch.setattr(resource, "getrlimit", lambda what: before)
    monkeypatch.setattr(resource, "setrlimit", lambda what, limits: done.append(limits))
    streams.raise_descriptor_limit()
    assert done == ([] if after is None else [after])


def test_where_it_may_not_be_raised_the_daemon_starts_all_the_same(monkeypatch):
    def refuse(what, limits):
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda what: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    streams.raise_descriptor_limit()
