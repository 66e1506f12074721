"""Accounts in a file that others write too; the rest is in tests/contracts."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Callable, Generator

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase, TestCase

from kasmd.errors import AccountsError, UnknownPrincipal
from kasmd.interfaces import Account, Principal
from kasmd.log.asking import asked_by
from kasmd.permission.accounts import FileAccounts, load, rewrite
from kasmd.permission.durable import SIZE_LIMIT
from kasmd.rights import READ, Right
from tests.permission.disk import inline, now

ANN = Account("ann", "a", Right.ENTER | READ)

NAMES = ["ann", "bob"]

Waiting = Generator[Deferred[None], None, None]


def scratch(case: SynchronousTestCase) -> Path:
    """Give a folder that ends with the test."""
    folder = TemporaryDirectory()
    case.addCleanup(folder.cleanup)
    return Path(folder.name)


class ReadingTests(SynchronousTestCase):
    """What is said about a file, and what becomes of the accounts."""

    def setUp(self) -> None:
        self.folder = scratch(self)
        self.path = self.folder / "kasmpasswd"

    def make(self) -> FileAccounts:
        return FileAccounts(Clock(), str(self.path), inline())

    def said(self, call: Callable[[], object]) -> list[str]:
        with capturedLogs() as events:
            call()
        return [formatEvent(event) for event in events]

    def test_no_file(self) -> None:
        (said,) = self.said(self.make)
        self.assertIn(f"{self.path}: no account", said)

    def test_bad_lines_are_reported_and_the_others_work(self) -> None:
        self.path.write_bytes(b"ann:a:r\nbad\n\xff:x:r\nbob:b:w\r\n")
        self.path.chmod(0o600)
        first, second = self.said(lambda: self.assertEqual(list(self.make().accounts()), NAMES))
        self.assertIn(":2: not name:secret:letters", first)
        self.assertIn(":3: the name has", second)

    def test_bad_bytes_survive_a_rewrite(self) -> None:
        self.path.write_bytes(b"bad\xff\n\xff:x:r")
        now(self.make().put(ANN))
        self.assertEqual(self.path.read_bytes(), b"bad\xff\n\xff:x:r\nann:a:r\n")

    def test_unreadable_at_the_start(self) -> None:
        self.path.mkdir()
        error = self.assertRaises(AccountsError, self.make)
        self.assertIn(f"{self.path}: cannot be read", str(error))

    def test_unreadable_later_keeps_the_accounts(self) -> None:
        self.path.write_text("ann:a:r\n")
        accounts = self.make()
        self.path.write_bytes(b"\n" * (SIZE_LIMIT + 1))
        (said,) = self.said(accounts.look)
        self.assertIn("larger than", said)
        self.assertEqual(dict(accounts.accounts()), {"ann": ANN})

    def test_put_sees_what_others_wrote(self) -> None:
        accounts = self.make()
        self.path.write_text("bob:b:w\n")
        now(accounts.put(ANN))
        self.assertEqual(self.path.read_text(), "bob:b:w\nann:a:r\n")
        self.assertEqual(list(accounts.accounts()), ["bob", "ann"])

    def test_remove_asks_the_file_and_not_the_memory(self) -> None:
        self.path.write_text("ann:a:r\n")
        accounts = self.make()
        self.path.write_text("bob:b:w\n")
        self.failureResultOf(accounts.remove("ann"), UnknownPrincipal)
        now(accounts.remove("bob"))
        self.assertEqual(self.path.read_text(), "")

    def test_a_failed_write_changes_nothing(self) -> None:
        folder = self.folder / "missing"
        accounts = FileAccounts(Clock(), str(folder / "kasmpasswd"), inline())
        error = self.failureResultOf(accounts.put(ANN), AccountsError).value
        self.assertIn(f"{folder}/kasmpasswd: cannot be written: No such", str(error))
        self.assertEqual(dict(accounts.accounts()), {})

    def test_a_link_is_followed(self) -> None:
        target = self.folder / "target"
        target.write_text("bob:b:w\n")
        self.path.symlink_to(target)
        now(self.make().put(ANN))
        self.assertTrue(self.path.is_symlink())
        self.assertEqual(target.read_text(), "bob:b:w\nann:a:r\n")
        self.assertEqual(stat.S_IMODE(target.stat().st_mode), 0o600)

    def test_rewrite_without_a_daemon(self) -> None:
        rewrite(str(self.path), lambda file: file.with_account(ANN))
        self.assertEqual(dict(load(str(self.path)).accounts), {"ann": ANN})


class LiveTests(TestCase):
    """Edits by other programs, seen through inotify; `FileWatch` says how soon."""

    timeout = 120

    def setUp(self) -> None:
        self.folder = scratch(self)
        self.path = self.folder / "kasmpasswd"
        self.path.write_text("ann:a:r\n")
        self.watch(self.path)

    def watch(self, path: Path) -> None:
        self.seen: list[dict[str, str]] = []
        self.accounts = FileAccounts(reactor, str(path), inline())
        self.accounts.when_changed(self.changed)
        self.waiting: list[tuple[dict[str, str], Deferred[None]]] = []
        self.accounts.startService()
        self.addCleanup(self.accounts.stopService)

    def changed(self) -> None:
        now = {account.name: account.secret for account in self.accounts.accounts().values()}
        self.seen.append(now)
        for wanted, answer in self.waiting:
            if wanted == now and not answer.called:
                answer.callback(None)

    @inlineCallbacks
    def after(self, edit: Callable[[], object], **wanted: str) -> Waiting:
        """Make an edit and wait until the accounts are as wanted."""
        self.seen = []
        answer: Deferred[None] = Deferred()
        self.waiting.append((wanted, answer))
        edit()
        yield answer.addTimeout(60, reactor)

    @inlineCallbacks
    def test_in_place(self) -> Waiting:
        yield self.after(lambda: self.path.write_text("bob:b:r\n"), bob="b")

    @inlineCallbacks
    def test_appended_by_a_program_that_keeps_it_open(self) -> Waiting:
        with self.path.open("a", buffering=1) as file:
            yield self.after(lambda: file.write("bob:b:r\n"), ann="a", bob="b")

    @inlineCallbacks
    def test_renamed_over(self) -> Waiting:
        new = self.folder / "new"
        new.write_text("bob:b:r\n")
        yield self.after(lambda: new.rename(self.path), bob="b")
        self.assertEqual(self.seen, [{"bob": "b"}])

    @inlineCallbacks
    def test_deleted_and_made_again(self) -> Waiting:
        yield self.after(self.path.unlink)
        self.assertEqual(dict(self.accounts.accounts()), {})
        yield self.after(lambda: self.path.write_text("bob:b:r\n"), bob="b")

    @inlineCallbacks
    def test_an_editor_that_moves_the_old_one_away(self) -> Waiting:
        def edit() -> None:
            self.path.rename(self.folder / "kasmpasswd~")
            self.path.write_text("ann:a:r\nbob:b:r\n")
            (self.folder / "kasmpasswd~").unlink()

        yield self.after(edit, ann="a", bob="b")
        self.assertEqual(self.seen, [{"ann": "a", "bob": "b"}])

    @inlineCallbacks
    def test_a_pause_between_deletion_and_making_disturbs_nobody(self) -> Waiting:
        self.path.unlink()

        def remake() -> None:
            self.path.write_text("ann:a:r\nbob:b:r\n")

        paused: Deferred[None] = Deferred()
        reactor.callLater(0.15, paused.callback, None)
        yield paused
        yield self.after(remake, ann="a", bob="b")
        self.assertEqual(self.seen, [{"ann": "a", "bob": "b"}])

    @inlineCallbacks
    def test_half_written_is_not_read(self) -> Waiting:
        file = self.path.open("w", buffering=1)
        file.write("ann:a:r\nb")
        paused: Deferred[None] = Deferred()
        reactor.callLater(0.15, paused.callback, None)
        yield paused

        def finish() -> None:
            file.write("ob:b:r\n")
            file.close()

        yield self.after(finish, ann="a", bob="b")
        self.assertEqual(self.seen, [{"ann": "a", "bob": "b"}])

    @inlineCallbacks
    def test_changes_of_permissions_and_of_other_files_are_not_changes(self) -> Waiting:
        os.chmod(self.path, 0o600)
        (self.folder / "other").write_text("eve:e:rwo\n")
        (self.folder / "kasmpasswd.lock").touch()
        yield self.after(lambda: self.path.write_text("bob:b:r\n"), bob="b")
        self.assertEqual(self.seen, [{"bob": "b"}])

    @inlineCallbacks
    def test_own_writes_are_told_once(self) -> Waiting:
        yield self.after(lambda: self.accounts.put(ANN._replace(secret="n")), ann="n")
        yield self.after(lambda: self.path.write_text("bob:b:r\n"), bob="b")
        self.assertEqual(self.seen, [{"bob": "b"}])

    @inlineCallbacks
    def test_made_after_the_start(self) -> Waiting:
        path = self.folder / "later"
        self.watch(path)
        yield self.after(lambda: path.write_text("bob:b:r\n"), bob="b")

    @inlineCallbacks
    def test_edited_between_reading_and_watching(self) -> Waiting:
        accounts = FileAccounts(reactor, str(self.path), inline())
        self.path.write_text("bob:b:r\n")
        accounts.startService()
        self.addCleanup(accounts.stopService)
        self.assertEqual(list(accounts.accounts()), ["bob"])
        yield self.after(lambda: None, bob="b")

    @inlineCallbacks
    def test_behind_a_link(self) -> Waiting:
        (self.folder / "elsewhere").mkdir()
        target = self.folder / "elsewhere" / "real"
        target.write_text("ann:a:r\n")
        self.path.unlink()
        self.path.symlink_to(target)
        self.watch(self.path)
        yield self.after(lambda: target.write_text("bob:b:r\n"), bob="b")

    @inlineCallbacks
    def test_a_link_on_the_way_is_turned(self) -> Waiting:
        # As Kubernetes gives out secrets.
        for version in ("one", "two"):
            (self.folder / version).mkdir()
            (self.folder / version / "kasmpasswd").write_text(f"ann:{version}:r\n")
        (self.folder / "..data").symlink_to("one")
        self.path.unlink()
        self.path.symlink_to("..data/kasmpasswd")
        self.watch(self.path)

        def turn() -> None:
            (self.folder / "..new").symlink_to("two")
            (self.folder / "..new").rename(self.folder / "..data")

        yield self.after(turn, ann="two")
        later = self.folder / "two" / "kasmpasswd"
        yield self.after(lambda: later.write_text("bob:b:r\n"), bob="b")

    def test_nothing_is_told_after_the_end(self) -> None:
        self.accounts.stopService()
        self.path.write_text("bob:b:r\n")
        self.assertEqual(list(self.accounts.accounts()), ["ann"])
        self.accounts.startService()
        self.assertEqual(list(self.accounts.accounts()), ["bob"])


class AuditTests(SynchronousTestCase):
    """Who changed which account, as the log has it."""

    def setUp(self) -> None:
        self.path = scratch(self) / "kasmpasswd"
        self.path.write_text("ann:a:r\nbob:b:rw\n")
        self.accounts = FileAccounts(Clock(), str(self.path), inline())

    def audited(self, call: Callable[[], object]) -> list[str]:
        """Give the lines of what ``call`` changes, on behalf of a request."""
        with capturedLogs() as events, asked_by(Owner()):
            call()
        return [str(e["record"]) for e in events if e["log_namespace"] == "kasmd.audit"]

    def test_what_was_there_at_the_start_is_no_change(self) -> None:
        self.assertEqual(self.audited(lambda: FileAccounts(Clock(), str(self.path), inline())), [])

    def test_a_request_is_named_with_what_it_changed(self) -> None:
        by = ', by "own" from 10.0.0.1 through api'
        for account, line in (
            (ANN._replace(name="eve"), '"eve": made - -> r'),
            (ANN._replace(rights=Right.ENTER), '"ann": rights r -> none'),
            (ANN._replace(rights=Right.ENTER, secret="s"), '"ann": password'),
        ):
            put = self.audited(lambda: now(self.accounts.put(account)))
            self.assertEqual(put, [f"account {line}{by}"])
        self.assertEqual(self.audited(lambda: now(self.accounts.put(account))), [])
        removed = self.audited(lambda: now(self.accounts.remove("bob")))
        self.assertEqual(removed, [f'account "bob": removed rw -> -{by}'])

    def test_an_edit_just_before_is_not_the_asker_s(self) -> None:
        self.path.write_text("ann:a:r\n")
        self.assertEqual(self.audited(lambda: self.accounts.put(ANN._replace(secret="s"))), [
            'account "bob": removed rw -> -, by "" from - through file',
            'account "ann": password, by "own" from 10.0.0.1 through api',
        ])

    def test_who_signed_the_file_is_named(self) -> None:
        rewrite(str(self.path), lambda file: file.without("bob"), signature="kasmvncpasswd ann")
        self.assertEqual(
            self.audited(self.accounts.look),
            ['account "bob": removed rw -> -, by "ann" from - through kasmvncpasswd'],
        )


class Owner:
    """A request, as the log sees it."""

    request_id = "p-1"
    principal = Principal("own")
    address = "10.0.0.1"
