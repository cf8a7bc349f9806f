"""The limit of file descriptors is raised to a useful value, and never lowered."""

import resource

import pytest

from broadcaster.cli import streams

UNLIMITED = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 524288), (65536, 524288)),
        ((1024, 4096), (4096, 4096)),
        ((1024, UNLIMITED), (65536, UNLIMITED)),
        ((65536, 65536), None),
        ((100000, 524288), None),
        ((UNLIMITED, UNLIMITED), None),
    ],
)
def test_soft_limit_is_raised_to_a_useful_value(before, after, monkeypatch):
    calls = []
    monkeypatch.setattr(resource, "getrlimit", lambda what: before)
    monkeypatch.setattr(resource, "setrlimit", lambda what, limits: calls.append(limits))
    streams.raise_descriptor_limit()
    assert calls == ([] if after is None else [after])


def test_failure_to_raise_the_limit_is_ignored(monkeypatch):
    def refuse(what, limits):
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda what: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    streams.raise_descriptor_limit()
