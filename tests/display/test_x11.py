"""X11Display on a real Xvfb: pixels, sizes, shapes, lamps, and X servers that stop."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
from subprocess import DEVNULL, Popen
from typing import Any, Optional

import numpy as np
import xcffib.xproto
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredQueue, gatherResults
from twisted.internet.task import LoopingCall
from twisted.trial.unittest import TestCase

from kasmd.display.recorder import Recorder
from kasmd.display.service import DesktopService, DesktopSettings
from kasmd.display.x11 import X11Display
from kasmd.display.x11_capture import Capture
from kasmd.display.x11_connect import open_connection
from kasmd.display.x11_connection import XConnection
from kasmd.display.x11_server import prepare
from kasmd.errors import DisplayLost
from kasmd.screen.geometry import Move, Rect, Screen, bounding
from kasmd.screen.region import Region

SECONDS = 60
#: Turns that the reactor has at least before an X server is given up, after two seconds;
#: of 5 ms each there would be 400, of waits for the X server a few.
TURNS = 20


class Painter:
    """An X client that draws on the root window."""

    def __init__(self, xcb: Any) -> None:
        self.connection = XConnection(reactor, xcb)
        self.core = xcb.core
        self.root = xcb.setup.roots[0].root
        self.gc = xcb.generate_id()
        self.xcb = xcb
        self.core.CreateGC(self.gc, self.root, 0, [])

    def fill(self, rect: Rect, colour: int) -> None:
        """Fill with 0xRRGGBB."""
        self.core.ChangeGC(self.gc, xcffib.xproto.GC.Foreground, [colour])
        where = xcffib.xproto.RECTANGLE.synthetic(*rect)
        self.core.PolyFillRectangle(self.root, self.gc, 1, [where])
        self.connection.flush()

    def window(self, rect: Rect) -> int:
        """Show a window there."""
        window: int = self.xcb.generate_id()
        self.core.CreateWindow(
            0, window, self.root, *rect, 0, xcffib.xproto.WindowClass.InputOutput, 0, 0, []
        )
        self.core.MapWindow(window)
        return window

    def move(self, window: int, x: int, y: int) -> None:
        """Put a window elsewhere."""
        place = xcffib.xproto.ConfigWindow.X | xcffib.xproto.ConfigWindow.Y
        self.core.ConfigureWindow(window, place, [x, y])
        self.connection.flush()

    async def grab(self) -> Any:
        """Give what the X server shows, 640 x 480."""
        reply = await self.connection.request_raw(self.core.GetImage(
            xcffib.xproto.ImageFormat.ZPixmap, self.root, 0, 0, 640, 480, 0xFFFFFFFF
        ))
        return np.frombuffer(reply, np.uint8, 4 * 640 * 480, 32).reshape(480, 640, 4)

    def put(self, rect: Rect, pixels: Any, window: Optional[int] = None) -> None:
        """Draw pixels, on the root window unless another is named."""
        data = pixels.tobytes()
        self.core.PutImage(
            xcffib.xproto.ImageFormat.ZPixmap, window or self.root, self.gc,
            rect.width, rect.height, rect.x, rect.y, 0, 24, len(data), data,
        )
        self.connection.flush()

    def scroll(self, rect: Rect, dy: int) -> None:
        """Move what is in ``rect`` down by ``dy``."""
        x, y, width, height = rect
        self.core.CopyArea(
            self.root, self.root, self.gc, x, y, x, y + dy, width, height
        )
        self.connection.flush()


class X11DisplayTests(TestCase):
    """On an Xvfb of each test's own."""

    timeout = 120

    async def setUp(self) -> None:
        """Start Xvfb, a display on it, an observer, a client."""
        self.runtime_dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.runtime_dir, True)
        settings = DesktopSettings(
            self.runtime_dir, 640, 480, 1024, 768, window_manager=(), terminal=()
        )
        self.display = X11Display(reactor, "")
        self.service = DesktopService(reactor, settings, self.display)
        self.service.startService()
        self.addCleanup(self.service.stopService)
        await self.service.ready
        self.recorder = Recorder()
        self.end = self.display.observe(self.recorder)
        self.addCleanup(self.end)
        self.painter = await self.client()

    async def client(self) -> Painter:
        """Connect another client."""
        xcb, _ = await open_connection(
            reactor, self.display.where, self.service.authority, lambda xcb: None
        )
        painter = Painter(xcb)
        self.addCleanup(painter.connection.close)
        return painter

    def told(self, name: str, wanted: Any = lambda *details: True) -> Deferred[Any]:
        """Wait for the observer to be told."""
        return self.recorder.next(name, wanted).addTimeout(SECONDS, reactor)

    def covers(self, rect: Rect) -> Any:
        """Make a test of `changed` for an area."""
        return lambda region, moves: bool(region.intersect(Region([rect])))

    def colour_at(self, x: int, y: int) -> int:
        """Give a pixel as 0xRRGGBB."""
        blue, green, red = self.display.snapshot(Rect(x, y, 1, 1)).pixels[0, 0, :3]
        return int(red) << 16 | int(green) << 8 | int(blue)

    def signal_xvfb(self, number: int) -> None:
        """Signal the X server."""
        pid = self.service.pids["Xvfb"]
        assert pid is not None
        os.kill(pid, number)

    async def test_painted_pixels_arrive_exactly(self) -> None:
        """Noise, drawn by another client, is in the snapshot byte by byte."""
        rect = Rect(31, 17, 100, 60)
        noise = np.random.default_rng(1).integers(0, 256, (60, 100, 4), np.uint8)
        noise[..., 3] = 0
        changed = self.told("changed", self.covers(rect))
        self.painter.put(rect, noise)
        region, _ = await changed
        self.assertTrue(rect.contains(region.bounds))
        np.testing.assert_array_equal(self.display.snapshot(rect).pixels, noise)

    async def test_a_snapshot_cannot_be_written_to_and_is_shared(self) -> None:
        """Equal frame and rectangle give one copy; another frame another."""
        rect = Rect(0, 0, 64, 64)
        first = self.display.snapshot(rect)
        self.assertIs(self.display.snapshot(rect), first)
        self.assertFalse(first.pixels.flags.writeable)
        changed = self.told("changed")
        self.painter.fill(Rect(5, 5, 9, 9), 0xABCDEF)
        await changed
        self.assertNotEqual(self.display.snapshot(rect).identity, first.identity)
        self.assertFalse(first.pixels[5:14, 5:14].any())

    async def test_unchanged_damage_is_not_told(self) -> None:
        """Drawing the same colour again changes nothing."""
        changed = self.told("changed")
        self.painter.fill(Rect(10, 10, 200, 200), 0x336699)
        await changed
        before = len(self.recorder.events)
        changed = self.told("changed")
        self.painter.fill(Rect(10, 10, 200, 200), 0x336699)
        await self.painter.connection.sync()
        self.painter.fill(Rect(300, 300, 8, 8), 0xFFFFFF)
        region, _ = await changed
        self.assertEqual(len(self.recorder.events), before + 1)
        self.assertEqual(region, Region([Rect(300, 300, 8, 8)]))

    async def test_a_scroll_is_told_as_a_move(self) -> None:
        """CopyArea on the screen shows as a Move."""
        rect = Rect(0, 0, 512, 384)
        noise = np.random.default_rng(2).integers(0, 256, (384, 512, 4), np.uint8)
        for top in range(0, 384, 96):
            band = Rect(0, top, 512, 96)
            changed = self.told("changed", self.covers(Rect(0, top + 95, 512, 1)))
            self.painter.put(band, noise[top : top + 96])
            await changed
        moved = self.told("changed", lambda region, moves: moves)
        self.painter.scroll(rect, 32)
        _, moves = await moved
        self.assertEqual(moves[0].dy, 32)
        shown = self.display.snapshot(Rect(0, 32, 512, 384)).pixels
        np.testing.assert_array_equal(shown[..., :3], noise[..., :3])

    async def test_a_window_that_moves_is_told_as_a_move(self) -> None:
        """What was under it, and only that, comes as pixels."""
        window = self.painter.window(Rect(100, 80, 160, 120))
        noise = np.random.default_rng(3).integers(0, 256, (120, 160, 4), np.uint8)
        changed = self.told("changed", self.covers(Rect(259, 199, 1, 1)))
        self.painter.put(Rect(0, 0, 160, 120), noise, window)
        await changed
        changed = self.told("changed", self.covers(Rect(110, 90, 1, 1)))
        self.painter.move(window, 110, 90)
        await changed
        moved = self.told("changed", lambda region, moves: moves)
        self.painter.move(window, 117, 85)
        region, moves = await moved
        self.assertEqual(moves, (Move(Rect(117, 85, 160, 120), 7, -5),))
        self.assertFalse(region.intersect(Region([moves[0].target])))
        shown = self.display.snapshot(Rect(117, 85, 160, 120)).pixels
        np.testing.assert_array_equal(shown[..., :3], noise[..., :3])

    async def test_nothing_is_lost_of_what_is_drawn_while_the_screen_is_read(self) -> None:
        """Boxes that grow, that are read whole or in part: the picture ends exact."""
        rng = np.random.default_rng(4)
        for _ in range(40):
            self.painter.scroll(Rect(0, 16, 512, 384), -16)
            self.painter.fill(Rect(0, 384, 512, 16), 0)
            for _ in range(rng.integers(1, 6)):
                where = Rect(*map(int, rng.integers(0, 440, 2)), *map(int, rng.integers(1, 40, 2)))
                self.painter.fill(where, int(rng.integers(0, 1 << 24)))
            await self.painter.connection.sync()
        await self.display.screenshot()
        shown = self.display.snapshot(Rect(0, 0, 640, 480)).pixels
        np.testing.assert_array_equal(shown[..., :3], (await self.painter.grab())[..., :3])

    async def test_damage_beside_the_box_that_is_read_is_read_later(self) -> None:
        """An event may come before what else was drawn at the same time."""
        capture, read, _ = await self.reading()
        small, beside = Rect(10, 10, 40, 30), Rect(200, 300, 400, 100)
        self.painter.fill(small, 0x112233)
        self.painter.fill(beside, 0x445566)
        await self.painter.connection.sync()
        for box, wanted in ((small, small), (bounding(small, beside), beside)):
            capture.damaged(box)
            capture.consider()
            self.assertEqual(await read.get(), [wanted])

    async def test_what_is_heard_after_it_was_read_is_not_read_again(self) -> None:
        """An event that was under way when its damage was taken tells nothing new."""
        capture, read, connection = await self.reading()
        told: DeferredQueue[Any] = DeferredQueue()
        connection.on_event = told.put
        first, second = Rect(10, 10, 40, 30), Rect(60, 10, 40, 30)
        self.painter.fill(first, 0x112233)
        early = await told.get()
        capture.notified(early)
        capture.consider()
        self.assertEqual(await read.get(), [first])
        capture.notified(early)
        self.painter.fill(second, 0x445566)
        capture.notified(await told.get())
        capture.consider()
        self.assertEqual(await read.get(), [second])

    async def test_an_event_of_no_pixels_takes_no_damage(self) -> None:
        """One comes when windows are arranged; what is drawn beside it is read all the same."""
        capture, read, connection = await self.reading()
        told: DeferredQueue[Any] = DeferredQueue()
        connection.on_event = told.put
        drawn = Rect(10, 10, 40, 30)
        self.painter.fill(drawn, 0x112233)
        event = await told.get()
        capture.damaged(Rect(90, 90, 0, 0))
        capture.consider()
        capture.notified(event)
        capture.consider()
        self.assertEqual(await read.get(), [drawn])

    async def reading(self) -> tuple[Capture, DeferredQueue[list[Rect]], XConnection]:
        """Give a capture of our own, the rectangles that it reads, and its connection."""
        xcb, server = await open_connection(
            reactor, self.display.where, self.service.authority, prepare
        )
        connection = XConnection(reactor, xcb)
        self.addCleanup(connection.close)
        read: DeferredQueue[list[Rect]] = DeferredQueue()
        capture = Capture(
            reactor, connection, server, 0.0,
            lambda size, patches: read.put([rect for rect, _ in patches]),
        )
        self.addCleanup(capture.close)
        capture.want(True)
        await read.get()
        return capture, read, connection

    async def test_who_comes_later_catches_up(self) -> None:
        """Nothing is read for nobody; then all that was missed."""
        self.end()
        self.painter.fill(Rect(50, 50, 10, 10), 0x00FF00)
        await self.painter.connection.sync()
        await self.display.resize(640, 480, ())
        self.assertEqual(self.colour_at(55, 55), 0)
        changed = self.told("changed")
        self.addCleanup(self.display.observe(self.recorder))
        self.assertEqual(await changed, (Region([Rect(50, 50, 10, 10)]), ()))
        self.assertEqual(self.colour_at(55, 55), 0x00FF00)

    async def test_a_screenshot_is_of_now_though_nobody_watches(self) -> None:
        """Also twice at once, and of a screen that stands still."""
        self.end()
        rect = Rect(50, 50, 10, 10)
        self.painter.fill(rect, 0x00FF00)
        await self.painter.connection.sync()
        first, second = await gatherResults(
            [self.display.screenshot(), self.display.screenshot()]
        )
        self.assertEqual(first.rect, Rect(0, 0, 640, 480))
        self.assertEqual(first.pixels[55, 55].tolist(), [0, 255, 0, 0])
        self.assertIs(first.pixels, second.pixels)
        self.painter.fill(rect, 0x0000FF)
        await self.painter.connection.sync()
        third = await self.display.screenshot().addTimeout(SECONDS, reactor)
        self.assertEqual(third.pixels[55, 55].tolist(), [255, 0, 0, 0])
        await self.display.screenshot().addTimeout(SECONDS, reactor)

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

    async def test_without_shared_memory(self) -> None:
        """GetImage gives the same pixels."""
        session = self.display._session
        assert session is not None
        session.capture._images.close()
        session.capture._images._shared = False
        rect = Rect(0, 0, 640, 400)
        changed = self.told("changed")
        self.painter.fill(rect, 0x123456)
        region, _ = await changed
        self.assertEqual(region, Region([rect]))
        self.assertTrue((self.display.snapshot(rect).pixels[..., :3] == (0x56, 0x34, 0x12)).all())

    async def test_resize(self) -> None:
        """The answer comes with the new size, and observers are told; sizes come back."""
        for width, height in ((800, 600), (333, 777 - 70), (1024, 768), (800, 600)):
            told = self.told("resized")
            status = await self.display.resize(
                width, height, [Screen(7, 0, 0, width, height)]
            )
            self.assertEqual((status, self.display.size), (0, (width, height)))
            self.assertEqual((await told)[:2], (width, height))
        changed = self.told("changed")
        self.painter.fill(Rect(700, 590, 100, 10), 0xFF00FF)
        await changed
        self.assertEqual(self.colour_at(799, 599), 0xFF00FF)

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
        lost = self.told("display_lost")
        self.signal_xvfb(signal.SIGSTOP)
        try:
            for step in range(50000):
                self.display.pointer(step % 640, step % 480, step & 1)
                if step % 100 == 0:
                    self.display.key(0x61, 0, step & 100 == 0)
            self.display.offer_clipboard({"text/plain": b"x" * 1000000})
            resized = self.display.resize(700, 500, ())
            ticking.start(0.005)
            self.assertEqual(await lost, ("not responding",))
            ticking.stop()
        finally:
            self.signal_xvfb(signal.SIGCONT)
        await self.told("resized")
        await resized
        self.assertGreater(len(turns), TURNS)
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
        """It is waited for, and found again when it comes back as another."""
        number = 20000 + os.getpid() % 30000
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
