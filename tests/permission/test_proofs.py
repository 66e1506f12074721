"""Log-ins, tokens and invitations together: whose is it, and what ends it."""

from __future__ import annotations

from pathlib import Path

import pytest
from twisted.internet.task import Clock

from kasmd.interfaces import Account, Principal
from kasmd.permission.accounts import MemoryAccounts
from kasmd.permission.invitations import Invitations
from kasmd.permission.logins import Logins
from kasmd.permission.proofs import Proofs
from kasmd.permission.registry import INVITATION, LOGIN, TOKEN, Registry
from kasmd.permission.sessions import Lifetime
from kasmd.permission.tokens import Tokens
from kasmd.rights import OWNER, READ, Right
from tests.permission.disk import inline, now

LIFE = Lifetime(idle=100.0, whole=1000.0)


class House:
    """An owner with one proof of each kind."""

    def __init__(self, folder: Path) -> None:
        self.clock = Clock()
        seconds = self.clock.seconds
        accounts = MemoryAccounts([Account("ann", "x", OWNER | READ)])
        self.proofs = Proofs(
            Logins(accounts, seconds, LIFE),
            Tokens(accounts, str(folder / "tokens"), seconds, inline()),
            Invitations(
                accounts, str(folder / "invitations"), b"k" * 32, seconds, seconds, inline(), LIFE
            ),
        )
        self.registry = Registry(accounts, proofs=self.proofs.kinds)
        self.login = self.proofs.logins.start("ann")
        _, self.token = now(self.proofs.tokens.make("ci", "ann", READ, 5000.0))
        invited = now(self.proofs.invitations.make("Eve", "ann", READ, 5000.0))
        self.guest = now(self.proofs.invitations.open(self.proofs.invitations.code(invited.ident)))

    def by_cookie(self, secret: str) -> Principal:
        principal = self.proofs.by_cookie(secret)
        assert principal is not None
        return principal


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_cookie_is_an_account_s_or_a_guest_s(house: House) -> None:
    assert house.by_cookie(house.login)[:2] == ("ann", LOGIN)
    assert house.by_cookie(house.guest)[:2] == ("guest: Eve", INVITATION)


def test_a_token_is_no_cookie(house: House) -> None:
    for secret in (house.token, house.token.removeprefix("kasmd_"), "", "A" * 43):
        assert house.proofs.by_cookie(secret) is None


def test_the_registry_asks_each_kind_for_its_own(house: House) -> None:
    token = house.proofs.tokens.principal(house.token)
    assert token is not None
    principals = [house.by_cookie(house.login), token, house.by_cookie(house.guest)]
    assert [principal.kind for principal in principals] == list(house.proofs.kinds)
    grants = [house.registry.admit(principal, "desktop") for principal in principals]
    assert [grant.holds(Right.MANAGE) for grant in grants] == [True, False, False]
    assert all(grant.holds(Right.VIEW) for grant in grants)


def test_ending_one_leaves_the_others(house: House) -> None:
    login, guest = house.by_cookie(house.login), house.by_cookie(house.guest)
    grant = house.registry.admit(login, "desktop")
    assert house.proofs.end(login) and not house.proofs.end(login)
    assert not grant.holds(Right.ENTER)
    assert house.proofs.by_cookie(house.login) is None
    assert house.proofs.end(guest) and not house.proofs.end(guest)
    assert house.proofs.by_cookie(house.guest) is None
    assert house.proofs.tokens.principal(house.token) is not None


def test_a_password_or_a_token_has_no_session_to_end(house: House) -> None:
    token = house.proofs.tokens.principal(house.token)
    assert token is not None
    assert not house.proofs.end(token) and not house.proofs.end(Principal("ann"))
    # Nor does the ident of one kind end what another has under it.
    assert not house.proofs.end(Principal("ann", TOKEN, house.by_cookie(house.login).ident))
    assert house.proofs.by_cookie(house.login) is not None


def test_what_is_unused_ends_but_not_for_those_who_are_here(house: House) -> None:
    login, guest = house.by_cookie(house.login), house.by_cookie(house.guest)
    house.clock.advance(60)
    house.proofs.expire([(LOGIN, login.ident), (TOKEN, guest.ident)])
    house.clock.advance(60)
    house.proofs.expire([])
    assert house.proofs.by_cookie(house.login) is not None
    assert house.proofs.by_cookie(house.guest) is None
