"""What every IPermissionRegistry must do, over accounts and over memory."""

from __future__ import annotations

import gc
import weakref
from typing import Any, Callable, Mapping, NamedTuple, Optional

import pytest
from zope.interface.verify import verifyObject

from kasmd.errors import PermissionDenied, UnknownPrincipal
from kasmd.interfaces import Account, IGrant, IPermissionRegistry, Principal
from kasmd.permission.accounts import MemoryAccounts
from kasmd.permission.callbacks import Callbacks
from kasmd.permission.registry import MemoryRegistry, Registry
from kasmd.rights import NOTHING, OWNER, READ, WRITE, Right


class Proofs:
    """Proofs of one kind: what is set for an ident, until it is ended."""

    def __init__(self) -> None:
        self.ceilings: dict[str, Right] = {}
        self._callbacks = Callbacks()
        self.when_changed = self._callbacks.add

    def ceiling(self, ident: str) -> Optional[Right]:
        return self.ceilings.get(ident)

    def set(self, ident: str, ceiling: Optional[Right]) -> None:
        if ceiling is None:
            del self.ceilings[ident]
        else:
            self.ceilings[ident] = ceiling
        self._callbacks.call()


class Subject(NamedTuple):
    """A registry, and how whoever keeps the accounts and the proofs changes them."""

    registry: Any
    set: Callable[[str, Right], None]
    remove: Callable[[str], None]
    proofs: Mapping[str, Proofs]


def over_accounts(rights: Mapping[str, Right]) -> Subject:
    accounts = MemoryAccounts(Account(name, "!", right) for name, right in rights.items())
    proofs = {kind: Proofs() for kind in ("login", "token", "invitation")}
    return Subject(
        Registry(accounts, proofs=proofs),
        lambda name, right: accounts.put(Account(name, "!", right)),
        accounts.remove,
        proofs,
    )


def over_memory(rights: Mapping[str, Right]) -> Subject:
    proofs = {kind: Proofs() for kind in ("login", "token", "invitation")}
    registry = MemoryRegistry(rights, proofs)
    return Subject(registry, registry.set, registry.remove, proofs)


@pytest.fixture(params=[over_accounts, over_memory])
def subject(request: pytest.FixtureRequest) -> Subject:
    return request.param({"ann": WRITE, "bob": READ, "eve": NOTHING, "root": OWNER})


def test_interfaces(subject: Subject) -> None:
    assert verifyObject(IPermissionRegistry, subject.registry)
    assert verifyObject(IGrant, subject.registry.admit(Principal("ann"), "desktop"))


def test_unknown_principal(subject: Subject) -> None:
    for name in ("mallory", "", "ANN", "ann "):
        with pytest.raises(UnknownPrincipal, match="no account"):
            subject.registry.admit(Principal(name), "desktop")


def test_rights_are_those_of_the_account(subject: Subject) -> None:
    wanted = {"ann": WRITE, "bob": READ, "eve": NOTHING, "root": OWNER}
    for name, rights in wanted.items():
        grant = subject.registry.admit(Principal(name), "desktop")
        assert grant.name == name
        assert {right for right in Right if grant.holds(right)} == set(rights | Right.ENTER)


def test_require_names_who_and_what(subject: Subject) -> None:
    grant = subject.registry.admit(Principal("bob"), "desktop")
    grant.require(Right.VIEW)
    with pytest.raises(PermissionDenied, match="'bob'.*KEYBOARD"):
        grant.require(Right.KEYBOARD)


def test_all_of_what_is_asked_must_be_held(subject: Subject) -> None:
    grant = subject.registry.admit(Principal("bob"), "desktop")
    assert grant.holds(Right.VIEW | Right.ENTER)
    assert not grant.holds(Right.VIEW | Right.KEYBOARD)
    assert not grant.holds(NOTHING)


def test_change_reaches_every_grant_before_it_is_reported_done(subject: Subject) -> None:
    first, second = (subject.registry.admit(Principal("ann"), "desktop") for _ in range(2))
    other = subject.registry.admit(Principal("bob"), "desktop")
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
    grant = subject.registry.admit(Principal("ann"), "desktop")
    grant.when_changed(lambda: told.append("ann"))
    subject.set("ann", WRITE)
    subject.set("bob", WRITE)
    assert told == []


def test_removed_account_loses_everything_for_good(subject: Subject) -> None:
    grant = subject.registry.admit(Principal("ann"), "desktop")
    told: list[bool] = []
    grant.when_changed(lambda: told.append(grant.holds(Right.ENTER)))
    subject.remove("ann")
    assert told == [False]
    subject.set("ann", WRITE)
    assert not any(grant.holds(right) for right in Right)
    assert subject.registry.admit(Principal("ann"), "desktop").holds(WRITE)


def test_released_grant_holds_nothing_and_is_told_nothing(subject: Subject) -> None:
    grant = subject.registry.admit(Principal("ann"), "desktop")
    told: list[str] = []
    grant.when_changed(lambda: told.append("ann"))
    grant.release()
    grant.release()
    subject.set("ann", OWNER)
    assert told == []
    assert not any(grant.holds(right) for right in Right)


def test_callbacks_are_ordered_and_may_end_midway(subject: Subject) -> None:
    grant = subject.registry.admit(Principal("ann"), "desktop")
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
    grants = [subject.registry.admit(Principal(name), "desktop") for name in ("ann", "bob")]
    for grant in grants:
        grant.when_changed(lambda: [][0])
        grant.when_changed(lambda name=grant.name: told.append(name))
    subject.set("ann", READ)
    subject.set("bob", WRITE)
    assert told == ["ann", "bob"]


def test_a_holder_may_leave_or_change_accounts_while_told(subject: Subject) -> None:
    one, two = (subject.registry.admit(Principal("ann"), "desktop") for _ in range(2))
    bob = subject.registry.admit(Principal("bob"), "desktop")
    one.when_changed(two.release)
    two.when_changed(one.release)
    for grant in (one, two):
        grant.when_changed(lambda: subject.remove("bob") if bob.holds(Right.ENTER) else None)
    subject.set("ann", READ)
    assert sorted([one.holds(READ), two.holds(READ)]) in ([False, False], [False, True])
    assert len(subject.registry) <= 1


def test_nothing_leaks(subject: Subject) -> None:
    forgotten = subject.registry.admit(Principal("ann"), "desktop")
    for _ in range(1000):
        subject.registry.admit(Principal("ann"), "desktop").release()
    assert len(subject.registry) == 1
    watched = weakref.ref(forgotten)
    del forgotten
    gc.collect()
    assert watched() is None
    assert len(subject.registry) == 0


@pytest.mark.parametrize("kind", ["login", "token"])
def test_an_account_s_rights_within_its_proof(subject: Subject, kind: str) -> None:
    proofs = subject.proofs[kind]
    proofs.set("1", Right.ENTER | WRITE)
    grant = subject.registry.admit(Principal("ann", kind, "1"), "desktop")
    assert grant.name == "ann" and grant.holds(WRITE) and not grant.holds(Right.MANAGE)
    proofs.set("1", Right.ENTER | READ)
    assert {right for right in Right if grant.holds(right)} == {Right.ENTER, Right.VIEW}
    subject.set("ann", OWNER)
    assert {right for right in Right if grant.holds(right)} == {Right.ENTER}
    subject.remove("ann")
    assert not grant.holds(Right.ENTER)


def test_a_guest_needs_no_account_and_has_none_s_rights(subject: Subject) -> None:
    subject.proofs["invitation"].set("1", Right.ENTER | READ)
    for name in ("guest: Eve", "ann"):
        grant = subject.registry.admit(Principal(name, "invitation", "1"), "desktop")
        assert {right for right in Right if grant.holds(right)} == {Right.ENTER, Right.VIEW}
    subject.set("ann", OWNER)
    assert grant.holds(Right.VIEW) and not grant.holds(Right.MANAGE)


@pytest.mark.parametrize("kind", ["login", "token", "invitation"])
def test_the_end_of_a_proof_is_the_end_of_its_grants_for_good(subject: Subject, kind: str) -> None:
    proofs = subject.proofs[kind]
    for ident in "12":
        proofs.set(ident, Right.ENTER | READ)
    first, again, other = (
        subject.registry.admit(Principal("ann", kind, ident), "desktop") for ident in "112"
    )
    assert subject.registry.present() == {(kind, "1"), (kind, "2")}
    told: list[bool] = []
    first.when_changed(lambda: told.append(again.holds(Right.ENTER)))
    proofs.set("1", None)
    assert told == [False]
    proofs.set("1", Right.ENTER | READ)
    assert [grant.holds(Right.ENTER) for grant in (first, again, other)] == [False, False, True]
    assert subject.registry.present() == {(kind, "2")}


@pytest.mark.parametrize("principal", [
    Principal("ann", "login", "no such"),
    Principal("ann", "token"),
    Principal("guest", "invitation", ""),
    Principal("ann", "hearsay", "1"),
    Principal("ann", "ticket", "1"),
    Principal("ann", ""),
])
def test_without_a_proof_nobody_enters(subject: Subject, principal: Principal) -> None:
    with pytest.raises(UnknownPrincipal):
        subject.registry.admit(principal, "desktop")
