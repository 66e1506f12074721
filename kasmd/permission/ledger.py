"""A durable list of records: a JSON file, 0600, replaced whole."""

from __future__ import annotations

import json
from typing import Any, Callable, Generic, Mapping, Optional, TypeVar

from twisted.logger import Logger

from kasmd.errors import AccountsError
from kasmd.permission import durable
from kasmd.permission.callbacks import Callbacks

R = TypeVar("R")
_log = Logger()

#: Records in one file.
CAPACITY = 1000


class Ledger(Generic[R]):
    """Records by their ident, as ``load`` and ``dump`` read and write each one.

    The file is ours alone and is read once; one that is not as we wrote it is
    an AccountsError.  What is said to be kept is on the disk.  Records that are
    no longer ``good`` leave it with the next change.
    """

    def __init__(
        self,
        path: str,
        load: Callable[[Any], R],
        dump: Callable[[R], Mapping[str, object]],
        good: Callable[[R], bool],
        capacity: int = CAPACITY,
    ) -> None:
        self._path = path
        self._dump = dump
        self._good = good
        self._capacity = capacity
        self._callbacks = Callbacks()
        try:
            content = durable.read(path)
            value = {} if content is None else json.loads(content)
            self._records = {str(ident): load(given) for ident, given in value.items()}
        except OSError as error:
            reason = error.strerror or error
            raise AccountsError(f"{path}: cannot be read: {reason}") from error
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise AccountsError(f"{path}: is not as kasmd wrote it: {error!r}") from None

    def records(self) -> Mapping[str, R]:
        """Give every good record, the oldest first."""
        return {ident: record for ident, record in self._records.items() if self._good(record)}

    def get(self, ident: str) -> Optional[R]:
        """Give one record, if it is good."""
        record = self._records.get(ident)
        return record if record is not None and self._good(record) else None

    def put(self, ident: str, record: R) -> None:
        """Add or replace a record, durably (AccountsError; then nothing has changed)."""
        records = {**self.records(), ident: record}
        if len(records) > self._capacity:
            raise AccountsError(f"{self._path}: there are {self._capacity} already; end some")
        self._keep(records)

    def remove(self, *idents: str) -> bool:
        """Remove records, durably; tell whether there were any (AccountsError)."""
        records = self.records()
        left = {ident: record for ident, record in records.items() if ident not in idents}
        found = len(left) < len(records)
        if found:
            self._keep(left)
        return found

    def prune(self, gone: Callable[[R], bool]) -> None:
        """Remove the records that ``gone`` tells; a failure to do so is logged."""
        idents = [ident for ident, record in self.records().items() if gone(record)]
        try:
            self.remove(*idents)
        except AccountsError as error:
            _log.error("{error}", error=error)

    def when_changed(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each change until the answer is called."""
        return self._callbacks.add(callback)

    def _keep(self, records: Mapping[str, R]) -> None:
        value = {ident: self._dump(record) for ident, record in records.items()}
        try:
            durable.replace(self._path, json.dumps(value, indent=1).encode())
        except OSError as error:
            reason = error.strerror or error
            raise AccountsError(f"{self._path}: cannot be written: {reason}") from error
        self._records = dict(records)
        self._callbacks.call()
