"""Changes in turn, and what a disk that takes its time does to accounts in files."""

from __future__ import annotations

import errno
import os
from typing import Awaitable, Callable, NamedTuple, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase, TestCase

from kasmd.errors import AccountsBusy, AccountsError, LoginRefused, UnknownPrincipal
from kasmd.interfaces import Account, Principal
from kasmd.log.asking import asked_by
from kasmd.permission.accounts import FileAccounts, MemoryAccounts
from kasmd.permission.features import FeaturedAccounts, Features
from kasmd.permission.invitations import Invitation, Invitations
from kasmd.permission.tokens import Token, Tokens
from kasmd.permission.writes import CAPACITY, STOPPING, Writes
from kasmd.rights import OWNER, READ, Right
from kasmd.viewer.worker import InlineWorker
from tests.permission.disk import SlowDisk, threaded
from tests.permission.test_accounts import scratch

T = TypeVar("T")

ANN = Account("ann", "1", Right.ENTER | READ | Right.UPLOAD)
BOB = Account("bob", "1", Right.ENTER | READ)


class TurnTests(SynchronousTestCase):
    """Whoever comes waits for those before him."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.writes = Writes(self.clock, InlineWorker())
        self.begun: list[str] = []
        self.held: Deferred[None] = Deferred()

    def begin(self, change: Callable[[], Awaitable[T]]) -> Deferred[T]:
        return Deferred.fromCoroutine(self.writes.change(change))

    async def slow(self) -> str:
        self.begun.append("slow")
        await self.held
        return "done"

    async def quick(self) -> None:
        self.begun.append("quick")

    async def broken(self) -> None:
        raise AccountsError("broken")

    def test_in_order_and_on_after_a_failure(self) -> None:
        done = [self.begin(each) for each in (self.slow, self.broken, self.quick)]
        self.assertEqual(self.begun, ["slow"])
        self.held.callback(None)
        self.assertEqual(self.successResultOf(done[0]), "done")
        self.failureResultOf(done[1], AccountsError)
        self.assertEqual(self.begun, ["slow", "quick"])

    def test_their_number_is_bounded(self) -> None:
        done = [self.begin(self.slow) for _ in range(1 + CAPACITY)]
        self.failureResultOf(self.begin(self.quick), AccountsBusy)
        self.held.callback(None)
        self.assertEqual([self.successResultOf(each) for each in done], ["done"] * (1 + CAPACITY))
        self.successResultOf(self.begin(self.quick))

    def test_what_nobody_waits_for_is_done_once_and_its_failure_told(self) -> None:
        self.begin(self.slow)
        for _ in range(CAPACITY):
            self.writes.later(self.quick)
            self.writes.later(self.broken)
        with capturedLogs() as events:
            self.held.callback(None)
        self.assertEqual([str(event["error"]) for event in events], ["broken"])
        self.writes.later(self.quick)
        self.assertEqual(self.begun, ["slow", "quick", "quick"])

    def test_the_end_waits_for_what_was_asked_for(self) -> None:
        self.begin(self.slow)
        self.writes.later(self.quick)
        ended = self.writes.stopService()
        self.assertNoResult(ended)
        self.held.callback(None)
        self.successResultOf(ended)
        self.assertEqual(self.begun, ["slow", "quick"])

    def test_but_not_for_ever(self) -> None:
        self.begin(self.slow)
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

    async def test_the_next_of_a_name_has_none_of_the_rights(self) -> None:
        await self.accounts.put(ANN)
        disk, path = SlowDisk(self), self.folder / "kasmpasswd"
        path.write_text("bob:1:r\n")
        self.inner.look()
        await disk.busy
        path.write_text("ann:1:r\n")
        seen: Deferred[None] = Deferred()
        self.accounts.when_changed(lambda: seen.callback(None))
        self.inner.look()
        await seen
        self.assertEqual(self.told[-1], [ANN._replace(rights=BOB.rights)])
        disk.go()
        await self.accounts.edit(lambda found: {})
        self.assertEqual(self.told[-1], [ANN._replace(rights=BOB.rights)])
        self.assertEqual(self.kept(), self.told[-1])

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


class LedgerTests(TestCase):
    """Tokens and invitations, which are written on a thread."""

    timeout = 120

    def setUp(self) -> None:
        folder = scratch(self)
        self.clock = Clock()
        self.accounts = MemoryAccounts(Account(name, "x", OWNER) for name in ("ann", "bob"))
        seconds = self.clock.seconds
        self.open_tokens = lambda: Tokens(
            self.accounts, str(folder / "tokens"), seconds, threaded()
        )
        self.tokens = self.open_tokens()
        self.invitations = Invitations(
            self.accounts, str(folder / "invitations"), bytes(32), seconds, seconds, threaded()
        )

    def make(self, account: str) -> Deferred[tuple[Token, str]]:
        return Deferred.fromCoroutine(self.tokens.make("ci", account, READ, 50.0))

    def enter(self, invitation: Invitation) -> Deferred[str]:
        code = self.invitations.code(invitation.ident)
        return Deferred.fromCoroutine(self.invitations.open(code))

    def kept(self) -> list[Token]:
        """What the next daemon would find, whoever has an account."""
        self.accounts = MemoryAccounts(Account(name, "x", OWNER) for name in ("ann", "bob"))
        return self.open_tokens().tokens()

    async def test_nobody_hears_of_what_is_not_on_the_disk(self) -> None:
        for free in range(2):
            disk = SlowDisk(self, free)
            before = self.tokens.tokens()
            made = self.make("ann")
            await disk.busy
            self.assertNoResult(made)
            self.assertEqual(self.tokens.tokens(), before)
            disk.go()
            token, _ = await made
            self.assertEqual(self.tokens.tokens(), [*before, token])
            self.assertEqual(self.kept(), [*before, token])

    async def test_whose_account_goes_meanwhile_has_no_token(self) -> None:
        disk = SlowDisk(self)
        first, second = self.make("ann"), self.make("ann")
        await disk.busy
        self.accounts.remove("ann")
        disk.go()
        await first
        await self.assertFailure(second, UnknownPrincipal)
        self.assertEqual(self.tokens.tokens(), [])
        await self.tokens.revoke("none")
        self.assertEqual(self.kept(), [])

    async def test_the_next_of_a_name_has_none_of_the_tokens(self) -> None:
        await self.make("ann")
        disk = SlowDisk(self)
        made = self.make("bob")
        await disk.busy
        self.accounts.remove("ann")
        self.accounts.put(Account("ann", "y", OWNER))
        self.assertEqual(self.tokens.tokens(), [])
        disk.go()
        bobs, _ = await made
        self.assertEqual(self.tokens.tokens(), [bobs])
        await self.tokens.revoke("none")
        self.assertEqual(self.kept(), [bobs])

    async def test_uses_and_guests_are_counted_of_those_who_come_at_once(self) -> None:
        once, alone = [
            await self.invitations.make("Eve", "ann", READ, 50.0, guests, uses)
            for guests, uses in ((2, 1), (1, 2))
        ]
        for invitation, why in ((once, "used up"), (alone, "in use")):
            disk = SlowDisk(self)
            first, second = self.enter(invitation), self.enter(invitation)
            await disk.busy
            self.assertEqual(self.invitations.guests(invitation.ident), [])
            disk.go()
            self.assertIsNotNone(self.invitations.principal(await first))
            refused = await self.assertFailure(second, LoginRefused)
            self.assertIn(why, str(refused))


class Asker(NamedTuple):
    """A request, as the log sees it."""

    principal: Principal
    request_id: str = "r-1"
    address: str = "10.0.0.1"
