"""What every IPermissionRegistry must do, over accounts and over memory."""

from __future__ import annotations

import gc
import weakref
from typing import Any, Callable, Mapping, NamedTuple

import pytest
from zope.interface.verify import verifyObject

from kasmd.errors import PermissionDenied, UnknownPrincipal
from kasmd.interfaces import Account, IGrant, IPermissionRegistry
from kasmd.permission.accounts import MemoryAccounts
from kasmd.permission.registry import MemoryRegistry, Registry
from kasmd.rights import NOTHING, OWNER, READ, WRITE, Right


class Subject(NamedTuple):
    """A registry, and how whoever keeps the accounts changes them."""

    registry: Any
    set: Callable[[str, Right], None]
    remove: Callable[[str], None]


def over_accounts(rights: Mapping[str, Right]) -> Subject:
    accounts = MemoryAccounts(Account(name, "!", right) for name, right in rights.items())
    return Subject(
        Registry(accounts),
        lambda name, right: accounts.put(Account(name, "!", right)),
        accounts.remove,
    )


def over_memory(rights: Mapping[str, Right]) -> Subject:
    registry = MemoryRegistry(rights)
    return Subject(registry, registry.set, registry.remove)


@pytest.fixture(params=[over_accounts, over_memory])
def subject(request: pytest.FixtureRequest) -> Subject:
    return request.param({"ann": WRITE, "bob": READ, "eve": NOTHING, "root": OWNER})


def test_interfaces(subject: Subject) -> None:
    assert verifyObject(IPermissionRegistry, subject.registry)
    assert verifyObject(IGrant, subject.registry.admit("ann", "desktop"))


def test_unknown_principal(subject: Subject) -> None:
    for name in ("mallory", "", "ANN", "ann "):
        with pytest.raises(UnknownPrincipal, match="no account"):
            subject.registry.admit(name, "desktop")


def test_rights_are_those_of_the_account(subject: Subject) -> None:
    wanted = {"ann": WRITE, "bob": READ, "eve": NOTHING, "root": OWNER}
    for name, rights in wanted.items():
        grant = subject.registry.admit(name, "desktop")
        assert grant.name == name
        assert {right for right in Right if grant.holds(right)} == set(rights | Right.ENTER)


def test_require_names_who_and_what(subject: Subject) -> None:
    grant = subject.registry.admit("bob", "desktop")
    grant.require(Right.VIEW)
    with pytest.raises(PermissionDenied, match="'bob'.*KEYBOARD"):
        grant.require(Right.KEYBOARD)


def test_all_of_what_is_asked_must_be_held(subject: Subject) -> None:
    grant = subject.registry.admit("bob", "desktop")
    assert grant.holds(Right.VIEW | Right.ENTER)
    assert not grant.holds(Right.VIEW | Right.KEYBOARD)
    assert not grant.holds(NOTHING)


def test_change_reaches_every_grant_before_it_is_reported_done(subject: Subject) -> None:
    first, second = (subject.registry.admit("ann", "desktop") for _ in range(2))
    other = subject.registry.admit("bob", "desktop")
    told: list[tuple[bool, bool]] = []
    # Whoever is told first already sees the other grant changed, too.
    for grant in (first, second):
        grant.when_changed(
            lambda: told.append((first.holds(Right.KEYBOARD), second.holds(Right.KEYBOARD)))
        )
    other.when_changed(lambda: told.append((True, True)))
    subject.set("ann", READ)
    assert told == [(False, False), (False, False)]
    assert first.holds(Right.VIEW) and second.holds(Right.VIEW)


def test_no_change_tells_nobody(subject: Subject) -> None:
    told: list[str] = []
    grant = subject.registry.admit("ann", "desktop")
    grant.when_changed(lambda: told.append("ann"))
    subject.set("ann", WRITE)
    subject.set("bob", WRITE)
    assert told == []


def test_removed_account_loses_everything_for_good(subject: Subject) -> None:
    grant = subject.registry.admit("ann", "desktop")
    told: list[bool] = []
    grant.when_changed(lambda: told.append(grant.holds(Right.ENTER)))
    subject.remove("ann")
    assert told == [False]
    subject.set("ann", WRITE)
    assert not any(grant.holds(right) for right in Right)
    assert subject.registry.admit("ann", "desktop").holds(WRITE)


def test_released_grant_holds_nothing_and_is_told_nothing(subject: Subject) -> None:
    grant = subject.registry.admit("ann", "desktop")
    told: list[str] = []
    grant.when_changed(lambda: told.append("ann"))
    grant.release()
    grant.release()
    subject.set("ann", OWNER)
    assert told == []
    assert not any(grant.holds(right) for right in Right)


def test_callbacks_are_ordered_and_may_end_midway(subject: Subject) -> None:
    grant = subject.registry.admit("ann", "desktop")
    told: list[str] = []

    def first() -> None:
        told.append("first")
        end_second()

    grant.when_changed(first)
    end_second = grant.when_changed(lambda: told.append("second"))
    grant.when_changed(lambda: told.append("third"))
    subject.set("ann", READ)
    assert told == ["first", "third"]
    end_second()


def test_a_failing_callback_harms_nobody(subject: Subject) -> None:
    told: list[str] = []
    grants = [subject.registry.admit(name, "desktop") for name in ("ann", "bob")]
    for grant in grants:
        grant.when_changed(lambda: [][0])
        grant.when_changed(lambda name=grant.name: told.append(name))
    subject.set("ann", READ)
    subject.set("bob", WRITE)
    assert told == ["ann", "bob"]


def test_a_holder_may_leave_or_change_accounts_while_told(subject: Subject) -> None:
    one, two = (subject.registry.admit("ann", "desktop") for _ in range(2))
    bob = subject.registry.admit("bob", "desktop")
    one.when_changed(two.release)
    two.when_changed(one.release)
    for grant in (one, two):
        grant.when_changed(lambda: subject.remove("bob") if bob.holds(Right.ENTER) else None)
    subject.set("ann", READ)
    assert sorted([one.holds(READ), two.holds(READ)]) in ([False, False], [False, True])
    assert len(subject.registry) <= 1


def test_nothing_leaks(subject: Subject) -> None:
    forgotten = subject.registry.admit("ann", "desktop")
    for _ in range(1000):
        subject.registry.admit("ann", "desktop").release()
    assert len(subject.registry) == 1
    watched = weakref.ref(forgotten)
    del forgotten
    gc.collect()
    assert watched() is None
    assert len(subject.registry) == 0
