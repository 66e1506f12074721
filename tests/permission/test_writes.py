"""Changes in turn, and what a disk that takes its time does to accounts in files."""

from __future__ import annotations

import errno
import os
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase, TestCase

from kasmd.errors import AccountsBusy, AccountsError
from kasmd.interfaces import Account, Principal
from kasmd.log.asking import asked_by
from kasmd.permission.accounts import FileAccounts
from kasmd.permission.features import FeaturedAccounts, Features
from kasmd.permission.writes import CAPACITY, STOPPING, Writes
from kasmd.rights import READ, Right
from kasmd.viewer.worker import InlineWorker
from tests.permission.disk import SlowDisk, threaded
from tests.permission.test_accounts import scratch

ANN = Account("ann", "1", Right.ENTER | READ | Right.UPLOAD)
BOB = Account("bob", "1", Right.ENTER | READ)


class TurnTests(SynchronousTestCase):
    """Whoever comes waits for those before him."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.writes = Writes(self.clock, InlineWorker())
        self.begun: list[str] = []
        self.held: Deferred[None] = Deferred()

    async def slow(self) -> str:
        self.begun.append("slow")
        await self.held
        return "done"

    async def quick(self) -> None:
        self.begun.append("quick")

    async def broken(self) -> None:
        raise AccountsError("broken")

    def test_in_order_and_on_after_a_failure(self) -> None:
        done = [self.writes.change(each) for each in (self.slow, self.broken, self.quick)]
        self.assertEqual(self.begun, ["slow"])
        self.held.callback(None)
        self.assertEqual(self.successResultOf(done[0]), "done")
        self.failureResultOf(done[1], AccountsError)
        self.assertEqual(self.begun, ["slow", "quick"])

    def test_their_number_is_bounded(self) -> None:
        done = [self.writes.change(self.slow) for _ in range(1 + CAPACITY)]
        self.failureResultOf(self.writes.change(self.quick), AccountsBusy)
        self.held.callback(None)
        self.assertEqual([self.successResultOf(each) for each in done], ["done"] * (1 + CAPACITY))
        self.successResultOf(self.writes.change(self.quick))

    def test_what_nobody_waits_for_is_done_once_and_its_failure_told(self) -> None:
        self.writes.change(self.slow)
        for _ in range(CAPACITY):
            self.writes.later(self.quick)
            self.writes.later(self.broken)
        with capturedLogs() as events:
            self.held.callback(None)
        self.assertEqual([str(event["error"]) for event in events], ["broken"])
        self.writes.later(self.quick)
        self.assertEqual(self.begun, ["slow", "quick", "quick"])

    def test_the_end_waits_for_what_was_asked_for(self) -> None:
        self.writes.change(self.slow)
        self.writes.later(self.quick)
        ended = self.writes.stopService()
        self.assertNoResult(ended)
        self.held.callback(None)
        self.successResultOf(ended)
        self.assertEqual(self.begun, ["slow", "quick"])

    def test_but_not_for_ever(self) -> None:
        self.writes.change(self.slow)
        ended = self.writes.stopService()
        self.clock.advance(STOPPING - 1)
        self.assertNoResult(ended)
        with capturedLogs() as events:
            self.clock.advance(1)
        self.successResultOf(ended)
        self.assertEqual(len(events), 1)


class DiskTests(TestCase):
    """Accounts in two files, which are written on a thread."""

    timeout = 120

    def setUp(self) -> None:
        self.folder = scratch(self)
        self.writes = threaded()
        self.accounts = self.open(self.writes)
        self.told: list[list[Account]] = []
        self.accounts.when_changed(
            lambda: self.told.append(list(self.accounts.accounts().values()))
        )

    def open(self, writes: Writes) -> FeaturedAccounts:
        self.inner = FileAccounts(Clock(), str(self.folder / "kasmpasswd"), threaded())
        features = Features(Clock(), str(self.folder / "features.json"), threaded())
        return FeaturedAccounts(self.inner, features, writes)

    def kept(self) -> list[Account]:
        """What the next daemon would find."""
        return list(self.open(threaded()).accounts().values())

    async def test_nobody_hears_of_what_is_not_on_the_disk(self) -> None:
        # Two for the features; then the password file, and the folder it is renamed in.
        for free in range(4):
            disk = SlowDisk(self, free)
            account = ANN._replace(name=f"ann{free}")
            before = list(self.accounts.accounts().values())
            put = self.accounts.put(account)
            await disk.busy
            self.assertNoResult(put)
            self.assertEqual(list(self.accounts.accounts().values()), before)
            disk.go()
            await put
            self.assertEqual(self.told[free:], [[*before, account]])
            self.assertEqual(self.kept(), [*before, account])

    async def test_two_are_made_in_the_order_in_which_they_came(self) -> None:
        disk = SlowDisk(self)
        first = self.accounts.put(ANN)
        second = self.accounts.edit(
            lambda found: {"ann": found["ann"]._replace(secret="2"), "bob": BOB}
        )
        await disk.busy
        disk.go()
        await second
        self.successResultOf(first)
        self.assertEqual(self.told, [[ANN], [ANN._replace(secret="2"), BOB]])
        self.assertEqual(self.kept(), self.told[-1])

    async def test_what_fails_has_not_happened_and_the_next_one_goes_on(self) -> None:
        fsync, calls = os.fsync, list[int]()

        def full(fd: int) -> None:
            calls.append(fd)
            if len(calls) == 3:
                raise OSError(errno.ENOSPC, "full")
            fsync(fd)

        self.patch(os, "fsync", full)
        first, second = self.accounts.put(ANN), self.accounts.put(BOB)
        await self.assertFailure(first, AccountsError)
        await second
        self.assertEqual(self.told, [[BOB]])
        self.assertEqual(self.kept(), [BOB])

    async def test_the_end_waits_for_the_disk(self) -> None:
        disk = SlowDisk(self)
        self.accounts.put(ANN)
        self.accounts.put(BOB)
        await disk.busy
        ended = self.writes.stopService()
        self.assertNoResult(ended)
        disk.go()
        await ended
        self.assertEqual(self.kept(), [ANN, BOB])

    async def test_each_change_is_his_who_asked_for_it(self) -> None:
        disk = SlowDisk(self)
        puts = []
        for account in (ANN, BOB):
            with asked_by(Asker(Principal(f"{account.name}'s owner"))):
                puts.append(self.accounts.put(account))
        with capturedLogs() as events:
            await disk.busy
            disk.go()
            for put in puts:
                await put
        made = [event["record"] for event in events if event["log_namespace"] == "kasmd.audit"]
        self.assertEqual(
            [(change.name, change.source.by) for change in made if change.what == "made"],
            [("ann", "ann's owner"), ("bob", "bob's owner")],
        )


class Asker(NamedTuple):
    """A request, as the log sees it."""

    principal: Principal
    request_id: str = "r-1"
    address: str = "10.0.0.1"
