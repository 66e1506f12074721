"""Bearer tokens: what is kept of them, what they carry, what ends them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from kasmd.errors import AccountsError, UnknownPrincipal
from kasmd.interfaces import Account, Principal
from kasmd.permission.accounts import MemoryAccounts
from kasmd.permission.registry import Registry
from kasmd.permission.tokens import Tokens
from kasmd.rights import OWNER, READ, WRITE, Right
from tests.permission.disk import inline, now


class House:
    """An owner, and where his tokens are."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tokens.json"
        self.clock = Clock()
        self.accounts = MemoryAccounts(
            Account(name, "x", WRITE | OWNER) for name in ("ann", "bob")
        )
        self.open()

    def open(self) -> Tokens:
        self.tokens = Tokens(self.accounts, str(self.path), self.clock.seconds, inline())
        self.registry = Registry(self.accounts, proofs={"token": self.tokens})
        return self.tokens

    def make(self, scope: Right = READ, expires: float = 10.0) -> str:
        return now(self.tokens.make("backup", "ann", scope, expires))[1]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_token_is_who_made_it_within_its_scope(house: House) -> None:
    token, text = now(house.tokens.make("backup", "ann", READ | Right.MANAGE, 10.0))
    principal = house.tokens.principal(text)
    assert principal == Principal("ann", "token", token.ident)
    grant = house.registry.admit(principal, "desktop")
    held = {right for right in Right if grant.holds(right)}
    assert held == {Right.ENTER, Right.VIEW, Right.MANAGE}
    house.accounts.put(Account("ann", "x", WRITE))
    assert not grant.holds(Right.MANAGE) and grant.holds(Right.VIEW)


def test_nothing_that_opens_a_door_is_kept_or_listed(house: House) -> None:
    text = house.make()
    secret = text.removeprefix("kasmd_")
    assert len(secret) == 43
    assert secret not in house.path.read_text() and secret not in repr(house.tokens.tokens())
    assert os.stat(house.path).st_mode & 0o777 == 0o600


def test_it_outlives_the_daemon(house: House) -> None:
    text = house.make(WRITE)
    before = house.tokens.tokens()
    assert house.open().tokens() == before
    principal = house.tokens.principal(text)
    assert principal is not None and house.registry.admit(principal, "desktop").holds(WRITE)


@pytest.mark.parametrize("spoil", [
    lambda text: text[:-1],
    lambda text: text + "A",
    lambda text: text.removeprefix("kasmd_"),
    lambda text: text.swapcase(),
    lambda text: "kasmd_" + "A" * 43,
    lambda text: "",
    lambda text: "kasmd_é" + text[7:],
])
def test_what_is_no_token(house: House, spoil: object) -> None:
    text = house.make()
    assert callable(spoil) and house.tokens.principal(spoil(text)) is None


def test_its_digest_and_ident_are_no_tokens(house: House) -> None:
    house.make()
    (token,) = house.tokens.tokens()
    for text in (token.ident, token.digest, "kasmd_" + token.digest, "kasmd_" + token.digest[:43]):
        assert house.tokens.principal(text) is None


@pytest.mark.parametrize("end", ["revoke", "expire", "remove", "remove and again"])
def test_its_end_is_the_end_of_its_grants(house: House, end: str) -> None:
    text = house.make()
    (token,) = house.tokens.tokens()
    grant = house.registry.admit(Principal("ann", "token", token.ident), "desktop")
    if end == "revoke":
        assert now(house.tokens.revoke(token.ident))
    elif end == "expire":
        house.clock.advance(10)
        house.registry.recompute()
    else:
        house.accounts.remove("ann")
    if end == "remove and again":
        house.accounts.put(Account("ann", "x", WRITE | OWNER))
    assert not grant.holds(Right.ENTER)
    assert house.tokens.principal(text) is None and house.tokens.tokens() == []
    assert house.open().principal(text) is None
    assert not now(house.tokens.revoke(token.ident))


def test_a_missing_password_file_revokes_nothing(house: House) -> None:
    text = house.make()
    house.accounts.edit(lambda found: {"bob": None})
    everyone = dict(house.accounts.accounts())
    house.accounts._adopt({})
    house.accounts._adopt(everyone)
    assert house.tokens.principal(text) is not None


def test_when_it_was_used(house: House) -> None:
    text = house.make()
    (token,) = house.tokens.tokens()
    assert house.tokens.last_used(token.ident) is None
    house.clock.advance(3)
    house.tokens.principal(text)
    assert house.tokens.last_used(token.ident) == 3.0


@pytest.mark.parametrize("label", ["", " ", "a\nb", "a\u2028b", "\ud800", "\x1b[2J", "x" * 128,
                                   "é" * 64])
def test_labels_that_cannot_be_shown(house: House, label: str) -> None:
    with pytest.raises(ValueError, match="label"):
        now(house.tokens.make(label, "ann", READ, 10.0))


@pytest.mark.parametrize("expires", [0.0, -1.0, float("nan"), float("inf")])
def test_a_time_that_is_none(house: House, expires: float) -> None:
    with pytest.raises(ValueError, match="expires"):
        house.make(expires=expires)
    with pytest.raises(UnknownPrincipal):
        now(house.tokens.make("x", "nobody", READ, 10.0))


@pytest.mark.parametrize("text", ["{", "[]", '{"a": {}}', '{"a": {"scope": ["fly"]}}', "\xff"])
def test_a_file_that_is_not_ours_stops_the_start(house: House, text: str) -> None:
    house.path.write_text(text)
    with pytest.raises(AccountsError, match="tokens.json"):
        house.open()


def test_what_cannot_be_written_is_not_done(house: House) -> None:
    text = house.make()
    (token,) = house.tokens.tokens()
    house.path.with_name(".tokens.json.new").mkdir()
    with pytest.raises(AccountsError, match="cannot be written"):
        house.make()
    with pytest.raises(AccountsError):
        now(house.tokens.revoke(token.ident))
    assert house.tokens.tokens() == [token] and house.tokens.principal(text) is not None
    with capturedLogs() as events:
        house.accounts.remove("ann")
    assert [event for event in events if "cannot be written" in str(event.get("error"))]
