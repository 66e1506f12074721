"""Who may do what in which session, and what a change does to those who are in."""

from __future__ import annotations

from typing import Iterator, Optional

import pytest
from zope.interface.verify import verifyObject

from kasmd.errors import PermissionDenied, UnknownPrincipal
from kasmd.interfaces import Account, IPermissionRegistry, Principal
from kasmd.permission.accounts import MemoryAccounts
from kasmd.permission.callbacks import Callbacks
from kasmd.permission.grant import Grant
from kasmd.permission.registry import EVERYTHING
from kasmd.permission.shares import LOBBY, SessionRegistry, Share
from kasmd.rights import NOTHING, READ, WRITE, Right

ANN, BOB, EVE = (Principal(name) for name in ("ann", "bob", "eve"))


class Sessions:
    """Shares that are set."""

    def __init__(self) -> None:
        self.shares: dict[str, Share] = {}
        self._callbacks = Callbacks()
        self.when_changed = self._callbacks.add

    def share(self, target: str) -> Optional[Share]:
        return self.shares.get(target)

    def spread(self, steps: Iterator[None]) -> None:
        for _ in steps:
            pass

    def set(self, target: str, share: Optional[Share]) -> None:
        self.shares.pop(target, None)
        if share is not None:
            self.shares[target] = share
        self._callbacks.call()


class Proofs:
    """Tokens that carry what is set for them."""

    def __init__(self) -> None:
        self.ceilings: dict[str, Right] = {}
        self._callbacks = Callbacks()
        self.when_changed = self._callbacks.add

    def ceiling(self, ident: str) -> Optional[Right]:
        return self.ceilings.get(ident)

    def changed(self) -> None:
        self._callbacks.call()


class House:
    """Ann's session, in which Bob may look; Eve has an account."""

    def __init__(self) -> None:
        names = ("ann", "bob", "eve")
        self.accounts = MemoryAccounts(Account(name, "x", NOTHING) for name in names)
        self.sessions, self.tokens = Sessions(), Proofs()
        self.share = Share({"ann": EVERYTHING, "bob": Right.ENTER | READ}, "upstream")
        self.sessions.set("a", self.share)
        self.registry = SessionRegistry(
            self.accounts, self.sessions, {"token": self.tokens, "invitation": self.tokens}
        )

    def change(self, *, bob: Optional[Right] = None, bond: object = "upstream") -> None:
        rights = {"ann": EVERYTHING} if bob is None else {"ann": EVERYTHING, "bob": bob}
        self.sessions.set("a", Share(rights, bond))


@pytest.fixture
def house() -> House:
    return House()


def held(grant: Grant) -> Right:
    rights = NOTHING
    for right in Right:
        rights |= right if grant.holds(right) else NOTHING
    return rights


def test_interface(house: House) -> None:
    assert verifyObject(IPermissionRegistry, house.registry)


def test_the_session_says_who_may_what(house: House) -> None:
    assert held(house.registry.admit(ANN, "a")) == EVERYTHING
    assert held(house.registry.admit(BOB, "a")) == Right.ENTER | READ


def test_neither_letters_nor_another_session_help(house: House) -> None:
    house.accounts.put(Account("eve", "x", ~NOTHING))
    house.sessions.set("e", Share({"eve": EVERYTHING}))
    for who, target in ((EVE, "a"), (ANN, "e"), (ANN, "nowhere"), (ANN, "A")):
        with pytest.raises(PermissionDenied, match="is not let into session"):
            house.registry.admit(who, target)
    assert held(house.registry.admit(EVE, "e")) == EVERYTHING


def test_only_accounts_that_there_are(house: House) -> None:
    house.sessions.set("g", Share({"ghost": EVERYTHING}))
    for target in ("g", "a", "nowhere", LOBBY):
        with pytest.raises(UnknownPrincipal):
            house.registry.admit(Principal("ghost"), target)


def test_at_the_door_everybody_has_one_right(house: House) -> None:
    for who in (ANN, BOB, EVE):
        assert held(house.registry.admit(who, LOBBY)) == Right.ENTER


def test_a_proof_narrows(house: House) -> None:
    house.tokens.ceilings["t"] = Right.ENTER | READ
    token = Principal("ann", "token", "t")
    grant = house.registry.admit(token, "a")
    assert held(grant) == Right.ENTER | READ
    del house.tokens.ceilings["t"]
    house.tokens.changed()
    assert held(grant) == NOTHING
    for target in ("a", LOBBY):
        with pytest.raises(UnknownPrincipal):
            house.registry.admit(token, target)


def test_no_guest_and_no_ticket_enters(house: House) -> None:
    house.tokens.ceilings["i"] = EVERYTHING
    for who in (Principal("ann", "invitation", "i"), Principal("ann", "hearsay"),
                Principal("ann", "ticket", "j", EVERYTHING)):
        for target in ("a", LOBBY):
            with pytest.raises(UnknownPrincipal):
                house.registry.admit(who, target)


def test_a_change_of_others_leaves_who_is_in(house: House) -> None:
    grants = [house.registry.admit(ANN, "a"), house.registry.admit(EVE, LOBBY)]
    told: list[str] = []
    for grant in grants:
        grant.when_changed(lambda: told.append("changed"))
    house.sessions.set("b", Share({"bob": EVERYTHING}))
    house.change(bob=Right.ENTER | WRITE)
    house.change(bob=None)
    house.accounts.remove("bob")
    assert told == [] and held(grants[0]) == EVERYTHING


def test_less_ends_it_and_more_does_not(house: House) -> None:
    house.change(bob=Right.ENTER | WRITE)
    first = house.registry.admit(BOB, "a")
    house.change(bob=Right.ENTER | WRITE | Right.MANAGE)
    assert first.holds(Right.MANAGE)
    house.change(bob=Right.ENTER | WRITE)
    assert first.holds(WRITE)
    told: list[bool] = []
    first.when_changed(lambda: told.append(first.holds(Right.ENTER)))
    house.change(bob=Right.ENTER | READ)
    assert told == [False] and held(first) == NOTHING
    house.change(bob=Right.ENTER | WRITE)
    assert held(first) == NOTHING
    assert held(house.registry.admit(BOB, "a")) == Right.ENTER | WRITE


def test_a_narrowed_account_or_proof_ends_it_too(house: House) -> None:
    house.tokens.ceilings["t"] = Right.ENTER | WRITE
    grant = house.registry.admit(Principal("ann", "token", "t"), "a")
    house.registry.recompute()
    assert held(grant) == Right.ENTER | WRITE
    house.tokens.ceilings["t"] = Right.ENTER | READ
    house.tokens.changed()
    assert held(grant) == NOTHING


def test_another_upstream_is_another_session(house: House) -> None:
    grant = house.registry.admit(ANN, "a")
    house.change(bond="elsewhere")
    assert held(grant) == NOTHING
    house.change(bond="upstream")
    assert held(grant) == NOTHING


def test_the_end_of_a_session_or_an_account(house: House) -> None:
    admit = house.registry.admit
    ann, bob, door = admit(ANN, "a"), admit(BOB, "a"), admit(BOB, LOBBY)
    house.accounts.remove("bob")
    assert held(bob) == held(door) == NOTHING and held(ann) == EVERYTHING
    house.sessions.set("a", None)
    assert held(ann) == NOTHING
    house.sessions.set("a", house.share)
    house.accounts.put(Account("bob", "x", NOTHING))
    assert held(ann) == held(bob) == held(door) == NOTHING
    assert len(house.registry) == 0
