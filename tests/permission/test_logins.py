"""Log-ins that last, and all that ends them."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from kasmd.errors import UnknownPrincipal
from kasmd.interfaces import Account, Principal
from kasmd.permission.accounts import MemoryAccounts
from kasmd.permission.logins import Logins
from kasmd.permission.registry import Registry
from kasmd.permission.sessions import Lifetime
from kasmd.rights import READ, WRITE, Right


class House:
    """Two accounts, their log-ins and a registry."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.accounts = MemoryAccounts(Account(name, "x", WRITE) for name in ("ann", "bob"))
        self.logins = Logins(self.accounts, self.clock.seconds, Lifetime(10.0, 100.0, 3))
        self.registry = Registry(self.accounts, proofs={"login": self.logins})

    def principal(self, secret: str) -> Principal:
        principal = self.logins.principal(secret)
        assert principal is not None
        return principal


@pytest.fixture
def house() -> House:
    return House()


def test_a_log_in_is_who_it_says(house: House) -> None:
    secret = house.logins.start("ann")
    principal = house.principal(secret)
    assert principal[:2] == ("ann", "login")
    (login,) = house.logins.logins()
    assert login == (principal.ident, "ann", 0.0, 0.0)
    assert secret not in repr(house.logins.logins())


def test_only_an_account_logs_in(house: House) -> None:
    with pytest.raises(UnknownPrincipal):
        house.logins.start("nobody")


def test_each_log_in_is_a_new_one(house: House) -> None:
    assert house.logins.start("ann") != house.logins.start("ann")
    assert len({login.ident for login in house.logins.logins()}) == 2


def test_log_out_ends_its_grants_and_no_others(house: House) -> None:
    one, other = (house.principal(house.logins.start("ann")) for _ in range(2))
    grants = [house.registry.admit(each, "desktop") for each in (one, one, other)]
    basic = house.registry.admit(Principal("ann"), "desktop")
    told: list[bool] = []
    grants[0].when_changed(lambda: told.append(grants[1].holds(Right.ENTER)))
    assert house.logins.end(one.ident)
    assert told == [False]
    assert [grant.holds(Right.ENTER) for grant in grants] == [False, False, True]
    assert basic.holds(WRITE)
    assert not house.logins.end(one.ident)
    with pytest.raises(UnknownPrincipal, match="no login any more"):
        house.registry.admit(one, "desktop")


@pytest.mark.parametrize("change", ["remove", "secret", "again"])
def test_the_account_s_end_or_new_password_ends_it(house: House, change: str) -> None:
    secret, bobs = house.logins.start("ann"), house.logins.start("bob")
    grant = house.registry.admit(house.principal(secret), "desktop")
    if change == "secret":
        house.accounts.put(Account("ann", "y", WRITE))
    else:
        house.accounts.remove("ann")
    if change == "again":
        house.accounts.put(Account("ann", "x", WRITE))
    assert house.logins.principal(secret) is None
    assert not grant.holds(Right.ENTER)
    assert house.principal(bobs).name == "bob"


def test_other_rights_leave_it(house: House) -> None:
    grant = house.registry.admit(house.principal(house.logins.start("ann")), "desktop")
    house.accounts.put(Account("ann", "x", READ))
    assert grant.holds(READ | Right.ENTER) and not grant.holds(Right.KEYBOARD)


def test_time_ends_the_grants_of_those_who_are_not_here(house: House) -> None:
    principal = house.principal(house.logins.start("ann"))
    grant = house.registry.admit(principal, "desktop")
    house.clock.advance(9)
    house.logins.expire([ident for _, ident in house.registry.present()])
    house.clock.advance(9)
    assert grant.holds(Right.ENTER)
    house.clock.advance(1)
    house.logins.expire([])
    assert not grant.holds(Right.ENTER)
