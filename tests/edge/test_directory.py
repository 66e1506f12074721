"""The directory: read anew after edits, and never worse than it was."""

from __future__ import annotations

import gc
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

import yaml
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, LoopingCall
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase, TestCase

from kasmd.config.sessions import read_sessions
from kasmd.edge.asking import Upstream
from kasmd.edge.directory import OPEN, Credential, Directory, Session
from kasmd.errors import ConfigError
from kasmd.interfaces import Account, Principal
from kasmd.permission.accounts import MemoryAccounts
from kasmd.permission.registry import EVERYTHING
from kasmd.permission.shares import SessionRegistry, Share
from kasmd.permission.slices import SLICE
from kasmd.permission.tickets import Tickets
from kasmd.rights import NOTHING, READ, WRITE, Right
from kasmd.viewer.worker import InlineWorker, ThreadWorker
from tests.permission.turns import Turns

#: What issue 4 has in one directory.
MANY = 2000
ANN = Session("a", "Ann's", "ann", {"bob": Right.ENTER | WRITE}, Upstream("h", 80))
BOB = Session("b", "Bob's", "bob", {}, Upstream("h", 81))


class Later:
    """A worker that works when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def do(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self.waiting.append((partial(work, *args), done))
        return done

    def work(self) -> None:
        work, done = self.waiting.pop(0)
        done.callback(work())


class DirectoryTests(SynchronousTestCase):
    """Over values."""

    def setUp(self) -> None:
        self.sessions: Sequence[Session] = (ANN,)
        self.complaint = ""
        self.told = 0
        self.logged: list[str] = []
        globalLogPublisher.addObserver(self._log)
        self.addCleanup(globalLogPublisher.removeObserver, self._log)
        self.clock = Clock()
        self.directory = Directory(self.clock, "/nowhere/s.yaml", self.read, InlineWorker())
        self.directory.when_changed(self._tell)

    def _log(self, event: LogEvent) -> None:
        self.logged.append(formatEvent(event))

    def _tell(self) -> None:
        self.told += 1

    def read(self) -> Sequence[Session]:
        if self.complaint:
            raise ConfigError(self.complaint)
        return self.sessions

    def edit(self, *sessions: Session) -> None:
        self.sessions = sessions
        self.directory.look()
        self.clock.advance(0)

    def test_what_it_gives(self) -> None:
        self.edit(ANN, BOB)
        self.assertIs(self.directory.find("a"), ANN)
        self.assertIsNone(self.directory.find("A"))
        self.assertEqual(list(self.directory.sessions()), ["a", "b"])
        share = self.directory.share("a")
        assert share is not None
        self.assertEqual(share.rights, {"ann": EVERYTHING, "bob": Right.ENTER | WRITE})
        self.assertIsNone(self.directory.share(""))
        self.assertEqual(list(self.directory.entered_by("bob")), [ANN, BOB])
        self.assertEqual(list(self.directory.entered_by("eve")), [])

    def test_a_change_for_many_holds_nobody_up(self) -> None:
        turns = Turns()
        self.sessions = [ANN._replace(ident=str(number)) for number in range(9)]
        directory = Directory(turns, "/nowhere/s.yaml", self.read, InlineWorker())
        registry = SessionRegistry(MemoryAccounts([Account("ann", "x", NOTHING)]), directory)
        grants = [registry.admit(Principal("ann"), each.ident) for each in self.sessions]

        def close() -> None:
            turns.now += SLICE

        for grant in grants:
            grant.when_changed(close)
        self.sessions = [each._replace(prefix=b"/other") for each in self.sessions]
        directory.look()
        for left in range(8, -1, -1):
            self.assertEqual(sum(grant.holds(Right.ENTER) for grant in grants), left)
            turns.turn()
        self.assertEqual(turns.due, [])

    def test_a_change_is_told_and_none_is_not(self) -> None:
        self.edit(ANN)
        self.edit(ANN._replace())
        self.assertEqual(self.told, 0)
        self.edit(ANN, BOB)
        self.edit(ANN)
        self.assertEqual(self.told, 2)

    def test_what_is_as_it_was_stays_the_very_same(self) -> None:
        share = self.directory.share("a")
        self.edit(ANN._replace(), BOB)
        self.assertIs(self.directory.find("a"), ANN)
        self.assertIs(self.directory.share("a"), share)
        self.edit(ANN._replace(name="Anne's"), BOB)
        self.assertEqual([session.name for session in self.directory.entered_by("bob")],
                         ["Anne's", "Bob's"])

    def test_a_broken_edit_leaves_all_as_it_was(self) -> None:
        self.complaint = "s.yaml:3: sessions[0].id: must be given\ns.yaml:9: x: unknown key"
        self.edit(BOB)
        self.edit(BOB)
        self.assertEqual((self.told, list(self.directory.sessions())), (0, ["a"]))
        said = [line for line in self.logged if "stay as they were" in line]
        self.assertEqual([line.partition(";")[0] for line in said], self.complaint.splitlines())
        self.complaint = ""
        self.edit(BOB)
        self.assertEqual(list(self.directory.sessions()), ["b"])

    def test_a_broken_file_at_the_start_stops_it(self) -> None:
        self.complaint = "s.yaml:1: no"
        with self.assertRaises(ConfigError):
            Directory(Clock(), "/nowhere/s.yaml", self.read, InlineWorker())

    def test_what_failed_otherwise_does_not_end_the_reading(self) -> None:
        worker = Later()
        directory = Directory(Clock(), "/nowhere/s.yaml", self.read, worker)
        directory.look()
        worker.waiting.pop()[1].errback(MemoryError("no room"))
        self.assertEqual(len(self.flushLoggedErrors(MemoryError)), 1)
        directory.look()
        self.sessions = (BOB,)
        worker.work()
        self.assertEqual(list(directory.sessions()), ["b"])

    def test_edits_while_it_is_read_are_read_once_more(self) -> None:
        worker = Later()
        directory = Directory(Clock(), "/nowhere/s.yaml", self.read, worker)
        for _ in range(3):
            directory.look()
        self.assertEqual(len(worker.waiting), 1)
        worker.work()
        self.assertEqual(len(worker.waiting), 1)
        self.sessions = (BOB,)
        worker.work()
        self.assertEqual((list(directory.sessions()), worker.waiting), (["b"], []))

    def test_changes_are_audited_without_a_secret(self) -> None:
        secret = Credential(EVERYTHING, b"Basic c2VjcmV0")
        self.edit(ANN._replace(others={"bob": Right.ENTER | READ}), BOB)
        self.edit(ANN._replace(others={"bob": Right.ENTER | READ}, credentials=(secret,)))
        said = [line for line in self.logged if line.startswith("session ")]
        self.assertEqual([line.partition(",")[0].partition(" ann=")[0] for line in said], [
            'session "a": rights', 'session "b": made - -> bob=owner', 'session "a": upstream',
            'session "b": removed bob=owner -> -',
        ])
        self.assertNotIn("c2VjcmV0", "".join(self.logged) + repr(self.directory.sessions()))


class CredentialTests(SynchronousTestCase):
    """Nobody is let in by more than he has."""

    def test_the_first_that_gives_no_more(self) -> None:
        strong, weak = Credential(EVERYTHING, b"all"), Credential(Right.ENTER | READ, b"view")
        session = ANN._replace(credentials=(strong, weak))
        accounts = MemoryAccounts(Account(name, "x", NOTHING) for name in ("ann", "bob", "eve"))

        class Shares:
            def share(self, target: str) -> Share:
                return Share({"ann": EVERYTHING, "bob": Right.ENTER | WRITE, "eve": Right.ENTER})

            def when_changed(self, callback: Callable[[], None]) -> Callable[[], None]:
                return callback

            def spread(self, steps: Iterator[None]) -> None:
                raise AssertionError("nothing changes here")

        registry = SessionRegistry(accounts, Shares())
        found = [session.credential_for(registry.admit(Principal(name), "a"))
                 for name in ("ann", "bob", "eve")]
        self.assertEqual(found, [strong, weak, None])
        ticket = Credential(EVERYTHING, tickets=Tickets([bytes(32)], "desktop", lambda: 0.0))
        eve = registry.admit(Principal("eve"), "a")
        self.assertEqual(session._replace(credentials=(ticket,)).credential_for(eve), ticket)
        self.assertIsNone(session._replace(credentials=(OPEN,)).credential_for(eve))


def settled(directory: Directory) -> Deferred[None]:
    """Wait until all that a change has for everyone was done."""
    done: Deferred[None] = Deferred()

    def last() -> Iterator[None]:
        done.callback(None)
        yield from ()

    directory.spread(last())
    return done


class FileTests(TestCase):
    """Over a real file, with a thread."""

    async def test_an_edit_ends_what_it_changed_and_nothing_else(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        path = folder / "sessions.yaml"
        text = "sessions:\n- {id: a, owner: ann, upstream: http://h%s}\n- {id: b, owner: ann," \
            " upstream: http://h}\n"
        path.write_text(text % "")
        directory = Directory(
            reactor, str(path), lambda: read_sessions(str(path), {}), ThreadWorker(reactor)
        )
        registry = SessionRegistry(MemoryAccounts([Account("ann", "x", NOTHING)]), directory)
        grants = [registry.admit(Principal("ann"), target) for target in "ab"]
        directory.startService()
        self.addCleanup(directory.stopService)
        changed: Deferred[None] = Deferred()
        grants[0].when_changed(lambda: changed.callback(None))
        changed.addTimeout(60, reactor)
        path.write_text(text % ":81")
        await changed
        await settled(directory)
        self.assertEqual([grant.holds(Right.ENTER) for grant in grants], [False, True])

    async def test_another_key_for_tickets_ends_nothing(self) -> None:
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        path, keys = folder / "sessions.yaml", folder / "key"
        text = "sessions:\n- {id: a, owner: ann, upstream: http://h, credentials: [{ticket_key:" \
            f" {keys}}}]}}\n"
        path.write_text(text)
        directory = Directory(
            Clock(), str(path), lambda: read_sessions(str(path), {}), InlineWorker()
        )
        registry = SessionRegistry(MemoryAccounts([Account("ann", "x", NOTHING)]), directory)
        grant = registry.admit(Principal("ann"), "a")
        keys.write_text("00" * 32 + "\n" + keys.read_text())
        path.write_text(text + "- {id: b, owner: ann, upstream: http://h}\n")
        directory.look()
        self.assertEqual(list(directory.sessions()), ["a", "b"])
        self.assertTrue(grant.holds(Right.ENTER))

    async def test_thousands_are_read_off_the_reactor(self) -> None:
        """Each ends alone; what the reactor does itself at a time is a fraction of the reading.

        Of the processor's time, for others use the machine, too.
        """
        folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, folder)
        path = folder / "sessions.yaml"
        entry = "- {id: desk%d, name: Desk, owner: ann, others: {bob: r}, upstream: http://h:%d," \
            " credentials: [{user: kasm_user, password: a}, {user: v, password: b, rights: r}]}\n"
        entries = [entry % (number, 6901) for number in range(MANY)]
        path.write_text("sessions:\n" + "".join(entries))
        took: list[float] = []

        def read() -> Sequence[Session]:
            began = time.thread_time()
            found = read_sessions(str(path), {})
            took.append(time.thread_time() - began)
            return found

        directory = Directory(reactor, str(path), read, ThreadWorker(reactor))
        registry = SessionRegistry(MemoryAccounts([Account("ann", "x", NOTHING)]), directory)
        grants = [registry.admit(Principal("ann"), f"desk{number}") for number in range(MANY)]
        entries[0] = entry % (0, 6902)
        path.write_text("sessions:\n" + "".join(entries))
        changed: Deferred[None] = Deferred()
        grants[0].when_changed(lambda: changed.callback(None))
        held: list[float] = []
        # What other tests left is nothing that the reactor should look through now.
        gc.freeze()
        self.addCleanup(gc.unfreeze)
        probe = LoopingCall(lambda: held.append(time.thread_time()))
        probe.start(0.001)
        directory.look()
        await changed.addTimeout(60, reactor)
        await settled(directory)
        probe.stop()
        self.assertEqual(sum(grant.holds(Right.ENTER) for grant in grants), MANY - 1)
        self.assertTrue(gc.isenabled())
        self.assertLess(max(after - before for before, after in zip(held, held[1:])), took[-1] / 20)
        began = time.thread_time()
        yaml.load(path.read_text(), yaml.CSafeLoader)
        self.assertLess(took[-1], 8 * (time.thread_time() - began))
