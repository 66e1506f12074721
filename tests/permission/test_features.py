"""Rights over the letters: two files that are one, whoever writes either."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from kasmd.errors import AccountsError, UnknownPrincipal
from kasmd.interfaces import Account
from kasmd.permission.accounts import FileAccounts
from kasmd.permission.features import FeaturedAccounts, Features, effective, split
from kasmd.rights import FEATURES, NOTHING, OWNER, READ, WRITE, Right
from tests.permission.disk import inline, now

any_rights = st.lists(st.sampled_from(list(FEATURES.values()))).map(
    lambda rights: Right.ENTER | Right(sum({right.value for right in rights}))
)


class Files:
    """Both files, and what reads them."""

    def __init__(self, folder: Path) -> None:
        self.passwords, self.features = folder / "kasmpasswd", folder / "features.json"
        self.passwords.write_text("ann:x:rw\nbob:y:r\n")

    def open(self) -> FeaturedAccounts:
        self.inner = FileAccounts(Clock(), str(self.passwords), inline())
        self.overrides = Features(Clock(), str(self.features), inline())
        return FeaturedAccounts(self.inner, self.overrides, inline())


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def rights(accounts: FeaturedAccounts, name: str) -> Right:
    return accounts.accounts()[name].rights


@given(any_rights)
def test_split_loses_nothing_and_letters_never_exceed(wanted: Right) -> None:
    said, rest = split(wanted)
    assert effective(said, rest) == wanted
    assert said in wanted and all(rest.values())


def test_overrides_go_over_the_letters_both_ways(files: Files) -> None:
    files.features.write_text('{"ann": {"upload": false}, "bob": {"pointer": true}}')
    accounts = files.open()
    assert rights(accounts, "ann") == (WRITE | Right.ENTER) & ~Right.UPLOAD
    assert rights(accounts, "bob") == READ | Right.ENTER | Right.POINTER


def test_letters_in_one_file_and_the_rest_in_the_other(files: Files) -> None:
    accounts = files.open()
    wanted = Right.ENTER | WRITE & ~Right.KEYBOARD | OWNER
    now(accounts.put(Account("ann", "x", wanted)))
    assert files.passwords.read_text() == "ann:x:ro\nbob:y:r\n"
    assert "keyboard" not in json.loads(files.features.read_text())["ann"]
    assert os.stat(files.features).st_mode & 0o777 == 0o600
    assert rights(files.open(), "ann") == wanted
    now(accounts.put(Account("ann", "x", WRITE)))
    assert json.loads(files.features.read_text()) == {}


def test_one_change_is_told_once_and_whole(files: Files) -> None:
    accounts = files.open()
    told: list[Right] = []
    accounts.when_changed(lambda: told.append(rights(accounts, "ann")))
    now(accounts.put(Account("ann", "x", READ | Right.UPLOAD)))
    assert told == [Right.ENTER | READ | Right.UPLOAD]


def test_without_its_file_everybody_has_less(files: Files) -> None:
    now(files.open().put(Account("ann", "x", WRITE & ~Right.KEYBOARD)))
    files.features.unlink()
    assert rights(files.open(), "ann") == READ | Right.ENTER


@pytest.mark.parametrize("text", ["{", "[]", "7", "\udcff", "[" * 5000])
def test_a_file_that_is_wrong_as_a_whole(files: Files, text: str) -> None:
    files.features.write_bytes(text.encode("utf-8", "surrogateescape"))
    with capturedLogs() as events:
        accounts = files.open()
    assert any("features.json" in str(formatEvent(event)) for event in events)
    assert rights(accounts, "ann") == WRITE | Right.ENTER
    now(accounts.put(Account("ann", "x", READ)))
    with pytest.raises(AccountsError, match="features.json"):
        now(accounts.put(Account("ann", "x", READ | Right.UPLOAD)))
    assert rights(accounts, "ann") == READ | Right.ENTER
    assert files.features.read_bytes() == text.encode("utf-8", "surrogateescape")


def test_what_is_wrong_in_the_file_is_said_ignored_and_kept(files: Files) -> None:
    given: dict[str, Any] = {
        "ann": {"upload": False, "fly": True, "view": "no"}, "bob": [1], "a\n\x1b[2J": 5
    }
    files.features.write_text(json.dumps(given))
    with capturedLogs() as events:
        accounts = files.open()
    said = [str(formatEvent(event)) for event in events if "features" in str(formatEvent(event))]
    assert len(said) == 4 and all(line.isprintable() for line in said)
    assert rights(accounts, "ann") == (WRITE | Right.ENTER) & ~Right.UPLOAD
    now(accounts.put(Account("bob", "y", READ | Right.RESIZE)))
    assert json.loads(files.features.read_text()) == {**given, "bob": {"resize": True}}


def test_an_edit_of_the_file_reaches_those_who_ask(files: Files) -> None:
    accounts = files.open()
    told: list[Right] = []
    accounts.when_changed(lambda: told.append(rights(accounts, "bob")))
    files.features.write_text('{"bob": {"keyboard": true}}')
    files.overrides.look()
    files.features.write_text("{")
    files.overrides.look()
    files.features.unlink()
    files.overrides.look()
    assert told == [Right.ENTER | READ | Right.KEYBOARD, Right.ENTER | READ]


def test_the_next_of_a_name_is_another_one(files: Files) -> None:
    accounts = files.open()
    now(accounts.put(Account("bob", "y", READ | Right.KEYBOARD)))
    # Removed by another program.
    now(FileAccounts(Clock(), str(files.passwords), inline()).remove("bob"))
    files.inner.look()
    now(FileAccounts(Clock(), str(files.passwords), inline()).put(Account("bob", "z", READ)))
    files.inner.look()
    assert rights(accounts, "bob") == READ | Right.ENTER


def test_a_missing_password_file_removes_no_overrides(files: Files) -> None:
    accounts = files.open()
    now(accounts.put(Account("bob", "y", READ | Right.KEYBOARD)))
    text = files.passwords.read_text()
    files.passwords.unlink()
    files.inner.look()
    assert not accounts.accounts()
    files.passwords.write_text(text)
    files.inner.look()
    assert Right.KEYBOARD in rights(accounts, "bob")


def test_what_the_password_file_refuses_is_in_neither(files: Files) -> None:
    accounts = files.open()
    now(accounts.put(Account("bob", "y", READ | Right.KEYBOARD)))
    before = files.features.read_text()
    with pytest.raises(AccountsError):
        now(accounts.put(Account("bob", "a:b", READ | Right.UPLOAD)))
    with pytest.raises(UnknownPrincipal):
        now(accounts.edit(lambda found: {"bob": Account("bob", "y", OWNER), "eve": None}))
    files.passwords.with_name(".kasmpasswd.new").mkdir()
    with pytest.raises(AccountsError):
        now(accounts.put(Account("bob", "y", READ | Right.UPLOAD)))
    assert files.features.read_text() == before
    assert rights(accounts, "bob") == READ | Right.ENTER | Right.KEYBOARD
    assert NOTHING not in accounts.accounts()
