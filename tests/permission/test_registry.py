"""A registry over a real file; the rest is in tests/contracts/test_registry.py."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock

from kasmd.interfaces import Account, Principal
from kasmd.permission.accounts import FileAccounts, MemoryAccounts
from kasmd.permission.registry import Registry
from kasmd.rights import NOTHING, READ, WRITE, Right
from tests.permission.disk import inline, now


def test_the_owner_removes_himself(tmp_path: Path) -> None:
    path = tmp_path / "kasmpasswd"
    path.write_text("root:x:o\n")
    accounts = FileAccounts(Clock(), str(path), inline())
    registry = Registry(accounts)
    grant = registry.admit(Principal("root"), "desktop")
    assert grant.holds(Right.MANAGE) and not grant.holds(Right.VIEW)
    now(accounts.remove("root"))
    assert not grant.holds(Right.MANAGE) and not grant.holds(Right.ENTER)
    assert path.read_text() == "" and len(registry) == 0


def test_a_new_password_leaves_the_session(tmp_path: Path) -> None:
    path = tmp_path / "kasmpasswd"
    path.write_text("ann:x:rw\n")
    accounts = FileAccounts(Clock(), str(path), inline())
    grant = Registry(accounts).admit(Principal("ann"), "desktop")
    told: list[None] = []
    grant.when_changed(lambda: told.append(None))
    now(accounts.put(accounts.accounts()["ann"]._replace(secret="y")))
    assert told == [] and grant.holds(Right.KEYBOARD)


def test_what_is_withheld_nobody_holds() -> None:
    accounts = MemoryAccounts([Account("ann", "x", READ)])
    grant = Registry(accounts, Right.RESIZE).admit(Principal("ann"), "desktop")
    accounts.put(Account("ann", "x", WRITE))
    assert {right for right in Right if not grant.holds(right)} == {Right.RESIZE, Right.MANAGE}


def test_what_is_withheld_from_now_on_or_no_more() -> None:
    registry = Registry(MemoryAccounts([Account("ann", "x", WRITE)]))
    grant = registry.admit(Principal("ann"), "desktop")
    told: list[bool] = []
    grant.when_changed(lambda: told.append(grant.holds(Right.RESIZE)))
    registry.withhold(Right.RESIZE)
    registry.withhold(Right.RESIZE)
    registry.withhold(NOTHING)
    assert told == [False, True]
