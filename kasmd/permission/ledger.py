"""A durable list of records: a JSON file, 0600, replaced whole."""

from __future__ import annotations

import json
from typing import Any, Callable, Generic, Mapping, Optional, TypeVar

from kasmd.errors import AccountsError
from kasmd.permission import durable
from kasmd.permission.callbacks import Callbacks
from kasmd.permission.writes import Writes, writing

R = TypeVar("R")

#: Records in one file.
CAPACITY = 1000


class Ledger(Generic[R]):
    """Records by their ident, as ``load`` and ``dump`` read and write each one.

    The file is ours alone and is read once; one that is not as we wrote it is
    an AccountsError.  What is said to be kept is on the disk.  Records that are
    no longer ``good`` leave it with the next change.  `put` and `remove` are for
    those whose turn it is to make a change of ``writes``.
    """

    def __init__(
        self,
        path: str,
        load: Callable[[Any], R],
        dump: Callable[[R], Mapping[str, object]],
        good: Callable[[R], bool],
        writes: Writes,
        capacity: int = CAPACITY,
    ) -> None:
        self._path = path
        self._dump = dump
        self._good = good
        self._writes = writes
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

    async def put(self, ident: str, record: R) -> None:
        """Add or replace a record, durably (AccountsError; then nothing has changed)."""
        records = {**self.records(), ident: record}
        if len(records) > self._capacity:
            raise AccountsError(f"{self._path}: there are {self._capacity} already; end some")
        await self._write(records)
        # Not what was read before: some may have been pruned since.
        self._adopt({**self._records, ident: record})

    async def remove(self, ident: str) -> bool:
        """Remove a record, durably; tell whether there was one (AccountsError)."""
        if self.get(ident) is None:
            return False
        await self._write(_without(self.records(), ident))
        self._adopt(_without(self._records, ident))
        return True

    def prune(self, gone: Callable[[R], bool]) -> None:
        """Remove the records that ``gone`` tells at once, and from the file when it is its turn.

        A failure of that is logged; they leave the file with the next change.
        """
        left = {ident: record for ident, record in self._records.items() if not gone(record)}
        if len(left) < len(self._records):
            self._adopt(left)
            self._writes.later(self._tidy)

    def when_changed(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each change until the answer is called."""
        return self._callbacks.add(callback)

    async def _tidy(self) -> None:
        await self._write(self.records())

    async def _write(self, records: Mapping[str, R]) -> None:
        with writing(self._path):
            await self._writes.do(self._replace, records)

    def _replace(self, records: Mapping[str, R]) -> None:
        value = {ident: self._dump(record) for ident, record in records.items()}
        durable.replace(self._path, json.dumps(value, indent=1).encode())

    def _adopt(self, records: Mapping[str, R]) -> None:
        self._records = dict(records)
        self._callbacks.call()


def _without(records: Mapping[str, R], ident: str) -> Mapping[str, R]:
    return {each: record for each, record in records.items() if each != ident}
