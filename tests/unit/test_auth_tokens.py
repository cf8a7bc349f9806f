"""Comparison, strength and generation of tokens."""

import re

import pytest

from broadcaster.auth.tokens import MIN_LENGTH, bearer_token, is_weak, make_token, tokens_match


def test_tokens_match_only_if_equal() -> None:
    assert tokens_match("gehëim", "gehëim")
    assert not tokens_match("gehëim ", "gehëim")


def test_bearer_token_is_read_from_the_header() -> None:
    assert bearer_token("Bearer abc") == bearer_token("bearer  abc") == "abc"
    assert bearer_token("Basic abc") is bearer_token(None) is bearer_token("Bearer ") is None


@pytest.mark.parametrize(
    "token",
    [
        "a" * 20,
        "a" * 256,
        "abababababababababab",
        "12345678901234567890",
        "98765432109876543210",
        "abcdefghijklmnopqrstuvwxyz",
        "passwordpasswordpassword",
        "111111111111111111112",
        "xyzxyzxyzxyzxyzxyzxyz-1",
    ],
)
def test_weak_tokens(token: str) -> None:
    assert len(token) >= MIN_LENGTH
    assert is_weak(token)


@pytest.mark.parametrize(
    "token", ["correct-horse-battery-staple", "unmade gravel topaz lunch".replace(" ", ""), "Xk3-vP9_qL2.wM7+tR5z"]
)
def test_strong_tokens(token: str) -> None:
    assert not is_weak(token)


def test_generated_tokens_are_strong_url_safe_and_unique() -> None:
    tokens = {make_token() for _ in range(200)}
    assert len(tokens) == 200
    assert all(re.fullmatch(rf"[A-Za-z0-9_-]{{{MIN_LENGTH},}}", token) and not is_weak(token) for token in tokens)
