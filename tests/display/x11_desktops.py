"""An X server of a test's own, an X11Display on it, who looks on, and who draws."""

from __future__ import annotations

import os
import shutil
import tempfile
from typing import Any, Callable, Optional, Sequence

import numpy as np
import xcffib.xproto
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.trial.unittest import TestCase

from kasmd.display.recorder import Recorder
from kasmd.display.service import DesktopService, DesktopSettings
from kasmd.display.watched import Patch
from kasmd.display.x11 import X11Display
from kasmd.display.x11_capture import Capture
from kasmd.display.x11_connect import open_connection
from kasmd.display.x11_connection import XConnection
from kasmd.display.x11_server import prepare
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import Pixels
from kasmd.screen.region import Region
from kasmd.screen.steps import Steps

SECONDS = 60


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


def one_step() -> Steps[None]:
    """Show nothing, as what is shown at once."""
    yield


class Desktop(TestCase):
    """On an Xvfb of each test's own."""

    timeout = 120
    #: Whether anybody saw what was there before what a capture of `reading` read last.
    seen: bool

    async def setUp(self) -> None:
        """Start Xvfb, a display on it, an observer, a client."""
        self.runtime_dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.runtime_dir, True)
        self.display = X11Display(reactor, "")
        self.service = DesktopService(reactor, self.settings(), self.display)
        self.service.startService()
        self.addCleanup(self.service.stopService)
        await self.service.ready
        self.recorder = Recorder()
        self.end = self.display.observe(self.recorder)
        self.addCleanup(self.end)
        self.painter = await self.client()

    def settings(self) -> DesktopSettings:
        """Say what to start."""
        return DesktopSettings(
            self.runtime_dir, 640, 480, 1024, 768, window_manager=(), terminal=()
        )

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

    async def reading(
        self, memory: Optional[Pixels] = None, showing: Callable[[], Steps[None]] = one_step
    ) -> tuple[Capture, DeferredQueue[list[Rect]], XConnection]:
        """Give a capture of our own, the rectangles that it reads, and its connection.

        ``showing`` is what shows the pictures.
        """
        xcb, server = await open_connection(
            reactor, self.display.where, self.service.authority, prepare
        )
        connection = XConnection(reactor, xcb)
        self.addCleanup(connection.close)
        read: DeferredQueue[list[Rect]] = DeferredQueue()

        def deliver(size: tuple[int, int], patches: Sequence[Patch], seen: bool) -> Steps[None]:
            self.seen = seen
            read.put([rect for rect, _ in patches])
            yield from showing()

        capture = Capture(
            reactor, connection, server, 0.0, deliver,
            self.display.memory if memory is None else memory,
        )
        self.addCleanup(capture.close)
        capture.want(True)
        await read.get()
        return capture, read, connection


class AskedDesktop(Desktop):
    """Pixels are asked for, by MIT-SHM: the display is one of others."""

    async def setUp(self) -> None:
        """Look at the screen from a second display, which knows of no memory."""
        await super().setUp()
        self.end()
        own = self.display
        self.display = X11Display(reactor, own.where, own.authority)
        self.addCleanup(self.display.disconnect)
        await self.display.connect()
        self.end = self.display.observe(self.recorder)
