"""Edits while another program has the accounts' lock."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from kasmd.errors import AccountsBusy
from kasmd.interfaces import Account
from kasmd.permission import durable
from kasmd.permission.accounts import FileAccounts
from kasmd.permission.edits import PATIENCE, STEP, edit
from kasmd.permission.features import FeaturedAccounts, Features
from kasmd.rights import READ, Right
from tests.permission.test_accounts import scratch

ANN = Account("ann", "a", Right.ENTER | READ)


class Tests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = scratch(self)
        self.clock = Clock()
        self.files = [str(folder / name) for name in ("kasmpasswd", "features.json")]
        inner = FileAccounts(self.clock, self.files[0])
        self.accounts = FeaturedAccounts(inner, Features(self.clock, self.files[1]))

    def begin(self, account: Account = ANN) -> Deferred[None]:
        return Deferred.fromCoroutine(edit(
            self.clock, self.accounts, lambda accounts: {account.name: account}
        ))

    def test_at_once_where_nobody_is_in_the_way(self) -> None:
        self.successResultOf(self.begin())
        self.assertEqual(dict(self.accounts.accounts()), {"ann": ANN})

    def test_it_waits_on_the_clock_until_the_other_is_done(self) -> None:
        # Rights that letters cannot say are in the second file.
        ann = ANN._replace(rights=Right.ENTER | Right.POINTER)
        for path in self.files:
            with durable.exclusive(path):
                self.assertRaises(AccountsBusy, self.accounts.put, ann)
                begun = self.begin(ann)
                self.clock.advance(STEP)
                self.assertNoResult(begun)
                self.assertNotIn(ann, self.accounts.accounts().values())
            self.clock.advance(STEP)
            self.successResultOf(begun)
            self.assertEqual(dict(self.accounts.accounts()), {"ann": ann})
            self.accounts.remove("ann")
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_it_does_not_wait_for_ever(self) -> None:
        with durable.exclusive(self.files[0]):
            begun = self.begin()
            self.clock.pump([STEP] * int(PATIENCE / STEP + 2))
            self.failureResultOf(begun, AccountsBusy)
        self.assertEqual(dict(self.accounts.accounts()), {})

    def test_what_the_change_raises_goes_through(self) -> None:
        def refused(accounts: object) -> dict[str, Account]:
            raise ValueError

        self.failureResultOf(
            Deferred.fromCoroutine(edit(self.clock, self.accounts, refused)), ValueError
        )
