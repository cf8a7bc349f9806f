"""Tickets: valid once, for 30 s, for the session that got them."""

from itertools import count

from broadcaster.auth.tickets import LIFETIME, MAX_PER_SESSION, Tickets


def make() -> Tickets:
    numbers = count()
    return Tickets(lambda: f"secret{next(numbers)}")


def test_ticket_is_valid_once():
    tickets = make()
    ticket = tickets.issue("v1", 0.0)
    assert tickets.redeem(ticket, 1.0) == "v1"
    assert tickets.redeem(ticket, 1.0) is None


def test_ticket_expires():
    tickets = make()
    early, late = tickets.issue("v1", 0.0), tickets.issue("v1", 0.0)
    assert tickets.redeem(early, LIFETIME - 0.01) == "v1"
    assert tickets.redeem(late, LIFETIME) is None


def test_guess_and_revoked_ticket_are_refused():
    tickets = make()
    ticket = tickets.issue("v1", 0.0)
    assert tickets.redeem("", 0.0) is None
    tickets.revoke("v1")
    tickets.revoke("v1")
    assert tickets.redeem(ticket, 0.0) is None


def test_a_session_has_few_tickets_at_once():
    tickets = make()
    issued = [tickets.issue("v1", 0.0) for _ in range(MAX_PER_SESSION + 2)]
    other = tickets.issue("v2", 0.0)
    assert [tickets.redeem(ticket, 0.0) for ticket in issued] == [None, None] + ["v1"] * MAX_PER_SESSION
    assert tickets.redeem(other, 0.0) == "v2"


def test_lifetime_can_be_set():
    tickets = Tickets(lambda: "secret", 600.0)
    tickets.issue("owner", 0.0)
    assert tickets.redeem("secret", 599.0) == "owner"
