"""Several screens on a real Xvfb: programs, people and viewers agree on them."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from typing import Any, Sequence

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from kasmd.display.recorder import Recorder
from kasmd.display.service import DesktopService, DesktopSettings
from kasmd.display.x11 import X11Display
from kasmd.display.x11_connect import open_connection
from kasmd.display.x11_connection import XConnection
from kasmd.display.x11_monitors import Monitors
from kasmd.display.x11_resize import resize_screen
from kasmd.display.x11_server import prepare
from kasmd.screen.geometry import Rect, Screen

SECONDS = 60
TWO = (Screen(0, 0, 0, 500, 600), Screen(8, 500, 0, 300, 600, 5))
#: As xrandr lists them: place, output.
_LISTED = re.compile(r"^ \d+: [+*]*(\S+) (\d+)/\d+x(\d+)/\d+\+(\d+)\+(\d+) *(\S*)$", re.M)


class Case(TestCase):
    """On an Xvfb of each test's own."""

    timeout = 120
    xvfb: Sequence[str] = ("Xvfb",)

    async def setUp(self) -> None:
        runtime_dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, runtime_dir, True)
        settings = DesktopSettings(
            runtime_dir, 640, 480, 1024, 768, tuple(self.xvfb), window_manager=(), terminal=()
        )
        self.display = X11Display(reactor, "")
        self.service = DesktopService(reactor, settings, self.display)
        self.service.startService()
        self.addCleanup(self.service.stopService)
        await self.service.ready
        self.recorder = Recorder()
        self.addCleanup(self.display.observe(self.recorder))

    def told(self, wanted: Any = lambda *details: True) -> Deferred[Any]:
        """Wait for the observer to be told a size or layout."""
        return self.recorder.next("resized", wanted).addTimeout(SECONDS, reactor)

    async def xrandr(self, *arguments: str) -> str:
        """Run it as somebody on the desktop would."""
        environment = {
            **os.environ, "DISPLAY": self.display.where, "XAUTHORITY": self.service.authority,
        }
        run = getProcessOutputAndValue("/usr/bin/xrandr", arguments, environment)
        output, errors, status = await run.addTimeout(SECONDS, reactor)
        self.assertEqual(status, 0, errors)
        return str(output.decode())

    async def listed(self) -> list[tuple[str, Rect, str]]:
        """Give what programs on the desktop know."""
        return [
            (name, Rect(int(x), int(y), int(width), int(height)), output)
            for name, width, height, x, y, output
            in _LISTED.findall(await self.xrandr("--listmonitors"))
        ]


class MonitorTests(Case):
    """They come, go, and come again."""

    async def test_programs_see_what_viewers_asked_for(self) -> None:
        self.assertEqual(
            await self.listed(), [("screen", Rect(0, 0, 640, 480), "screen")])
        for layout in (
            TWO,
            tuple(Screen(number, 100 * number, 0, 300, 600) for number in range(3)),
            (Screen(4, 0, 0, 400, 300), Screen(5, 400, 0, 400, 300), Screen(6, 0, 300, 400, 300),
             Screen(7, 400, 300, 400, 300)),
        ):
            self.assertEqual(await self.display.resize(800, 600, layout[::-1]), 0)
            self.assertEqual(self.display.screens, layout)
            self.assertEqual(await self.listed(), [
                (f"kasmd-{number}", screen.rect, "" if number else "screen")
                for number, screen in enumerate(layout)
            ])
        self.assertEqual(await self.display.resize(700, 500, [Screen(6, 0, 0, 700, 500, 1)]), 0)
        self.assertEqual(self.display.screens, (Screen(6, 0, 0, 700, 500, 1),))
        self.assertEqual(
            await self.listed(), [("screen", Rect(0, 0, 700, 500), "screen")])

    async def test_each_change_is_told_once(self) -> None:
        """With the size, and where only the screens change."""
        await self.display.resize(800, 600, TWO)
        await self.display.resize(800, 600, TWO[:1])
        await self.display.resize(800, 600, ())
        await self.xrandr()
        self.assertEqual(self.recorder.named("resized"), [
            (800, 600, TWO), (800, 600, TWO[:1]), (800, 600, (Screen(0, 0, 0, 800, 600),)),
        ])

    async def test_people_on_the_desktop_change_them(self) -> None:
        await self.display.resize(800, 600, TWO)
        told = self.told(lambda width, height, screens: len(screens) == 3)
        await self.xrandr("--setmonitor", "mine", "200/50x100/25+600+500", "none")
        screens = (await told)[2]
        self.assertEqual(screens[:2], TWO)
        self.assertEqual(screens[2].rect, Rect(600, 500, 200, 100))
        told = self.told(lambda width, height, screens: len(screens) == 2)
        await self.xrandr("--delmonitor", "kasmd-1")
        self.assertEqual((await told)[2], (TWO[0], screens[2]))
        self.assertEqual(await self.display.resize(800, 600, [screens[2], TWO[0]]), 0)
        told = self.told(lambda width, height, screens: width == 640)
        await self.xrandr("--output", "screen", "--mode", "kasmd-640x480")
        self.assertEqual((await told)[2], (TWO[0]._replace(height=480),))
        await self.display.resize(640, 480, ())
        self.assertEqual(await self.listed(), [("screen", Rect(0, 0, 640, 480), "screen")])

    async def test_they_outlive_the_x_server(self) -> None:
        await self.display.resize(800, 600, TWO)
        back = self.told()
        pid = self.service.pids["Xvfb"]
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(await back, (800, 600, TWO))
        self.assertEqual(
            [rect for _, rect, _ in await self.listed()], [screen.rect for screen in TWO])

    async def test_they_outlive_a_connection(self) -> None:
        """The X server is found as it was left, not as it was at the beginning."""
        await self.display.resize(800, 600, TWO)
        session = self.display._session
        assert session is not None
        xcb, _ = await open_connection(
            reactor, self.display.where, self.service.authority, lambda xcb: None)
        other = XConnection(reactor, xcb)
        self.addCleanup(other.close)
        lost, back = self.recorder.next("display_lost"), self.told()
        other.core.KillClient(session.server.window)
        other.flush()
        await lost
        width, height, screens = await back
        self.assertEqual((width, height), (800, 600))
        self.assertEqual([screen.rect for screen in screens], [screen.rect for screen in TWO])

    async def test_many_at_once_are_done_in_turn(self) -> None:
        """As many as may wait; the last of those is how it is then."""
        sizes = [(600 + number, 400 + number) for number in range(20)]
        answers = await gatherResults([
            self.display.resize(*size, [Screen(1, 0, 0, 300, 400), Screen(2, 300, 0, 300, 400)])
            for size in sizes
        ])
        self.assertEqual(answers, [0] * 9 + [2] * 11)
        self.assertEqual(self.display.size, sizes[8])
        self.assertEqual([told[:2] for told in self.recorder.named("resized")], sizes[:9])

    async def test_what_is_refused_leaves_all_as_it_was(self) -> None:
        """For instance because somebody takes a name of ours meanwhile."""
        xcb, server = await open_connection(
            reactor, self.display.where, self.service.authority, prepare)
        connection = XConnection(reactor, xcb)
        self.addCleanup(connection.close)
        xrandr = self.xrandr

        class Overtaken(Monitors):
            async def read(self) -> Sequence[Any]:
                monitors = await super().read()
                if len(monitors) == 1:
                    await xrandr("--setmonitor", "kasmd-1", "9/9x9/9+0+0", "none")
                return monitors

        monitors = Overtaken(connection, server, lambda screens: None)
        status = await resize_screen(connection, server, monitors, (800, 600), TWO)
        self.assertEqual(status, 2)
        self.assertEqual(await self.listed(), [("screen", Rect(0, 0, 640, 480), "screen")])
        self.assertEqual(await self.display.resize(640, 480, ()), 0)
        self.assertEqual(self.display.size, (640, 480))
        self.assertEqual(monitors.known, {})


class OldServerTests(Case):
    """An X server without RANDR has one screen of one size."""

    xvfb = ("Xvfb", "-extension", "RANDR")

    async def test_it_says_so(self) -> None:
        width, height = self.display.size
        self.assertEqual(self.display.screens, (Screen(0, 0, 0, width, height),))
        self.assertEqual(await self.display.resize(width, height, ()), 0)
        self.assertEqual(await self.display.resize(width, height, [Screen(1, 0, 0, 9, 9)]), 2)
        self.assertEqual(await self.display.resize(640, 480, ()), 2)
