"""An edit of the accounts that waits for other programs, and keeps nobody else waiting."""

from __future__ import annotations

from typing import Callable, Mapping

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from kasmd.errors import AccountsBusy
from kasmd.interfaces import Account, IAccounts
from kasmd.permission.accounts import Changes

#: Seconds: another writer needs milliseconds, one that takes longer hangs.
PATIENCE = 0.25
STEP = 0.01


async def edit(clock: IReactorTime, accounts: IAccounts,
               change: Callable[[Mapping[str, Account]], Changes]) -> None:
    """Do as `IAccounts.edit` does, as soon as it can be done.

    ``change`` is called more than once where another program is in between.
    """
    ends = clock.seconds() + PATIENCE
    while True:
        try:
            return accounts.edit(change)
        except AccountsBusy:
            if clock.seconds() >= ends:
                raise
        await deferLater(clock, STEP)
