"""Rights of single accounts that the letters r, w and o cannot say.

The password file stays KasmVNC's.  Beside it a JSON file has, for a name, which
features it has all the same (true) or has not (false)::

    {"ann": {"upload": false}, "bob": {"pointer": true}}

What is put here is only ever added to letters that say less, so whoever loses
or cannot read this file has fewer rights, never more.
"""

from __future__ import annotations

import json
import os
from contextlib import ExitStack
from types import MappingProxyType
from typing import Any, Callable, Mapping, Optional

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from kasmd.errors import AccountsError
from kasmd.interfaces import Account, IAccounts
from kasmd.log.audit import Source, asking_source, audited
from kasmd.permission import durable
from kasmd.permission.accounts import Change, Changes, FileAccounts, KeptAccounts
from kasmd.permission.callbacks import Callbacks
from kasmd.permission.watch import WatchedFile
from kasmd.permission.writes import Writes, writing
from kasmd.rights import FEATURES, NOTHING, Right, letters_from_rights, rights_from_letters

#: Features by name: had all the same, or not had.
Overrides = Mapping[str, bool]

_NONE: Overrides = MappingProxyType({})


def effective(rights: Right, overrides: Overrides) -> Right:
    """Give ``rights`` with ``overrides`` over them."""
    for name, held in overrides.items():
        rights = rights | FEATURES[name] if held else rights & ~FEATURES[name]
    return rights


def split(rights: Right) -> tuple[Right, Overrides]:
    """Give what letters can say of ``rights``, and the rest; neither exceeds ``rights``."""
    said = rights_from_letters(letters_from_rights(rights))
    rest = rights & ~said
    return said, {name: True for name, right in FEATURES.items() if right & rest != NOTHING}


class Features(WatchedFile):
    """The overrides of one file; as a service, also what others write there.

    What is wrong in the file is logged, counts as not said, and is kept when the
    file is rewritten; a file that is wrong as a whole is not rewritten.
    """

    log = Logger()

    def __init__(self, reactor: Any, path: str, writes: Writes) -> None:
        self._path = os.path.abspath(path)
        super().__init__(reactor, self._path)
        self._writes = writes
        self._overrides: Mapping[str, Overrides] = {}
        self._problems: list[str] = []
        self._callbacks = Callbacks()
        try:
            self._take(self._read(), None)
        except AccountsError as error:
            self._report([str(error)])

    def of(self, name: str) -> Overrides:
        """Give the overrides of one account."""
        return self._overrides.get(name, _NONE)

    def when_changed(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each change until the answer is called."""
        return self._callbacks.add(callback)

    def names(self) -> list[str]:
        """Give who has overrides."""
        return list(self._overrides)

    async def put(self, changes: Mapping[str, Overrides]) -> Mapping[str, Overrides]:
        """Replace the overrides of some, durably; give what they were (AccountsError)."""
        return await self._writes.change(lambda: self._put(changes))

    def look(self) -> None:
        """Read the file; where it is wrong as a whole all stays as it was."""
        self._writes.later(self._look)

    async def _put(self, changes: Mapping[str, Overrides]) -> Mapping[str, Overrides]:
        before = {name: self.of(name) for name in changes}
        if before == changes:
            return before
        path, do = os.path.realpath(self._path), self._writes.do
        with writing(self._path), ExitStack() as held:
            await do(held.enter_context, durable.exclusive(path))
            value = await do(self._read)
            for name, overrides in changes.items():
                value.pop(name, None)
                if overrides:
                    value[name] = dict(overrides)
            await do(durable.replace, path, (json.dumps(value, indent=1) + "\n").encode())
        self._take(value, asking_source())
        return before

    async def _look(self) -> None:
        try:
            value = await self._writes.do(self._read)
        except AccountsError as error:
            self._report([str(error)])
        else:
            self._take(value, Source("file"))

    def _read(self) -> dict[str, Any]:
        try:
            content = durable.read(self._path)
            value = {} if content is None else json.loads(content)
        except OSError as error:
            reason = error.strerror or error
            raise AccountsError(f"{self._path}: cannot be read: {reason}") from error
        except (ValueError, RecursionError) as error:
            raise AccountsError(f"{self._path}: is not JSON: {error}") from None
        if not isinstance(value, dict):
            raise AccountsError(f"{self._path}: must be an object of names")
        return value

    def _take(self, value: Mapping[str, object], source: Optional[Source]) -> None:
        problems: list[str] = []
        overrides = {name: _overrides(name, given, problems) for name, given in value.items()}
        self._report([f"{self._path}: {problem}" for problem in problems])
        if overrides != self._overrides:
            if source is not None:
                _audit(self._overrides, overrides, source)
            self._overrides = overrides
            self._callbacks.call()

    def _report(self, problems: list[str]) -> None:
        if problems != self._problems:
            self._problems = problems
            for problem in problems:
                self.log.warn("{problem}", problem=problem)


def _audit(old: Mapping[str, Overrides], new: Mapping[str, Overrides], source: Source) -> None:
    """Write a line for each change."""
    for name in dict.fromkeys((*old, *new)):
        before, after = old.get(name, _NONE), new.get(name, _NONE)
        if before != after:
            audited("account", name, "features", _said(before), _said(after), source)


def _said(overrides: Overrides) -> str:
    return ",".join(f"{'+' if held else '-'}{name}" for name, held in overrides.items()) or "none"


def _overrides(name: str, given: object, problems: list[str]) -> Overrides:
    if not isinstance(given, dict):
        problems.append(f"{name[:127]!a}: must be an object of features")
        return _NONE
    found: dict[str, bool] = {}
    for feature, held in given.items():
        if feature in FEATURES and isinstance(held, bool):
            found[feature] = held
        else:
            problems.append(f"{name[:127]!a}: {feature[:32]!a} is no feature, or not true or false")
    return found


@implementer(IAccounts)
class FeaturedAccounts(KeptAccounts):
    """``accounts``, which know letters only, with ``features`` over them."""

    def __init__(self, accounts: FileAccounts, features: Features, writes: Writes) -> None:
        super().__init__()
        self._inner = accounts
        self._features = features
        self._writes = writes
        self._editing = False
        #: Names whose overrides are those of another one, and about to be dropped.
        self._gone: set[str] = set()
        self._compose()
        accounts.when_changed(self._changed)
        features.when_changed(self._changed)

    def edit(self, change: Change) -> Deferred[None]:
        """Make several changes, durably, all or none (see IAccounts)."""
        return Deferred.fromCoroutine(self._writes.change(lambda: self._edit(change)))

    async def _edit(self, change: Change) -> None:
        wanted: Changes = {}
        before: Mapping[str, Overrides] = {}

        async def letters(found: Mapping[str, Account]) -> Changes:
            nonlocal wanted, before
            wanted = change(self._composed(found))
            halves = {
                name: (NOTHING, _NONE) if account is None else split(account.rights)
                for name, account in wanted.items()
            }
            # Both files' changes are told as one.
            self._editing = True
            before = await self._features.put({name: rest for name, (_, rest) in halves.items()})
            return {
                name: account and account._replace(rights=halves[name][0])
                for name, account in wanted.items()
            }

        try:
            await self._inner.edit(letters)
            self._gone -= wanted.keys()
        except Exception:
            await self._features.put(before)
            raise
        finally:
            self._editing = False
            self._changed()

    def _changed(self) -> None:
        if not self._editing:
            self._compose()

    def _compose(self) -> None:
        accounts = self._inner.accounts()
        # No account at all is a file that is missing for a while.
        gone = {name for name in self._features.names() if accounts and name not in accounts}
        if gone - self._gone:
            self._gone |= gone
            self._writes.later(self._forget)
        self._adopt(self._composed(accounts))

    def _composed(self, accounts: Mapping[str, Account]) -> Mapping[str, Account]:
        return {
            name: account._replace(rights=effective(account.rights, self._overrides_of(name)))
            for name, account in accounts.items()
        }

    def _overrides_of(self, name: str) -> Overrides:
        return _NONE if name in self._gone else self._features.of(name)

    async def _forget(self) -> None:
        """Drop the overrides of those who are gone: the next of that name is another one."""
        gone = frozenset(self._gone)
        try:
            await self._features.put(dict.fromkeys(gone, _NONE))
        finally:
            self._gone -= gone
