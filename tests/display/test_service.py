"""A desktop of our own: what it starts lives, and nothing of it stays."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import sys
import tempfile
from mmap import PAGESIZE
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from kasmd.display.recorder import Recorder
from kasmd.display.service import DesktopService, DesktopSettings
from kasmd.display.x11 import X11Display
from kasmd.errors import ConfigError

SECONDS = 60

_DAEMON = """
import sys
from twisted.internet import reactor
from kasmd.display.service import DesktopService, DesktopSettings
from kasmd.display.x11 import X11Display

display = X11Display(reactor, "")
service = DesktopService(reactor, DesktopSettings(sys.argv[1], 320, 240, 640, 480), display)
service.startService()
service.ready.addCallback(
    lambda _: print(display.where[1:], *service.pids.values(), flush=True)
)
reactor.run()
"""


def processes() -> dict[int, tuple[int, str]]:
    """Give each living process's parent and name."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                content = file.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        command = content[content.index("(") + 1 : content.rindex(")")]
        state, parent = content[content.rindex(")") + 2 :].split()[:2]
        if state != "Z":
            found[int(name)] = int(parent), command
    return found


def descendants(pids: set[int]) -> set[int]:
    """Give ``pids`` that live, and all that they started."""
    table = processes()
    family = pids & set(table)
    while True:
        more = {pid for pid, (parent, _) in table.items() if parent in family} - family
        if not more:
            return family
        family |= more


def remains(number: int) -> list[str]:
    """Give the lock and socket of a display that are there and nobody's.

    Another test's X server may have taken the number since, or be about to.
    """
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(f"/tmp/.X11-unix/X{number}") == 0:
            return []
    paths = (f"/tmp/.X{number}-lock", f"/tmp/.X11-unix/X{number}")
    return [path for path in paths if os.path.exists(path)]


async def until(true: Any) -> None:
    """Wait for something outside that tells nobody."""
    for _ in range(int(SECONDS / 0.02)):
        if true():
            return
        await deferLater(reactor, 0.02)
    raise AssertionError("it did not happen in time")


class DesktopServiceTests(TestCase):
    """With Xvfb, openbox and xterm."""

    timeout = 120

    async def setUp(self) -> None:
        """Start a desktop."""
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory, True)
        self.display = X11Display(reactor, "")
        settings = DesktopSettings(self.directory, 400, 300, 640, 480)
        self.service = DesktopService(reactor, settings, self.display)
        self.service.startService()
        self.addCleanup(self.stop)
        await self.service.ready

    async def stop(self) -> None:
        """Stop it unless the test did."""
        if self.service.running:
            await self.service.stopService()

    def pids(self) -> dict[str, int]:
        """Give the programs that live."""
        return {name: pid for name, pid in self.service.pids.items() if pid}

    async def test_it_runs(self) -> None:
        """At its first size, with all programs, behind a secret that only we can read."""
        self.assertEqual(self.display.size, (400, 300))
        self.assertEqual(set(self.pids()), {"Xvfb", "openbox", "xterm"})
        self.assertEqual(stat.S_IMODE(os.stat(self.service.authority).st_mode), 0o600)

    async def test_what_is_not_shown_takes_no_memory(self) -> None:
        """The X server has room for 640 x 480, and shows 400 x 300, but can still grow."""
        screen = f"/proc/{self.pids()['Xvfb']}/fd/4"
        taken = os.stat(screen).st_blocks * 512
        self.assertLess(taken, 4 * 640 * 300 + 3 * PAGESIZE)
        await self.display.resize(640, 480, ())
        picture = await self.display.screenshot()
        self.assertEqual(picture.pixels.shape, (480, 640, 4))

    async def test_nothing_stays_after_stopping(self) -> None:
        """No process, no socket, no lock, no secret."""
        await until(lambda: len(descendants(set(self.pids().values()))) >= 4)
        family = descendants(set(self.pids().values()))
        number = int(self.display.where[1:])
        await self.service.stopService()
        self.assertEqual(self.pids(), {})
        await until(lambda: not family & set(processes()))
        self.assertEqual(os.listdir(self.directory), [])
        await until(lambda: not remains(number))

    async def test_a_program_that_ends_is_started_again(self) -> None:
        """A terminal that was closed comes back; the display stays."""
        before = self.pids()
        os.kill(before["xterm"], signal.SIGKILL)
        await until(lambda: self.pids().get("xterm", before["xterm"]) != before["xterm"])
        self.assertEqual(self.pids()["Xvfb"], before["Xvfb"])

    async def test_a_killed_x_server_is_started_again(self) -> None:
        """Observers are told once of each; the new screen has the last size."""
        recorder = Recorder()
        self.addCleanup(self.display.observe(recorder))
        self.assertEqual(await self.display.resize(500, 400, ()), 0)
        before = self.pids()
        back = recorder.next("resized").addTimeout(SECONDS, reactor)
        os.kill(before["Xvfb"], signal.SIGKILL)
        self.assertEqual((await back)[:2], (500, 400))
        # Each by itself learns that its X server is gone.
        await until(lambda: set(self.pids()) == set(before)
                    and not set(self.pids().values()) & set(before.values()))
        self.assertEqual(len(recorder.named("display_lost")), 1)
        number = int(self.display.where[1:])
        await self.service.stopService()
        await until(lambda: not remains(number))

    async def test_a_stopped_x_server_is_ended_with_force(self) -> None:
        """SIGKILL follows, and its lock and socket are removed for it."""
        os.kill(self.pids()["Xvfb"], signal.SIGSTOP)
        number = int(self.display.where[1:])
        await self.service.stopService()
        await until(lambda: not remains(number))


class Daemon(ProcessProtocol):
    """A process that runs a DesktopService."""

    def __init__(self) -> None:
        self.said: Deferred[bytes] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self.output = b""

    def outReceived(self, data: bytes) -> None:
        """It is ready when a line is there."""
        self.output += data
        if b"\n" in self.output and not self.said.called:
            self.said.callback(self.output.partition(b"\n")[0])

    def processEnded(self, reason: Failure) -> None:
        """It is gone."""
        self.ended.callback(None)


class EndTests(TestCase):
    """Ends and starts that go wrong."""

    timeout = 120

    def kill(self, process: Any) -> None:
        """End a daemon that a failing test left."""
        if process.pid is not None:
            process.signalProcess("KILL")

    async def test_nothing_stays_after_the_daemon_was_killed(self) -> None:
        """Not even the terminal's shell."""
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory, True)
        daemon = Daemon()
        process = reactor.spawnProcess(
            daemon, sys.executable, [sys.executable, "-c", _DAEMON, directory],
            {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self.addCleanup(self.kill, process)
        number, *pids = map(int, (await daemon.said.addTimeout(SECONDS, reactor)).split())
        await until(lambda: len(descendants(set(pids))) >= 4)
        family = descendants(set(pids))
        process.signalProcess("KILL")
        await daemon.ended
        await until(lambda: not family & set(processes()))
        await until(lambda: not remains(number))

    def test_a_missing_program_is_named_with_its_package(self) -> None:
        """Before anything is started."""
        settings = DesktopSettings("/nonexistent", xvfb=("no-such-server",))
        service = DesktopService(reactor, settings, X11Display(reactor, ""))
        with self.assertRaisesRegex(ConfigError, "apt install no-such-server"):
            service.startService()
        self.assertEqual(service.running, 0)
