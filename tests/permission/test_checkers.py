"""Log-ins: what is checked, what it costs, what is remembered."""

from __future__ import annotations

import time
from typing import Any, Callable, Optional

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from kasmd.errors import LockedOut, LoginRefused
from kasmd.interfaces import Account, IWorker
from kasmd.permission import checkers
from kasmd.permission.accounts import MemoryAccounts
from kasmd.permission.checkers import Authenticator, TooManyWaiting
from kasmd.permission.kasmpasswd import hash_password
from kasmd.permission.lockout import AccountLockout, Lockout
from kasmd.rights import READ

HERE, THERE = "192.0.2.1", "192.0.2.2"


@implementer(IWorker)
class Bench:
    """A worker that counts, and works when it is told to."""

    def __init__(self) -> None:
        self.count = 0
        self.idle = False
        self._waiting: list[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = []

    def do(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self._waiting.append((done, work, args))
        if not self.idle:
            self.work()
        return done

    def work(self) -> None:
        """Do all that is there."""
        self.idle = False
        while self._waiting:
            done, work, args = self._waiting.pop(0)
            self.count += 1
            done.callback(work(*args))

    def break_down(self) -> None:
        """Fail the first piece of work."""
        self._waiting.pop(0)[0].errback(RuntimeError("no thread"))


class AuthenticatorTests(SynchronousTestCase):
    """One daemon with two accounts, ann and bob."""

    def setUp(self) -> None:
        self.accounts = MemoryAccounts(
            Account(name, hash_password(f"{name}'s"), READ) for name in ("ann", "bob")
        )
        self.bench = Bench()
        self.clock = Clock()
        self.lockout = Lockout(3, 10)
        self.authenticator = Authenticator(
            self.accounts, self.lockout, self.bench, self.clock.seconds
        )

    def login(self, name: str, password: str, address: str = HERE) -> Deferred[str]:
        return self.authenticator.authenticate(name, password, address)

    def refused(self, name: str, password: str, address: str = HERE) -> None:
        error = self.failureResultOf(self.login(name, password, address), LoginRefused).value
        self.assertNotIsInstance(error, TooManyWaiting)

    def locked_out(self, name: str = "ann", password: str = "ann's", address: str = HERE) -> float:
        error = self.failureResultOf(self.login(name, password, address), LockedOut).value
        return float(error.seconds)

    def test_the_right_password(self) -> None:
        self.assertEqual(self.successResultOf(self.login("ann", "ann's")), "ann")

    def test_wrong_ones(self) -> None:
        wrong = [
            ("ann", "bob's"),
            ("ann", "ann's "),
            ("ANN", "ann's"),
            ("annann's", ""),
            ("", "ann's"),
            ("ann", ""),
            ("", ""),
            ("ann", "x" * 5000),
            ("x" * 5000, "ann's"),
            ("ann", "ann's\0"),
            ("ann", "\ud800"),
            ("\udcff", "ann's"),
        ]
        for number, (name, password) in enumerate(wrong):
            self.refused(name, password, f"192.0.2.{number}")

    def test_blank_is_refused_even_if_the_secret_is(self) -> None:
        self.accounts.put(Account("eve", "", READ))
        self.accounts.put(Account("tom", hash_password(" ")[:8], READ))
        for name in ("eve", "tom"):
            self.refused(name, "", THERE)

    def test_a_proof_is_checked_once(self) -> None:
        for _ in range(10):
            self.successResultOf(self.login("ann", "ann's"))
        self.assertEqual(self.bench.count, 1)

    def test_a_refusal_is_not_remembered(self) -> None:
        self.refused("ann", "x")
        self.refused("ann", "x")
        self.assertEqual(self.bench.count, 2)

    def test_a_new_password_ends_the_old_proof(self) -> None:
        self.successResultOf(self.login("ann", "ann's"))
        self.accounts.put(Account("ann", hash_password("new"), READ))
        self.refused("ann", "ann's")
        self.successResultOf(self.login("ann", "new"))

    def test_the_same_password_of_another_is_another_proof(self) -> None:
        self.successResultOf(self.login("ann", "ann's"))
        self.accounts.put(self.accounts.accounts()["ann"]._replace(name="eve"))
        self.successResultOf(self.login("eve", "ann's"))
        self.assertEqual(self.bench.count, 2)

    def test_a_removed_account_is_refused(self) -> None:
        self.successResultOf(self.login("ann", "ann's"))
        self.accounts.remove("ann")
        self.refused("ann", "ann's")

    def test_an_account_that_ends_during_the_check(self) -> None:
        self.bench.idle = True
        answer = self.login("ann", "ann's")
        self.accounts.remove("ann")
        self.bench.work()
        self.failureResultOf(answer, LoginRefused)

    def test_a_password_that_changes_during_the_check(self) -> None:
        self.bench.idle = True
        answer = self.login("ann", "ann's")
        self.accounts.put(Account("ann", hash_password("new"), READ))
        self.bench.work()
        self.failureResultOf(answer, LoginRefused)

    def test_proofs_are_bounded_and_the_used_ones_stay(self) -> None:
        self.authenticator = Authenticator(
            self.accounts, self.lockout, self.bench, self.clock.seconds, capacity=2
        )
        for name in ("eve", "tom"):
            self.accounts.put(Account(name, hash_password(f"{name}'s"), READ))
        for name in ("ann", "bob", "ann", "eve", "ann"):
            self.successResultOf(self.login(name, f"{name}'s"))
        self.assertEqual(self.bench.count, 3)
        self.successResultOf(self.login("bob", "bob's"))
        self.assertEqual(self.bench.count, 4)

    def test_unknown_names_and_unusable_secrets_cost_the_same(self) -> None:
        self.accounts.put(Account("eve", "!", READ))
        for number, name in enumerate(("ann", "nobody", "eve")):
            self.refused(name, "wrong", f"192.0.2.{number}")
            self.assertEqual(self.bench.count, number + 1)

    def test_the_decoy_is_the_secret_of_some_account(self) -> None:
        worked: list[str] = []
        do = self.bench.do

        class Spy:
            def do(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
                worked.append(args[1])
                return do(work, *args)

        authenticator = Authenticator(self.accounts, Lockout(0, 0), Spy(), self.clock.seconds)
        for number in range(40):
            answer = authenticator.authenticate(f"nobody{number % 20}", "ann's", HERE)
            self.failureResultOf(answer, LoginRefused)
        secrets = {account.secret for account in self.accounts.accounts().values()}
        self.assertEqual(set(worked), secrets)
        self.assertEqual(worked[:20], worked[20:])
        for name in ("ann", "bob"):
            self.accounts.remove(name)
        answer = authenticator.authenticate("nobody", "ann's", HERE)
        self.failureResultOf(answer, LoginRefused)
        self.assertEqual(worked[-1], checkers.DUMMY_SECRET)

    def test_locked_out_whatever_the_password(self) -> None:
        self.successResultOf(self.login("ann", "ann's"))
        for _ in range(3):
            self.refused("ann", "x")
        count = self.bench.count
        self.assertEqual(self.locked_out(), 10.0)
        self.clock.advance(4)
        self.assertEqual(self.locked_out("ann", "x"), 6.0)
        self.assertEqual(self.bench.count, count)
        self.successResultOf(self.login("ann", "ann's", THERE))
        self.clock.advance(6)
        self.successResultOf(self.login("ann", "ann's"))

    def test_unknown_and_blank_count_too(self) -> None:
        self.refused("nobody", "x")
        self.refused("ann", "")
        self.refused("", "x")
        self.locked_out()

    def guard_accounts(self) -> None:
        """Let every third guess be from somewhere else, four times three of them lock."""
        self.authenticator = Authenticator(
            self.accounts, self.lockout, self.bench, self.clock.seconds, AccountLockout(3, 10)
        )

    def test_guesses_from_everywhere_slow_the_unfamiliar_only(self) -> None:
        self.guard_accounts()
        self.successResultOf(self.login("ann", "ann's", HERE))
        for number in range(12):
            self.refused("ann", f"guess {number}", f"198.51.100.{number}")
        count = self.bench.count
        self.assertEqual(self.locked_out("ann", "ann's", THERE), 10.0)
        self.assertEqual(self.locked_out("ann", "guess", "198.51.100.77"), 10.0)
        self.assertEqual(self.bench.count, count)
        self.successResultOf(self.login("ann", "ann's", HERE))
        self.successResultOf(self.login("bob", "bob's", THERE))
        self.clock.advance(10)
        self.successResultOf(self.login("ann", "ann's", THERE))

    def test_a_name_without_an_account_is_locked_alike(self) -> None:
        self.guard_accounts()
        for number in range(12):
            self.refused("nobody", "x", f"198.51.100.{number}")
        self.assertEqual(self.locked_out("nobody", "x", THERE), 10.0)

    def test_guesses_from_everywhere_sent_at_once_gain_nothing(self) -> None:
        self.guard_accounts()
        self.bench.idle = True
        guesses = [self.login("ann", f"{number}", f"198.51.100.{number}") for number in range(20)]
        self.bench.work()
        kinds = [LoginRefused] * 12 + [LockedOut] * 8
        for answer, kind in zip(guesses, kinds):
            self.failureResultOf(answer, kind)

    def test_success_resets_the_count(self) -> None:
        for _ in range(3):
            self.refused("ann", "x")
            self.refused("ann", "x")
            self.accounts.put(Account("ann", hash_password(f"ann {self.bench.count}"), READ))
            self.successResultOf(self.login("ann", f"ann {self.bench.count}"))

    def test_a_remembered_proof_does_not(self) -> None:
        self.successResultOf(self.login("bob", "bob's"))
        for _ in range(3):
            self.refused("ann", "x")
            left: Optional[Deferred[str]] = self.login("bob", "bob's")
        self.failureResultOf(left, LockedOut)

    def test_requests_with_the_same_guess_are_checked_once_and_count_once(self) -> None:
        self.bench.idle = True
        answers = [self.login("ann", "x") for _ in range(6)]
        there = self.login("ann", "x", THERE)
        self.bench.work()
        for answer in (*answers, there):
            self.failureResultOf(answer, LoginRefused)
        self.assertEqual(self.bench.count, 1)
        self.refused("ann", "y")
        self.refused("ann", "z")
        self.locked_out()
        self.successResultOf(self.login("ann", "ann's", THERE))

    def test_requests_with_the_right_password_are_checked_once(self) -> None:
        self.bench.idle = True
        answers = [self.login("ann", "ann's") for _ in range(6)]
        self.assertNoResult(answers[0])
        self.bench.work()
        self.assertEqual([self.successResultOf(answer) for answer in answers], ["ann"] * 6)
        self.assertEqual(self.bench.count, 1)

    def test_guesses_sent_at_once_gain_nothing(self) -> None:
        self.bench.idle = True
        guesses = [self.login("ann", f"guess {number}") for number in range(20)]
        guesses.append(self.login("ann", "ann's"))
        there = self.login("ann", "ann's", THERE)
        self.bench.work()
        for guess in guesses[:3]:
            self.failureResultOf(guess, LoginRefused)
        for guess in guesses[3:]:
            self.failureResultOf(guess, LockedOut)
        self.assertEqual(self.successResultOf(there), "ann")
        self.assertEqual(self.bench.count, 4)

    def test_one_more_log_in_from_a_refusal(self) -> None:
        self.bench.idle = True
        later: list[Deferred[str]] = []
        for number in range(4):
            guess = self.login("ann", f"guess {number}")
            guess.addErrback(lambda _: later.append(self.login("bob", "bob's", THERE)))
        self.bench.work()
        self.assertEqual([self.successResultOf(answer) for answer in later], ["bob"] * 4)

    def test_a_request_that_gave_up(self) -> None:
        self.bench.idle = True
        gone, here = self.login("ann", "ann's"), self.login("ann", "ann's")
        gone.addErrback(lambda _: None)
        gone.cancel()
        self.bench.work()
        self.assertEqual(self.successResultOf(here), "ann")

    def test_the_queue_is_bounded(self) -> None:
        self.bench.idle = True
        for number in range(checkers.WAITING):
            self.login("ann", "x", f"198.51.100.{number}").addErrback(lambda _: None)
            self.login("ann", f"{number}", f"198.51.100.{number}").addErrback(lambda _: None)
        error = self.failureResultOf(self.login("ann", "ann's"), TooManyWaiting).value
        self.assertIn("try again", str(error))
        self.bench.work()
        self.assertEqual(self.successResultOf(self.login("ann", "ann's")), "ann")

    def test_requests_for_one_check_are_bounded(self) -> None:
        self.bench.idle = True
        answers = [self.login("ann", "ann's") for _ in range(checkers.SHARING)]
        self.failureResultOf(self.login("ann", "ann's"), TooManyWaiting)
        self.bench.work()
        self.assertEqual({self.successResultOf(answer) for answer in answers}, {"ann"})

    def test_a_worker_that_fails_lets_nobody_in_and_is_asked_again(self) -> None:
        self.bench.idle = True
        first, second = self.login("ann", "ann's"), self.login("bob", "bob's")
        self.bench.break_down()
        self.failureResultOf(first, LoginRefused)
        self.flushLoggedErrors(RuntimeError)
        self.bench.work()
        self.assertEqual(self.successResultOf(second), "bob")
        self.assertEqual(self.successResultOf(self.login("ann", "ann's")), "ann")

    def test_the_log_says_who_and_never_the_password(self) -> None:
        with capturedLogs() as events:
            for name in ("ann", "a\r\n\x1b[2J\u202e" + "b" * 5000, "nobody"):
                self.refused(name, "hunter2")
            self.locked_out()
        said = [formatEvent(event) for event in events]
        self.assertIn(f"'ann' from {HERE}", said[0])
        self.assertIn("locked out", said[-1])
        for line in said:
            self.assertTrue(line.isprintable() and line.isascii() and len(line) < 1000)
        for event in events:
            self.assertNotIn("hunter2", repr(event))

    def test_a_remembered_proof_is_cheap(self) -> None:
        """It takes a fraction of what the first log-in takes, which hashes."""
        first = self.time(1)
        again = min(self.time(100) for _ in range(5))
        self.assertLess(again, first / 10)

    def time(self, times: int) -> float:
        """Give the processor's seconds of a log-in."""
        start = time.thread_time()
        for _ in range(times):
            self.successResultOf(self.login("ann", "ann's"))
        return (time.thread_time() - start) / times
