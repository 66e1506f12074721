"""The services around the parts."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import tempfile
from pathlib import Path
from typing import Callable

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from kasmd.display.x11 import X11Display
from kasmd.errors import AccountsError, ConfigError
from kasmd.permission.accounts import load
from kasmd.permission.kasmpasswd import verify
from kasmd.rights import OWNER, WRITE, Right
from kasmd.startup import (
    FAREWELL_SECONDS,
    Ending,
    Farewell,
    StateDirectory,
    Watching,
    first_account,
)
from tests.viewer.scene import Scene


class Case(TestCase):
    """A folder that ends with the test."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)


class StateDirectoryTests(Case):
    def setUp(self) -> None:
        super().setUp()
        self.path = self.folder / "deep" / "state"

    def make(self) -> StateDirectory:
        made = StateDirectory(self.path)
        self.addCleanup(made.stopService)
        return made

    def refused(self) -> str:
        with self.assertRaises(ConfigError) as caught:
            StateDirectory(self.path)
        return str(caught.exception)

    def mode(self) -> int:
        return stat.S_IMODE(self.path.stat().st_mode)

    def test_to_stop_again_closes_nothing_of_anybody_else(self) -> None:
        made = self.make()
        made.stopService()
        others = os.open(self.folder, os.O_RDONLY)
        self.addCleanup(os.close, others)
        made.stopService()
        os.fstat(others)

    def test_it_is_made_for_its_user_alone(self) -> None:
        self.make()
        self.assertEqual(self.mode(), 0o700)

    def test_one_that_was_open_to_others_is_closed(self) -> None:
        self.path.mkdir(parents=True)
        self.path.chmod(0o755)
        self.make()
        self.assertEqual(self.mode(), 0o700)

    def test_it_is_of_one_daemon_at_a_time(self) -> None:
        first = StateDirectory(self.path)
        self.assertEqual(
            self.refused(), f"state_directory: {self.path} is in use by another kasmd"
        )
        first.stopService()
        self.make()

    def test_a_file_in_its_place_is_told(self) -> None:
        self.path.parent.mkdir()
        self.path.write_text("mine")
        self.assertIn(f"state_directory: {self.path}: ", self.refused())
        self.assertEqual(self.path.read_text(), "mine")


class Reactor(MemoryReactorClock):
    """Takes calls from signals too."""

    def callFromThread(self, call: Callable[[], None]) -> None:
        self.callLater(0, call)


class EndingTests(TestCase):
    def test_the_signal_stops_the_reactor_until_the_service_stops(self) -> None:
        clock = Reactor()
        before = signal.getsignal(signal.SIGTERM)
        ending = Ending(clock)
        ending.startService()
        self.assertIs(signal.getsignal(signal.SIGTERM), before)
        clock.run()
        self.addCleanup(signal.signal, signal.SIGTERM, before)
        signal.raise_signal(signal.SIGTERM)
        clock.advance(0)
        self.assertTrue(clock.hasStopped)
        ending.stopService()
        self.assertIs(signal.getsignal(signal.SIGTERM), before)

    def test_a_hangup_ends_nothing(self) -> None:
        clock = Reactor()
        before = signal.getsignal(signal.SIGHUP)
        ending = Ending(clock)
        ending.startService()
        clock.run()
        self.addCleanup(signal.signal, signal.SIGHUP, before)
        told = logged(self, "SIGHUP")
        signal.raise_signal(signal.SIGHUP)
        clock.advance(0)
        self.successResultOf(told)
        ending.stopService()
        self.assertIs(signal.getsignal(signal.SIGHUP), before)

    def test_it_may_stop_before_it_began(self) -> None:
        before = signal.getsignal(signal.SIGTERM)
        ending = Ending(Reactor())
        ending.startService()
        ending.stopService()
        self.assertIs(signal.getsignal(signal.SIGTERM), before)


class FarewellTests(TestCase):
    def test_every_viewer_is_told(self) -> None:
        scene = Scene()
        watchers = [scene.watch(), scene.watch(name="reader")]
        told = Farewell(scene.clock, scene.roster).stopService()
        for watcher in watchers:
            self.assertEqual(watcher.line.closed, (1001, "the server is stopping"))
            self.assertNoResult(told)
            watcher.viewer.lost("closed")
        self.successResultOf(told)
        self.assertEqual(scene.left_behind(), (0, 0, 0, 0))

    def test_one_who_does_not_hear_holds_nobody_up(self) -> None:
        scene = Scene()
        scene.watch()
        told = Farewell(scene.clock, scene.roster).stopService()
        scene.clock.advance(FAREWELL_SECONDS)
        self.successResultOf(told)


class WatchingTests(TestCase):
    async def test_a_display_that_is_not_there_is_told_and_the_daemon_goes_on(self) -> None:
        watching = Watching(X11Display(reactor, ":54321"))
        told = logged(self, ":54321 cannot be reached, trying on: ")
        watching.startService()
        await told
        self.assertTrue(watching.running)
        await watching.stopService()


def logged(case: TestCase, text: str) -> Deferred[str]:
    """Fire when something with ``text`` in it is logged."""
    found: Deferred[str] = Deferred()

    def observe(event: LogEvent) -> None:
        line = formatEvent(event)
        if text in line and not found.called:
            found.callback(line)

    globalLogPublisher.addObserver(observe)
    case.addCleanup(globalLogPublisher.removeObserver, observe)
    return found.addTimeout(60, reactor)


class FirstAccountTests(Case):
    def setUp(self) -> None:
        super().setUp()
        self.path = str(self.folder / "kasmpasswd")

    def test_it_is_an_owner_with_the_password_that_is_told(self) -> None:
        user, password, where = first_account(self.path, self.folder)
        self.assertEqual(user, "user kasm_user")
        (account,) = load(self.path).accounts.values()
        self.assertEqual(account.name, "kasm_user")
        self.assertEqual(account.rights, Right.ENTER | WRITE | OWNER)
        self.assertTrue(verify(password.removeprefix("password "), account.secret))

    def test_the_password_is_kept_for_its_user_alone(self) -> None:
        _, password, where = first_account(self.path, self.folder)
        kept = self.folder / "initial-password"
        self.assertIn(str(kept), where)
        self.assertEqual(kept.read_text(), password.removeprefix("password ") + "\n")
        for path in kept, self.path:
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)

    def test_no_two_are_alike(self) -> None:
        first = first_account(self.path, self.folder)
        self.assertNotEqual(first, first_account(self.path, self.folder))

    def test_a_place_that_cannot_be_written_is_told(self) -> None:
        missing = str(self.folder / "missing" / "kasmpasswd")
        with self.assertRaises(AccountsError) as caught:
            first_account(missing, self.folder)
        self.assertIn(missing, str(caught.exception))
