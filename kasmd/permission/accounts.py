"""The accounts: in KasmVNC's password file, live, or in memory."""

from __future__ import annotations

import os
from contextlib import ExitStack
from types import MappingProxyType
from typing import Any, Callable, Coroutine, Iterable, Mapping, Optional

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from zope.interface import implementer

from kasmd.errors import AccountsError, UnknownPrincipal
from kasmd.interfaces import Account, IAccounts
from kasmd.log.audit import Source, asking_source, audited
from kasmd.permission import durable
from kasmd.permission.callbacks import Callbacks
from kasmd.permission.kasmpasswd import PasswordFile, Problem, canonical, parse, render
from kasmd.permission.watch import WatchedFile
from kasmd.permission.writes import Writes, writing
from kasmd.rights import letters_from_rights

#: What becomes of some accounts, by name: another one in its place, or None at all.
Changes = Mapping[str, Optional[Account]]
Change = Callable[[Mapping[str, Account]], Changes]


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
    with writing(path), durable.exclusive(path, seconds):
        file = change(load(path))
        _replace(path, file, signature)
    return file


def _replace(path: str, file: PasswordFile, signature: str = "") -> None:
    durable.replace(path, render(file).encode("utf-8", "surrogateescape"), signature)


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

    def put(self, account: Account) -> Deferred[None]:
        """Add or replace one account, durably (AccountsError)."""
        return self.edit(lambda accounts: {account.name: account})

    def remove(self, name: str) -> Deferred[None]:
        """Remove one account, durably (UnknownPrincipal, AccountsError)."""
        return self.edit(lambda accounts: {name: None})

    def edit(self, change: Change) -> Deferred[None]:
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
            self._edit(lambda found: {account.name: account})

    def edit(self, change: Change) -> Deferred[None]:
        """Make several changes, all or none (see IAccounts)."""
        return maybeDeferred(self._edit, change)

    def _edit(self, change: Change) -> None:
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
    accounts.  What is in memory is on the disk.
    """

    log = Logger()

    def __init__(self, reactor: Any, path: str, writes: Writes) -> None:
        super().__init__()
        self._path = os.path.abspath(path)
        WatchedFile.__init__(self, reactor, self._path)
        self._writes = writes
        self._problems: list[Problem] = []
        self._some = True
        self._take(load(self._path))
        durable.warn_if_open(self._path)

    def edit(self, change: Callable[[Mapping[str, Account]], Any]) -> Deferred[None]:
        """Make several changes, durably, all or none (see IAccounts).

        ``change`` may be a coroutine function; nobody else can write until it gives its answer.
        """
        return Deferred.fromCoroutine(self._writes.change(lambda: self._edit(change)))

    def look(self) -> None:
        """Read the file; where that fails all stays as it was."""
        self._writes.later(self._look)

    async def _edit(self, change: Callable[[Mapping[str, Account]], Any]) -> None:
        path, do = os.path.realpath(self._path), self._writes.do
        with writing(path), ExitStack() as held:
            await do(held.enter_context, durable.exclusive(path))
            # What somebody wrote a moment ago is his change, not the asker's.
            file = await self._read()
            changes = change(file.accounts)
            if isinstance(changes, Coroutine):
                changes = await changes
            for name, account in _checked(changes, file.accounts).items():
                file = file.without(name) if account is None else file.with_account(account)
            await do(_replace, path, file)
        self._take(file, asking_source())

    async def _look(self) -> None:
        try:
            await self._read()
        except AccountsError as error:
            self.log.error("{error}; the accounts stay as they were", error=error)

    async def _read(self) -> PasswordFile:
        """Give and take what is in the file now."""
        file, source = await self._writes.do(lambda: (load(self._path), self._editor()))
        self._take(file, source)
        return file

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
