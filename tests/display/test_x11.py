"""X11Display on a real Xvfb: sizes, shapes, lamps, and X servers that stop."""

from __future__ import annotations

import os
import signal
import socket
import threading
from subprocess import DEVNULL, Popen
from typing import Any

import numpy as np
import xcffib.xproto
from twisted.internet import reactor
from twisted.internet.task import LoopingCall
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from kasmd.display.recorder import Recorder
from kasmd.display.x11 import X11Display
from kasmd.display.x11_connect import open_connection
from kasmd.errors import DisplayLost
from kasmd.screen.geometry import Rect, Screen
from tests.display.x11_desktops import SECONDS, Desktop

#: Seconds between two turns, and the least part of those that the machine has the time for
#: which the reactor has while an X server does not answer; one that waits for it has few.
TURN, LEAST = 0.005, 0.05


class Beside:
    """A thread that takes turns, too, and waits for nobody: as many as the machine allows."""

    def __init__(self) -> None:
        self.turns = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._take)

    def _take(self) -> None:
        while not self._over.wait(TURN):
            self.turns += 1

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()


class X11DisplayTests(Desktop):
    """Sizes, shapes, lamps, and X servers that stop."""

    async def test_a_picture_that_is_under_way_when_the_display_is_lost_is_not_told(self) -> None:
        """Observers hear that it is lost, and nothing more of the picture."""
        self.display._show_anew(2048, 1100, ())
        noise = np.random.default_rng(1).integers(0, 256, (1100, 2048, 4), np.uint8)
        for lost in (False, True):
            before = len(self.recorder.events)
            steps = self.display._captured((2048, 1100), [(Rect(0, 0, 2048, 1100), noise)], True)
            next(steps)
            self.assertEqual(len(self.recorder.events), before)
            if lost:
                self.display._tell_lost("on purpose")
            for _ in steps:
                self.assertFalse(lost)
            told = [event[0] for event in self.recorder.events[before:]]
            self.assertEqual(told, ["display_lost" if lost else "changed"])
            noise = 255 - noise

    async def test_no_screenshot_of_a_display_that_is_gone(self) -> None:
        """DisplayLost, at once or when it goes."""
        self.signal_xvfb(signal.SIGSTOP)
        coming = self.display.screenshot()
        self.signal_xvfb(signal.SIGKILL)
        with self.assertRaises(DisplayLost):
            await coming.addTimeout(SECONDS, reactor)
        with self.assertRaises(DisplayLost):
            await X11Display(reactor, ":no").screenshot()

    async def test_an_observer_that_fails_does_not_disturb_the_others(self) -> None:
        """Its exception is logged."""

        class Failing(Recorder):
            def changed(self, region: Any, moves: Any) -> None:
                raise RuntimeError("on purpose")

        self.end()
        self.addCleanup(self.display.observe(Failing()))
        self.addCleanup(self.display.observe(self.recorder))
        changed = self.told("changed")
        self.painter.fill(Rect(0, 0, 5, 5), 0xFF0000)
        await changed
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_sizes_that_cannot_be(self) -> None:
        """Too large is 2; layouts that stick out are 3; nothing changes."""
        answers = [
            await self.display.resize(5000, 400, ()),
            await self.display.resize(0, 400, ()),
            await self.display.resize(600, 400, [Screen(1, 0, 0, 601, 400)]),
        ]
        self.assertEqual(answers, [2, 3, 3])
        self.assertEqual(self.display.size, (640, 480))
        changed = self.told("changed")
        self.painter.fill(Rect(0, 0, 9, 9), 0xFF00FF)
        await changed

    async def test_the_cursor_has_its_shape_and_colour(self) -> None:
        """A client's cursor arrives with hot spot, colours and transparency."""
        core, xcb = self.painter.core, self.painter.xcb
        pixmap, gc, cursor = (xcb.generate_id() for _ in range(3))
        core.CreatePixmap(1, pixmap, self.painter.root, 8, 8)
        core.CreateGC(gc, pixmap, xcffib.xproto.GC.Foreground, [0])
        core.PolyFillRectangle(pixmap, gc, 1, [xcffib.xproto.RECTANGLE.synthetic(0, 0, 8, 8)])
        core.ChangeGC(gc, xcffib.xproto.GC.Foreground, [1])
        core.PolyFillRectangle(pixmap, gc, 1, [xcffib.xproto.RECTANGLE.synthetic(0, 0, 4, 8)])
        core.CreateCursor(cursor, pixmap, pixmap, 0xFFFF, 0x8080, 0, 0, 0, 0, 3, 2)
        changed = self.told("cursor_changed", lambda cursor: cursor.hot_x == 3)
        core.ChangeWindowAttributes(self.painter.root, xcffib.xproto.CW.Cursor, [cursor])
        self.painter.connection.flush()
        (shape,) = await changed
        pixels = np.frombuffer(shape.rgba, np.uint8).reshape(shape.height, shape.width, 4)
        self.assertEqual((shape.hot_x, shape.hot_y), (3, 2))
        self.assertEqual(pixels[0, 0].tolist(), [0xFF, 0x80, 0, 0xFF])
        self.assertFalse(pixels[:, 4:].any())
        later = Recorder()
        self.display.observe(later)()
        self.assertEqual(later.named("cursor_changed"), [(shape,)])

    async def test_lock_keys_light_lamps(self) -> None:
        """Caps Lock is bit 2 and Num Lock bit 1."""
        for keysym, leds in ((0xFFE5, 4), (0xFF7F, 6), (0xFFE5, 2)):
            told = self.told("leds_changed")
            self.display.key(keysym, 0, True)
            self.display.key(keysym, 0, False)
            self.assertEqual(await told, (leds,))

    async def test_the_bell(self) -> None:
        """A client's bell is told."""
        told = self.told("bell_rung")
        self.painter.core.Bell(50)
        self.painter.connection.flush()
        await told

    async def test_a_stopped_x_server_does_not_hold_the_reactor(self) -> None:
        """The loss is told once, input is bounded, and all comes back."""
        self.painter.fill(Rect(0, 0, 9, 9), 0x111111)
        await self.told("changed")
        turns: list[None] = []
        ticking = LoopingCall(turns.append, None)
        beside = Beside()
        lost = self.told("display_lost")
        self.signal_xvfb(signal.SIGSTOP)
        try:
            for step in range(50000):
                self.display.pointer(step % 640, step % 480, step & 1)
                if step % 100 == 0:
                    self.display.key(0x61, 0, step & 100 == 0)
            self.display.offer_clipboard({"text/plain": b"x" * 1000000})
            resized = self.display.resize(700, 500, ())
            ticking.start(TURN)
            with beside:
                self.assertEqual(await lost, ("not responding",))
            ticking.stop()
        finally:
            self.signal_xvfb(signal.SIGCONT)
        await self.told("resized")
        await resized
        self.assertGreater(len(turns), LEAST * beside.turns)
        self.assertEqual(len(self.recorder.named("display_lost")), 1)
        changed = self.told("changed")
        self.painter.fill(Rect(20, 20, 9, 9), 0x222222)
        await changed

    async def test_a_killed_x_server_leaves_the_last_picture(self) -> None:
        """It is told, snapshots still work, and the next X server's screen comes."""
        changed = self.told("changed")
        self.painter.fill(Rect(0, 0, 100, 100), 0xFF0000)
        await changed
        lost, back = self.told("display_lost"), self.told("resized")
        self.signal_xvfb(signal.SIGKILL)
        await lost
        self.assertEqual(self.colour_at(50, 50), 0xFF0000)
        self.display.key(0x61, 0, True)
        self.display.pointer(1, 1, 1)
        self.display.offer_clipboard({})
        self.assertEqual(await self.display.resize(640, 480, ()), 2)
        self.assertEqual(await back, (640, 480, (Screen(0, 0, 0, 640, 480),)))
        self.assertEqual(self.colour_at(50, 50), 0)

    async def test_a_foreign_display_is_tried_again(self) -> None:
        """It is waited for, and found again when it comes back as another; the log says so."""
        number = 20000 + os.getpid() % 30000
        lines: list[str] = []

        def log(event: LogEvent) -> None:
            lines.append(formatEvent(event))

        globalLogPublisher.addObserver(log)
        self.addCleanup(globalLogPublisher.removeObserver, log)
        other = X11Display(reactor, f":{number}", os.devnull)
        self.addCleanup(other.disconnect)
        recorder = Recorder()
        self.addCleanup(other.observe(recorder))
        other.connect().addErrback(lambda failure: failure.trap(DisplayLost))
        for size in ("640x480", "500x400"):
            there = recorder.next("resized").addTimeout(SECONDS, reactor)
            server = Popen(["Xvfb", f":{number}", "-screen", "0", f"{size}x24"], stderr=DEVNULL)
            self.addCleanup(end, server)
            width, height, _ = await there
            self.assertEqual(f"{width}x{height}", size)
            end(server)
        lost = f"display :{number} cannot be reached, trying on: "
        back = f"display :{number} is back"
        told = [line for line in lines if line.startswith((lost, back))]
        first, last = told.index(back), len(told) - 1
        self.assertEqual([told[first + 1], told[last]],
                         [f"{lost}the X server closed the connection", back])
        self.assertEqual(told.count(back), 2)
        self.assertFalse([line for line, after in zip(told, told[1:]) if line == after])


def end(server: Popen[bytes]) -> None:
    server.kill()
    server.wait()


class NoDisplayTests(TestCase):
    """Displays that are not there."""

    timeout = 120

    async def test_no_such_display(self) -> None:
        """The failure names the display; afterwards nothing goes on."""
        display = X11Display(reactor, ":59999")
        with self.assertRaisesRegex(DisplayLost, "59999"):
            await display.connect()
        await display.disconnect()
        self.assertEqual(display.snapshot(Rect(0, 0, 9, 9)).pixels.shape, (9, 9, 4))

    async def test_not_a_display(self) -> None:
        """A name that is none is refused as such."""
        display = X11Display(reactor, "nonsense")
        with self.assertRaisesRegex(ValueError, "nonsense"):
            await display.connect()

    async def test_a_display_that_does_not_answer(self) -> None:
        """The attempt ends, and its thread with it."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            where = f"127.0.0.1:{silent.getsockname()[1] - 6000}"
            with self.assertRaisesRegex(DisplayLost, "does not answer"):
                await open_connection(reactor, where, None, lambda xcb: None, 0.2)
