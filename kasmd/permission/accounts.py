"""The accounts: in KasmVNC's password file, live, or in memory."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import Any, Callable, Iterable, Mapping, Optional

from twisted.logger import Logger
from zope.interface import implementer

from kasmd.errors import AccountsBusy, AccountsError, UnknownPrincipal
from kasmd.interfaces import Account, IAccounts
from kasmd.log.audit import Source, asking_source, audited
from kasmd.permission import durable
from kasmd.permission.callbacks import Callbacks
from kasmd.permission.kasmpasswd import PasswordFile, Problem, canonical, parse, render
from kasmd.permission.watch import WatchedFile
from kasmd.rights import letters_from_rights

#: What becomes of some accounts, by name: another one in its place, or None at all.
Changes = Mapping[str, Optional[Account]]


def load(path: str) -> PasswordFile:
    """Read a password file; one that does not exist is empty (AccountsError)."""
    try:
        content = durable.read(path)
    except OSError as error:
        raise AccountsError(f"{path}: cannot be read: {error.strerror or error}") from error
    return parse((content or b"").decode("utf-8", "surrogateescape"))


def rewrite(path: str, change: Callable[[PasswordFile], PasswordFile],
            seconds: float = durable.LOCK_SECONDS, signature: str = "") -> PasswordFile:
    """Replace the file by ``change`` of what it holds now, durably and under a lock.

    Blocks for an fsync or two, and for ``seconds`` if another program holds the
    lock (then AccountsBusy).  What ``change`` raises goes through; AccountsError
    if the file cannot be kept.  Either way the old file stays.  A ``signature``
    is for `durable.signed`.
    """
    path = os.path.realpath(path)
    try:
        with durable.exclusive(path, seconds):
            file = change(load(path))
            content = render(file).encode("utf-8", "surrogateescape")
            durable.replace(path, content, signature)
    except TimeoutError as error:
        raise AccountsBusy(f"{path}: cannot be written: {error}") from error
    except OSError as error:
        raise AccountsError(f"{path}: cannot be written: {error.strerror or error}") from error
    return file


class KeptAccounts:
    """What both kinds have: a mapping that is replaced whole, and who is told.

    Every change is an `edit`, of one account or several.
    """

    def __init__(self) -> None:
        self._accounts: Mapping[str, Account] = MappingProxyType({})
        self._callbacks = Callbacks()

    def accounts(self) -> Mapping[str, Account]:
        """Give every account by its name; the mapping never changes."""
        return self._accounts

    def when_changed(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each change until the answer is called."""
        return self._callbacks.add(callback)

    def put(self, account: Account) -> None:
        """Add or replace one account, durably (AccountsError)."""
        self.edit(lambda accounts: {account.name: account})

    def remove(self, name: str) -> None:
        """Remove one account, durably (UnknownPrincipal, AccountsError)."""
        self.edit(lambda accounts: {name: None})

    def edit(self, change: Callable[[Mapping[str, Account]], Changes]) -> None:
        """Make several changes, durably, all or none (see IAccounts)."""
        raise NotImplementedError

    def _adopt(self, accounts: Mapping[str, Account]) -> None:
        if list(accounts.items()) != list(self._accounts.items()):
            self._accounts = MappingProxyType(dict(accounts))
            self._callbacks.call()


@implementer(IAccounts)
class MemoryAccounts(KeptAccounts):
    """Accounts that end with the process; the file's rules hold all the same."""

    def __init__(self, accounts: Iterable[Account] = ()) -> None:
        super().__init__()
        for account in accounts:
            self.put(account)

    def edit(self, change: Callable[[Mapping[str, Account]], Changes]) -> None:
        """Make several changes, all or none (see IAccounts)."""
        accounts = dict(self._accounts)
        for name, account in _checked(change(self._accounts), accounts).items():
            if account is None:
                del accounts[name]
            else:
                accounts[name] = account
        self._adopt(accounts)


@implementer(IAccounts)
class FileAccounts(KeptAccounts, WatchedFile):
    """The accounts of one password file; as a service, also what others write there.

    The file is read when this is made (AccountsError).  Later trouble is
    logged and the accounts stay as they were, except that no file means no
    accounts.  A change blocks for an fsync or two, and waits for nobody.
    """

    log = Logger()

    def __init__(self, reactor: Any, path: str) -> None:
        super().__init__()
        self._path = os.path.abspath(path)
        WatchedFile.__init__(self, reactor, self._path)
        self._problems: list[Problem] = []
        self._some = True
        self._take(load(self._path))
        durable.warn_if_open(self._path)

    def edit(self, change: Callable[[Mapping[str, Account]], Changes]) -> None:
        """Make several changes, durably, all or none (see IAccounts)."""

        def edited(file: PasswordFile) -> PasswordFile:
            for name, account in _checked(change(file.accounts), file.accounts).items():
                file = file.without(name) if account is None else file.with_account(account)
            return file

        self._rewrite(edited)

    def look(self) -> None:
        """Read the file; where that fails all stays as it was."""
        try:
            file = load(self._path)
        except AccountsError as error:
            self.log.error("{error}; the accounts stay as they were", error=error)
        else:
            self._take(file, self._editor())

    def _rewrite(self, change: Callable[[PasswordFile], PasswordFile]) -> None:

        def noted(file: PasswordFile) -> PasswordFile:
            # What somebody wrote a moment ago is his change, not the asker's.
            self._take(file, self._editor())
            return change(file)

        self._take(rewrite(self._path, noted, 0), asking_source())

    def _editor(self) -> Source:
        signature = durable.signed(os.path.realpath(self._path))
        way, _, by = signature.partition(" ")
        return Source(way, by) if way else Source("file")

    def _take(self, file: PasswordFile, source: Optional[Source] = None) -> None:
        accounts, problems = file.accounts, file.problems
        if self._some and not accounts:
            self.log.warn("{path}: no account, so nobody can log in", path=self._path)
        self._some = bool(accounts)
        if problems != self._problems:
            self._problems = problems
            for line, text in problems:
                self.log.warn("{path}:{line}: {text}", path=self._path, line=line, text=text)
        if source is not None:
            _audit(self._accounts, accounts, source)
        self._adopt(accounts)


def _audit(old: Mapping[str, Account], new: Mapping[str, Account], source: Source) -> None:
    """Write a line for each change."""
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name), new.get(name)
        if before is None and after is not None:
            audited("account", name, "made", "", _letters(after), source)
        elif before is not None and after is None:
            audited("account", name, "removed", _letters(before), "", source)
        elif before is not None and after is not None:
            if before.rights != after.rights:
                audited("account", name, "rights", _letters(before), _letters(after), source)
            if before.secret != after.secret:
                audited("account", name, "password", source=source)


def _letters(account: Account) -> str:
    return letters_from_rights(account.rights) or "none"


def _checked(changes: Changes, accounts: Mapping[str, Account]) -> Changes:
    """Give ``changes`` as they will be kept, if every one of them can be."""
    for name, account in changes.items():
        if account is None:
            _demand(name, accounts)
    return {
        name: account if account is None else _canonical(account)
        for name, account in changes.items()
    }


def _canonical(account: Account) -> Account:
    try:
        return canonical(account)
    except ValueError as error:
        raise AccountsError(f"account {account.name!a}: {error}") from error


def _demand(name: str, accounts: Mapping[str, Account]) -> None:
    if name not in accounts:
        raise UnknownPrincipal(f"there is no account {name!a}")
