"""What every IAccounts must do, over a file and over memory."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from kasmd.errors import AccountsError, UnknownPrincipal
from kasmd.interfaces import Account, IAccounts
from kasmd.permission.accounts import FileAccounts, MemoryAccounts
from kasmd.permission.features import FeaturedAccounts, Features
from kasmd.rights import NOTHING, OWNER, READ, WRITE, Right
from tests.permission.disk import inline, now

ANN = Account("ann", "$5$kasm$x", Right.ENTER | WRITE)
BOB = Account("bob", "$5$kasm$y", Right.ENTER | READ)

RIGHTS = [right | Right.ENTER for right in (NOTHING, READ, WRITE, OWNER, READ | OWNER)]


def in_memory(folder: Path) -> Any:
    return MemoryAccounts()


def in_a_file(folder: Path) -> Any:
    return FileAccounts(Clock(), str(folder / "kasmpasswd"), inline())


def in_two_files(folder: Path) -> Any:
    return FeaturedAccounts(
        in_a_file(folder), Features(Clock(), str(folder / "features.json"), inline()), inline()
    )


MAKERS: list[Callable[[Path], Any]] = [in_memory, in_a_file, in_two_files]


@pytest.fixture(params=MAKERS)
def accounts(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return request.param(tmp_path)


def test_interface(accounts: Any) -> None:
    assert verifyObject(IAccounts, accounts)


def test_put_keeps_order_and_place(accounts: Any) -> None:
    now(accounts.put(ANN))
    now(accounts.put(BOB))
    now(accounts.put(ANN._replace(secret="new")))
    assert list(accounts.accounts().items()) == [("ann", ANN._replace(secret="new")), ("bob", BOB)]


def test_every_account_may_enter(accounts: Any) -> None:
    now(accounts.put(Account("eve", "", NOTHING)))
    assert accounts.accounts()["eve"].rights == Right.ENTER


def test_remove(accounts: Any) -> None:
    now(accounts.put(ANN))
    now(accounts.put(BOB))
    now(accounts.remove("ann"))
    assert dict(accounts.accounts()) == {"bob": BOB}
    now(accounts.remove("bob"))
    assert not accounts.accounts()


def test_remove_unknown(accounts: Any) -> None:
    now(accounts.put(ANN))
    told: list[None] = []
    accounts.when_changed(lambda: told.append(None))
    with pytest.raises(UnknownPrincipal, match="bob"):
        now(accounts.remove("bob"))
    assert told == [] and dict(accounts.accounts()) == {"ann": ANN}


@pytest.mark.parametrize(
    "account",
    [
        ANN._replace(name=""),
        ANN._replace(name="a:b"),
        ANN._replace(name="a\nb"),
        ANN._replace(name="a\rb"),
        ANN._replace(name="a\0b"),
        ANN._replace(name="a\u2028b"),
        ANN._replace(name="a\udc80"),
        ANN._replace(name="x" * 128),
        ANN._replace(name="é" * 64),
        ANN._replace(secret="a:b"),
        ANN._replace(secret="a\nb"),
        ANN._replace(secret="x" * 128),
    ],
)
def test_what_the_file_cannot_say_is_refused(accounts: Any, account: Account) -> None:
    now(accounts.put(BOB))
    told: list[None] = []
    accounts.when_changed(lambda: told.append(None))
    with pytest.raises(AccountsError):
        now(accounts.put(account))
    assert told == [] and dict(accounts.accounts()) == {"bob": BOB}


@pytest.mark.parametrize("rights", [Right.KEYBOARD, READ | Right.UPLOAD, WRITE & ~Right.VIEW])
def test_what_letters_cannot_say(accounts: Any, rights: Right) -> None:
    now(accounts.put(BOB))
    if isinstance(accounts, FeaturedAccounts):
        now(accounts.put(BOB._replace(rights=rights)))
        assert accounts.accounts()["bob"].rights == rights | Right.ENTER
    else:
        with pytest.raises(AccountsError):
            now(accounts.put(BOB._replace(rights=rights)))
        assert dict(accounts.accounts()) == {"bob": BOB}


def test_several_changes_at_once(accounts: Any) -> None:
    told: list[list[str]] = []
    now(accounts.put(ANN))
    accounts.when_changed(lambda: told.append(list(accounts.accounts())))
    eve = Account("eve", "", Right.ENTER)
    now(accounts.edit(lambda found: {"bob": BOB, "eve": eve, "ann": None}))
    assert dict(accounts.accounts()) == {"bob": BOB, "eve": eve}
    now(accounts.edit(
        lambda found: {name: value._replace(secret="n") for name, value in found.items()}
    ))
    assert [account.secret for account in accounts.accounts().values()] == ["n", "n"]
    now(accounts.edit(lambda found: {}))
    assert told == [["bob", "eve"], ["bob", "eve"]]


@pytest.mark.parametrize(
    "changes, error",
    [
        ({"ann": None, "eve": BOB._replace(name="e:e")}, AccountsError),
        ({"eve": BOB._replace(name="eve"), "nobody": None}, UnknownPrincipal),
    ],
)
def test_several_changes_or_none(accounts: Any, changes: Any, error: type[Exception]) -> None:
    now(accounts.put(ANN))
    told: list[None] = []
    accounts.when_changed(lambda: told.append(None))
    with pytest.raises(error):
        now(accounts.edit(lambda found: changes))
    with pytest.raises(ZeroDivisionError):
        now(accounts.edit(lambda found: {"eve": BOB._replace(name=str(1 // 0))}))
    assert told == [] and dict(accounts.accounts()) == {"ann": ANN}


def test_longest_names(accounts: Any) -> None:
    for name in ("x" * 127, "é" * 63, " ", "#", "$5$", "名前"):
        now(accounts.put(ANN._replace(name=name)))
        assert accounts.accounts()[name].name == name


def test_the_mapping_that_was_given_never_changes(accounts: Any) -> None:
    now(accounts.put(ANN))
    before = accounts.accounts()
    now(accounts.put(BOB))
    assert dict(before) == {"ann": ANN}
    with pytest.raises(TypeError):
        before["bob"] = BOB


def test_callbacks_see_the_change_and_come_before_the_end_of_it(accounts: Any) -> None:
    told: list[list[str]] = []
    end = accounts.when_changed(lambda: told.append(list(accounts.accounts())))
    now(accounts.put(ANN))
    assert told == [["ann"]]
    now(accounts.put(ANN))
    assert told == [["ann"]]
    now(accounts.put(BOB))
    now(accounts.remove("ann"))
    assert told == [["ann"], ["ann", "bob"], ["bob"]]
    end()
    end()
    now(accounts.remove("bob"))
    assert len(told) == 3


def test_a_failing_callback_harms_nobody(accounts: Any) -> None:
    told: list[None] = []
    accounts.when_changed(lambda: [][0])
    accounts.when_changed(lambda: told.append(None))
    now(accounts.put(ANN))
    assert told == [None] and "ann" in accounts.accounts()


names = st.sampled_from(["ann", "bob", "eve", "é", "#", "x" * 127])
secrets = st.sampled_from(["", "!", "$5$kasm$" + "a" * 43])


class Life(RuleBasedStateMachine):
    """Both kinds, changed at random, against a plain dict."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "kasmpasswd"
        folders = [Path(self.folder.name) / str(number) for number in range(len(MAKERS))]
        for folder in folders:
            folder.mkdir()
        self.subjects = [make(folder) for make, folder in zip(MAKERS, folders)]
        self.model: dict[str, Account] = {}

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(name=names, secret=secrets, rights=st.sampled_from(RIGHTS))
    def put(self, name: str, secret: str, rights: Right) -> None:
        self.model[name] = Account(name, secret, rights)
        for subject in self.subjects:
            now(subject.put(self.model[name]))

    @rule(name=names)
    def remove(self, name: str) -> None:
        known = self.model.pop(name, None)
        for subject in self.subjects:
            if known:
                now(subject.remove(name))
            else:
                with pytest.raises(UnknownPrincipal):
                    now(subject.remove(name))

    @rule(changed=st.dictionaries(names, st.none() | st.sampled_from(RIGHTS)))
    def edit(self, changed: dict[str, Any]) -> None:
        changes: dict[str, Any] = {
            name: None if rights is None else Account(name, "", rights)
            for name, rights in changed.items()
        }
        unknown = [name for name, rights in changed.items()
                   if rights is None and name not in self.model]
        for subject in self.subjects:
            if unknown:
                with pytest.raises(UnknownPrincipal):
                    now(subject.edit(lambda found: changes))
            else:
                now(subject.edit(lambda found: changes))
        for name, account in changes.items() if not unknown else ():
            if account is None:
                del self.model[name]
            else:
                self.model[name] = account

    @rule()
    def restart(self) -> None:
        self.subjects[1] = in_a_file(Path(self.folder.name) / "1")
        self.subjects[2] = in_two_files(Path(self.folder.name) / "2")

    @invariant()
    def same(self) -> None:
        for subject in self.subjects:
            assert list(subject.accounts().items()) == list(self.model.items())


Life.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestLife = Life.TestCase
