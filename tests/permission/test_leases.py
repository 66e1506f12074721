"""Grants that live by a control plane's word."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from kasmd.errors import UnknownPrincipal
from kasmd.interfaces import Principal
from kasmd.permission import leases as module
from kasmd.permission.leases import LEASE, Leases
from kasmd.rights import READ, Right

ADA = Principal("ada", LEASE, "proof-of-ada")
BOB = Principal("bob", LEASE, "proof-of-bob")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leases(clock: Clock) -> Leases:
    return Leases(clock.seconds)


def test_an_answer_counts_until_its_lease_is_over(leases: Leases, clock: Clock) -> None:
    leases.put(ADA, "desk", Right.ENTER, 5.0)
    clock.advance(4.9)
    assert leases.current(ADA.ident, "desk") is not None
    assert leases.current(ADA.ident, "other") is None
    assert leases.current(BOB.ident, "desk") is None
    clock.advance(0.1)
    assert leases.current(ADA.ident, "desk") is None


def test_it_is_known_how_long_it_counts(leases: Leases, clock: Clock) -> None:
    assert leases.left(ADA, "desk") == 0
    leases.put(ADA, "desk", Right.ENTER, 5.0)
    clock.advance(2)
    assert leases.left(ADA, "desk") == 3
    assert leases.left(ADA, "other") == leases.left(BOB, "desk") == 0
    clock.advance(60)
    assert leases.left(ADA, "desk") == 0


def test_a_lease_of_no_seconds_is_never_current_but_admits_who_asked(leases: Leases) -> None:
    leases.put(ADA, "desk", Right.ENTER, 0)
    assert leases.current(ADA.ident, "desk") is None
    assert leases.admit(ADA, "desk").holds(Right.ENTER)


def test_nobody_is_admitted_without_a_lease(leases: Leases) -> None:
    leases.put(ADA, "desk", Right.ENTER, 5)
    with pytest.raises(UnknownPrincipal):
        leases.admit(BOB, "desk")
    with pytest.raises(UnknownPrincipal):
        leases.admit(ADA, "other")


def test_new_rights_reach_the_grants_that_are_out(leases: Leases) -> None:
    leases.put(ADA, "desk", Right.ENTER | READ, 5)
    grant = leases.admit(ADA, "desk")
    told: list[bool] = []
    grant.when_changed(lambda: told.append(grant.holds(READ)))
    leases.put(ADA, "desk", Right.ENTER | READ, 5)
    assert told == []
    leases.put(ADA, "desk", Right.ENTER, 5)
    assert told == [False]
    assert grant.holds(Right.ENTER)


@pytest.mark.parametrize(
    ("name", "target", "left"),
    [
        ("ada", None, {("bob", "desk"), ("bob", "other")}),
        (None, "desk", {("ada", "other"), ("bob", "other")}),
        ("ada", "desk", {("ada", "other"), ("bob", "desk"), ("bob", "other")}),
        (None, None, set()),
        ("eve", None, {("ada", "desk"), ("ada", "other"), ("bob", "desk"), ("bob", "other")}),
    ],
)
def test_a_revocation_ends_its_grants_and_no_others(
    leases: Leases, name: str, target: str, left: set[tuple[str, str]]
) -> None:
    grants = {}
    for principal in (ADA, BOB):
        for session in ("desk", "other"):
            leases.put(principal, session, Right.ENTER, 60)
            grants[principal.name, session] = leases.admit(principal, session)
    told: list[tuple[str, str]] = []
    for key, grant in grants.items():
        grant.when_changed(lambda key=key: told.append(key))  # type: ignore[misc]
    assert leases.revoke(name, target) == 4 - len(left)
    assert {key for key, grant in grants.items() if grant.holds(Right.ENTER)} == left
    assert set(told) == set(grants) - left
    assert len(leases) == len(left)


def test_the_leases_of_sessions_end_one_after_the_other(leases: Leases) -> None:
    grants = {}
    for principal, target in ((ADA, "a"), (BOB, "b"), (ADA, "c")):
        leases.put(principal, target, Right.ENTER, 5.0)
        grants[target] = leases.admit(principal, target)

    def left() -> list[str]:
        return [target for target in grants if grants[target].holds(Right.ENTER)]

    steps = leases.ending({"a", "b"})
    # What is there already when it is said is meant, and nothing that comes later.
    leases.revoke(target="b")
    leases.put(BOB, "b", Right.ENTER, 5.0)
    grants["b"] = leases.admit(BOB, "b")
    assert left() == ["a", "b", "c"]
    next(steps)
    assert left() == ["b", "c"]
    assert list(steps) == [None]
    assert left() == ["b", "c"] and len(leases) == 2


def test_what_is_over_is_forgotten_unless_it_is_in_use(leases: Leases, clock: Clock) -> None:
    leases.put(ADA, "desk", Right.ENTER, 5)
    leases.put(BOB, "desk", Right.ENTER, 5)
    grant = leases.admit(ADA, "desk")
    assert list(leases.over()) == []
    clock.advance(5)
    assert [lease.principal for lease in leases.over()] == [ADA]
    assert len(leases) == 1
    grant.release()
    assert list(leases.over()) == []
    assert len(leases) == 0


def test_leases_are_bounded_and_the_idle_go_first(leases: Leases) -> None:
    held = leases.put(ADA, "held", Right.ENTER, 1)
    grant = leases.admit(ADA, "held")
    for number in range(module.MAX_LEASES + 5):
        leases.put(ADA, f"desk-{number}", Right.ENTER, 60)
    assert len(leases) == module.MAX_LEASES
    assert leases.current(ADA.ident, "held") is held
    assert grant.holds(Right.ENTER)
