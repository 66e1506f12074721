"""The accounts: in KasmVNC's password file, live, or in memory."""

from __future__ import annotations

import os
from types import MappingProxyType
from typing import Any, Callable, Iterable, Mapping

from twisted.application.service import Service
from twisted.logger import Logger
from zope.interface import implementer

from kasmd.errors import AccountsError, UnknownPrincipal
from kasmd.interfaces import Account, IAccounts
from kasmd.permission import durable
from kasmd.permission.callbacks import Callbacks
from kasmd.permission.kasmpasswd import PasswordFile, Problem, canonical, parse, render
from kasmd.permission.watch import FileWatch


def load(path: str) -> PasswordFile:
    """Read a password file; one that does not exist is empty (AccountsError)."""
    try:
        content = durable.read(path)
    except OSError as error:
        raise AccountsError(f"{path}: cannot be read: {error.strerror or error}") from error
    return parse((content or b"").decode("utf-8", "surrogateescape"))


def rewrite(path: str, change: Callable[[PasswordFile], PasswordFile]) -> PasswordFile:
    """Replace the file by ``change`` of what it holds now, durably and under a lock.

    Blocks for an fsync or two, and for durable.LOCK_SECONDS if another program
    holds the lock.  What ``change`` raises goes through; AccountsError if the
    file cannot be kept.  Either way the old file stays.
    """
    path = os.path.realpath(path)
    try:
        with durable.exclusive(path):
            file = change(load(path))
            durable.replace(path, render(file).encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise AccountsError(f"{path}: cannot be written: {error.strerror or error}") from error
    return file


class _Accounts:
    """What both kinds have: a mapping that is replaced whole, and who is told."""

    def __init__(self) -> None:
        self._accounts: Mapping[str, Account] = MappingProxyType({})
        self._callbacks = Callbacks()

    def accounts(self) -> Mapping[str, Account]:
        """Give every account by its name; the mapping never changes."""
        return self._accounts

    def when_changed(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each change until the answer is called."""
        return self._callbacks.add(callback)

    def _adopt(self, accounts: Mapping[str, Account]) -> None:
        if list(accounts.items()) != list(self._accounts.items()):
            self._accounts = MappingProxyType(dict(accounts))
            self._callbacks.call()


@implementer(IAccounts)
class MemoryAccounts(_Accounts):
    """Accounts that end with the process; the file's rules hold all the same."""

    def __init__(self, accounts: Iterable[Account] = ()) -> None:
        super().__init__()
        for account in accounts:
            self.put(account)

    def put(self, account: Account) -> None:
        """Add or replace one account (AccountsError)."""
        account = _canonical(account)
        self._adopt({**self._accounts, account.name: account})

    def remove(self, name: str) -> None:
        """Remove one account (UnknownPrincipal)."""
        _demand(name, self._accounts)
        self._adopt({key: value for key, value in self._accounts.items() if key != name})


@implementer(IAccounts)
class FileAccounts(_Accounts, Service):
    """The accounts of one password file; as a service, also what others write there.

    The file is read when this is made (AccountsError).  Later trouble is
    logged and the accounts stay as they were, except that no file means no
    accounts.  ``put`` and ``remove`` block as `rewrite` does.
    """

    log = Logger()

    def __init__(self, reactor: Any, path: str) -> None:
        super().__init__()
        self._path = os.path.abspath(path)
        self._watch = FileWatch(reactor, self._path, self._edited)
        self._problems: list[Problem] = []
        self._some = True
        self._take(load(self._path))

    def put(self, account: Account) -> None:
        """Add or replace one account, durably (AccountsError)."""
        account = _canonical(account)
        self._take(rewrite(self._path, lambda file: file.with_account(account)))

    def remove(self, name: str) -> None:
        """Remove one account, durably (UnknownPrincipal, AccountsError)."""

        def change(file: PasswordFile) -> PasswordFile:
            _demand(name, file.accounts)
            return file.without(name)

        self._take(rewrite(self._path, change))

    def startService(self) -> None:
        """Watch the file from now on."""
        super().startService()
        self._watch.start()
        self._edited()

    def stopService(self) -> None:
        """Watch no longer."""
        super().stopService()
        self._watch.stop()

    def _edited(self) -> None:
        try:
            file = load(self._path)
        except AccountsError as error:
            self.log.error("{error}; the accounts stay as they were", error=error)
        else:
            self._take(file)

    def _take(self, file: PasswordFile) -> None:
        accounts, problems = file.accounts, file.problems
        if self._some and not accounts:
            self.log.warn("{path}: no account, so nobody can log in", path=self._path)
        self._some = bool(accounts)
        if problems != self._problems:
            self._problems = problems
            for line, text in problems:
                self.log.warn("{path}:{line}: {text}", path=self._path, line=line, text=text)
        self._adopt(accounts)


def _canonical(account: Account) -> Account:
    try:
        return canonical(account)
    except ValueError as error:
        raise AccountsError(f"account {account.name!a}: {error}") from error


def _demand(name: str, accounts: Mapping[str, Account]) -> None:
    if name not in accounts:
        raise UnknownPrincipal(f"there is no account {name!a}")
