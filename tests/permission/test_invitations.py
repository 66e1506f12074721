"""Invitations: who gets in by a link, how often, how many, until when."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock

from kasmd.errors import AccountsError, LoginRefused, UnknownPrincipal
from kasmd.interfaces import Account
from kasmd.permission.accounts import MemoryAccounts
from kasmd.permission.grant import Grant
from kasmd.permission.invitations import ARRIVAL, Invitation, Invitations, load_key
from kasmd.permission.registry import Registry
from kasmd.permission.sessions import Lifetime
from kasmd.rights import OWNER, READ, WRITE, Right
from tests.permission.disk import inline, now


class House:
    """An owner who invites."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "invitations.json"
        self.clock = Clock()
        self.accounts = MemoryAccounts([Account("ann", "x", OWNER), Account("bob", "x", OWNER)])
        self.key = load_key(str(folder / "key"))
        self.open_again()

    def open_again(self) -> None:
        self.invitations = Invitations(
            self.accounts, str(self.path), self.key, self.clock.seconds, self.clock.seconds,
            inline(), Lifetime(1000.0, 10_000.0),
        )
        self.registry = Registry(self.accounts, proofs={"invitation": self.invitations})

    def invite(self, **named: Any) -> Invitation:
        given = {"label": "Eve", "maker": "ann", "rights": READ, "expires": 100.0, **named}
        return now(self.invitations.make(**given))

    def enter(self, invitation: Invitation) -> Grant:
        """Open the link and connect, as a browser would."""
        present = {ident for _, ident in self.registry.present()}
        secret = now(self.invitations.open(self.invitations.code(invitation.ident), present))
        principal = self.invitations.principal(secret)
        assert principal is not None
        return self.registry.admit(principal, "desktop")


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_guest_has_the_invitation_s_rights_and_no_account(house: House) -> None:
    grant = house.enter(house.invite(rights=READ | Right.POINTER))
    held = {right for right in Right if grant.holds(right)}
    assert held == {Right.ENTER, Right.VIEW, Right.POINTER}
    assert grant.principal[:2] == ("guest: Eve", "invitation")
    with pytest.raises(AccountsError):
        now(house.accounts.put(Account(grant.name, "x", READ)))


def test_it_is_counted_durably(house: House) -> None:
    invitation = house.invite(uses=3, guests=5)
    for used in (1, 2, 3):
        house.enter(invitation)
        house.open_again()
        assert house.invitations.invitations()[0].used == used
    with pytest.raises(LoginRefused, match="used up"):
        house.enter(invitation)


def test_uses_are_not_lost_to_those_who_come_at_once(house: House) -> None:
    invitation = house.invite(uses=10, guests=100)
    entered = 0
    for _ in range(50):
        try:
            now(house.invitations.open(house.invitations.code(invitation.ident)))
            entered += 1
        except LoginRefused:
            continue
    assert entered == 10


def test_one_guest_at_a_time(house: House) -> None:
    invitation = house.invite()
    first = house.enter(invitation)
    house.clock.advance(ARRIVAL + 1)
    with pytest.raises(LoginRefused, match="in use"):
        house.enter(invitation)
    first.release()
    assert house.enter(invitation).holds(Right.VIEW)


def test_a_guest_has_time_to_arrive(house: House) -> None:
    invitation = house.invite()
    secret = now(house.invitations.open(house.invitations.code(invitation.ident)))
    with pytest.raises(LoginRefused, match="in use"):
        house.enter(invitation)
    house.clock.advance(ARRIVAL)
    house.enter(invitation)
    assert house.invitations.principal(secret) is None


def test_a_refused_guest_is_not_counted(house: House) -> None:
    invitation = house.invite()
    held = house.enter(invitation)
    with pytest.raises(LoginRefused):
        house.enter(invitation)
    assert held.holds(Right.VIEW)
    assert house.invitations.invitations()[0].used == 1


@pytest.mark.parametrize("end", ["revoke", "expire", "maker removed", "maker demoted"])
def test_its_end_ends_its_guests(house: House, end: str) -> None:
    invitation, other = house.invite(), house.invite(maker="bob")
    grant, unharmed = house.enter(invitation), house.enter(other)
    told: list[bool] = []
    grant.when_changed(lambda: told.append(grant.holds(Right.ENTER)))
    if end == "revoke":
        assert now(house.invitations.revoke(invitation.ident))
        assert not now(house.invitations.revoke(invitation.ident))
    elif end == "expire":
        other = house.invite(maker="bob", expires=1000.0)
        unharmed = house.enter(other)
        house.clock.advance(100)
        house.invitations.expire([ident for _, ident in house.registry.present()])
    elif end == "maker removed":
        house.accounts.remove("ann")
    else:
        house.accounts.put(Account("ann", "x", WRITE))
    assert told == [False]
    assert unharmed.holds(Right.VIEW)
    with pytest.raises(LoginRefused, match="not valid"):
        house.enter(invitation)


def test_a_maker_of_the_same_name_is_another_one(house: House) -> None:
    invitation = house.invite()
    house.accounts.remove("ann")
    house.accounts.put(Account("ann", "x", OWNER))
    with pytest.raises(LoginRefused):
        house.enter(invitation)


def test_a_guest_who_is_sent_away_leaves_the_others(house: House) -> None:
    invitation = house.invite(guests=2)
    one, two = house.enter(invitation), house.enter(invitation)
    assert house.invitations.guests(invitation.ident) == [one.principal.ident, two.principal.ident]
    assert house.invitations.end(one.principal.ident)
    assert not one.holds(Right.ENTER) and two.holds(Right.VIEW)
    with pytest.raises(UnknownPrincipal):
        house.registry.admit(one.principal, "desktop")


def test_a_restart_ends_guests_and_leaves_the_link(house: House) -> None:
    invitation = house.invite()
    principal = house.enter(invitation).principal
    code = house.invitations.code(invitation.ident)
    house.open_again()
    assert house.invitations.ceiling(principal.ident) is None
    assert house.invitations.code(invitation.ident) == code
    assert house.enter(invitation).holds(Right.VIEW)


@pytest.mark.parametrize("spoil", [
    lambda code, other: code[:-1],
    lambda code, other: code + "A",
    lambda code, other: code.replace(".", ""),
    lambda code, other: code.partition(".")[0] + "." + other.partition(".")[2],
    lambda code, other: code.partition(".")[0] + ".",
    lambda code, other: "é" + code[1:],
    lambda code, other: "a" * 10_000,
    lambda code, other: "",
])
def test_codes_that_were_not_given(house: House, spoil: Any) -> None:
    code, other = (house.invitations.code(house.invite().ident) for _ in range(2))
    with pytest.raises(LoginRefused, match="not valid"):
        now(house.invitations.open(spoil(code, other)))


def test_a_signed_code_of_no_invitation(house: House) -> None:
    with pytest.raises(LoginRefused, match="not valid"):
        now(house.invitations.open(house.invitations.code("0123456789abcdef")))


def test_another_key_is_another_lock(house: House) -> None:
    code = house.invitations.code(house.invite().ident)
    house.key = bytes(32)
    house.open_again()
    with pytest.raises(LoginRefused, match="not valid"):
        now(house.invitations.open(code))


def test_the_file_holds_no_code(house: House) -> None:
    code = house.invitations.code(house.invite().ident)
    assert code.partition(".")[2] not in house.path.read_text()
    for path in (house.path, house.path.with_name("key")):
        assert os.stat(path).st_mode & 0o777 == 0o600


@pytest.mark.parametrize("wrong, named", [
    ({"rights": READ | Right.MANAGE}, "manages"),
    ({"expires": 0.0}, "expires"),
    ({"expires": float("inf")}, "expires"),
    ({"guests": 0}, "guests"),
    ({"guests": 101}, "guests"),
    ({"uses": 0}, "uses"),
    ({"label": "a\nb"}, "label"),
])
def test_what_cannot_be_asked_for(house: House, wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        house.invite(**wrong)
    assert house.invitations.invitations() == []


def test_where_a_use_cannot_be_counted_nobody_enters(house: House) -> None:
    invitation = house.invite()
    house.path.with_name(".invitations.json.new").mkdir()
    with pytest.raises(AccountsError):
        house.enter(invitation)
    assert house.invitations.guests(invitation.ident) == []


def test_the_key_is_made_once_and_must_be_whole(tmp_path: Path) -> None:
    path = tmp_path / "key"
    key = load_key(str(path))
    assert len(key) == 32 and load_key(str(path)) == key
    path.write_bytes(b"short")
    with pytest.raises(AccountsError, match="no key"):
        load_key(str(path))


@given(st.text(max_size=200))
def test_hostile_secrets_are_nobody_s(text: str) -> None:
    invitations = Invitations(MemoryAccounts(), "/nonexistent/x", bytes(32), Clock().seconds,
                              Clock().seconds, inline())
    assert invitations.principal(text) is None
    with pytest.raises(LoginRefused):
        now(invitations.open(text))
