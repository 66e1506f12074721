"""Watching a file through the loss of its folder, an edit without end, and one not yet told."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Generator

from twisted.internet import reactor
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.testing import MemoryReactorClock
from twisted.python.filepath import FilePath
from twisted.trial.unittest import TestCase

from kasmd.permission.watch import LATEST, SETTLED, FileWatch

Waiting = Generator[Deferred[None], None, None]


class FolderTests(TestCase):
    """The folder is deleted, moved, or not there yet."""

    timeout = 120

    def setUp(self) -> None:
        scratch = TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name) / "folder"
        self.path = self.folder / "file"
        self.edits: list[bool] = []
        self.waiting: list[Deferred[None]] = []
        self.watch = FileWatch(reactor, str(self.path), self.edited)
        self.addCleanup(self.watch.stop)

    def edited(self) -> None:
        self.edits.append(self.path.exists())
        waiting, self.waiting = self.waiting, []
        for answer in waiting:
            answer.callback(None)

    def next(self) -> Deferred[None]:
        answer: Deferred[None] = Deferred()
        self.waiting.append(answer)
        return answer.addTimeout(60, reactor)

    @inlineCallbacks
    def until(self, exists: bool) -> Waiting:
        self.edits.clear()
        while not self.edits or self.edits[-1] is not exists:
            yield self.next()

    @inlineCallbacks
    def test_made_later(self) -> Waiting:
        self.watch.start()
        self.folder.mkdir()
        self.path.touch()
        yield self.until(True)

    @inlineCallbacks
    def test_deleted_and_made_again(self) -> Waiting:
        self.folder.mkdir()
        self.path.touch()
        self.watch.start()
        shutil.rmtree(self.folder)
        yield self.until(False)
        self.folder.mkdir()
        self.path.touch()
        yield self.until(True)
        self.path.unlink()
        yield self.until(False)

    @inlineCallbacks
    def test_moved_away(self) -> Waiting:
        self.folder.mkdir()
        self.path.touch()
        self.watch.start()
        self.folder.rename(self.folder.with_name("away"))
        yield self.until(False)
        self.folder.mkdir()
        self.path.touch()
        yield self.until(True)

    @inlineCallbacks
    def test_an_edit_without_end_is_told_all_the_same(self) -> Waiting:
        self.folder.mkdir()
        self.watch.start()
        with self.path.open("w", buffering=1) as file:

            def write() -> None:
                nonlocal writing
                file.write("x")
                file.flush()
                writing = reactor.callLater(0.05, write)

            writing = reactor.callLater(0, write)
            yield self.next()
            yield self.next()
            writing.cancel()

    @inlineCallbacks
    def test_who_writes_and_goes_on_holding_it_is_noticed(self) -> Waiting:
        self.folder.mkdir()
        self.path.touch()
        self.watch.start()
        for _ in range(2):
            with self.path.open("a") as file:
                file.write("more")
                file.flush()
                yield self.next()
            yield self.next()
            # Another file of the same name is watched as the first one was.
            other = self.folder / "other"
            other.touch()
            other.rename(self.path)
            yield self.next()

    @inlineCallbacks
    def test_a_log_in_the_same_folder_wakes_nobody(self) -> Waiting:
        self.folder.mkdir()
        self.path.touch()
        woken: list[bytes] = []

        class Counted(FileWatch):
            def _stirred(self, watch: object, path: FilePath[bytes], mask: int) -> None:
                woken.append(path.path)
                super()._stirred(watch, path, mask)

        self.watch = Counted(reactor, str(self.path), self.edited)
        self.addCleanup(self.watch.stop)
        with (self.folder / "log").open("a") as log:
            self.watch.start()
            for _ in range(100):
                log.write("line\n")
                log.flush()
            self.path.write_text("edit")
            yield self.next()
        self.assertEqual(set(woken), {bytes(self.path)})

    @inlineCallbacks
    def test_an_edit_closes_no_descriptor_of_inotify(self) -> Waiting:
        closed: list[str] = []
        close = os.close

        def noted(fd: int) -> None:
            closed.append(os.readlink(f"/proc/self/fd/{fd}"))
            close(fd)

        self.folder.mkdir()
        self.path.touch()
        self.watch.start()
        self.patch(os, "close", noted)
        for _ in range(3):
            other = self.folder / "other"
            other.touch()
            other.rename(self.path)
            yield self.next()
        os.close(os.open(self.path, os.O_RDONLY))
        self.assertIn(str(self.path), closed)
        self.assertNotIn("anon_inode:inotify", closed)

    @inlineCallbacks
    def test_no_descriptor_is_left(self) -> Waiting:
        self.folder.mkdir()
        counts = []
        for _ in range(4):
            self.watch.start()
            self.path.write_text("x")
            yield self.next()
            self.watch.stop()
            counts.append(len(os.listdir("/proc/self/fd")))
        # Fewer there may be: the garbage of other tests goes when it will.
        self.assertLessEqual(counts[-1], counts[0])


class UntoldTests(TestCase):
    """Somebody writes, and inotify's word of it is still to be read."""

    def setUp(self) -> None:
        scratch = TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.path = Path(scratch.name) / "file"
        self.clock = MemoryReactorClock()
        self.edits: list[str] = []
        self.watch = FileWatch(
            self.clock, str(self.path), lambda: self.edits.append(self.path.read_text())
        )
        self.watch.start()
        self.addCleanup(self.watch.stop)
        self.write("old")
        for notify in self.clock.getReaders():
            notify.doRead()

    def write(self, text: str) -> None:
        """Write at the clock's time."""
        self.path.write_text(text)
        os.utime(self.path, (self.clock.seconds(), self.clock.seconds()))

    def test_an_edit_that_is_told(self) -> None:
        self.clock.advance(SETTLED)
        self.assertEqual(self.edits, ["old"])

    def test_a_file_that_was_written_a_moment_ago_is_left_alone(self) -> None:
        self.clock.advance(SETTLED / 2)
        self.write("ne")
        self.clock.advance(SETTLED / 2)
        self.assertEqual(self.edits, [])
        self.path.write_text("new")
        self.clock.advance(SETTLED)
        self.assertEqual(self.edits, ["new"])

    def test_but_not_for_ever(self) -> None:
        """It is told within a second."""
        while not self.edits and self.clock.seconds() < 2 * LATEST:
            self.clock.advance(SETTLED / 2)
            self.write("x")
        self.assertTrue(LATEST <= self.clock.seconds() <= LATEST + SETTLED < 1)
