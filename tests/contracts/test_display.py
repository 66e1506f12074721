"""The contract of IDisplay, over every display there is."""

from __future__ import annotations

import shutil
import tempfile
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from kasmd.display.memory import MemoryDisplay
from kasmd.display.recorder import Recorder
from kasmd.display.service import DesktopService, DesktopSettings
from kasmd.display.x11 import X11Display
from kasmd.interfaces import IDisplay, IDisplayObserver, Principal
from kasmd.permission.registry import MemoryRegistry
from kasmd.permission.seat import Seat
from kasmd.rights import OWNER, WRITE
from kasmd.screen.geometry import Rect, Screen
from tests.display.upstreams import serve, upstream

SECONDS = 60


class Contract:
    """What holds for every IDisplay; ``make`` gives one of 640 x 480 that may grow."""

    timeout = 120

    async def make(self) -> Any:
        """Give the display."""
        raise NotImplementedError

    async def setUp(self) -> None:
        """Make a display and observe it."""
        self.display = await self.make()
        self.recorder = Recorder()
        end = self.display.observe(self.recorder)
        self.addCleanup(lambda: end())

    def told(self, name: str) -> Deferred[Any]:
        """Wait for the observer to be told."""
        return self.recorder.next(name).addTimeout(SECONDS, reactor)

    def test_it_provides_the_interface(self) -> None:
        """And so does what observes it."""
        verifyObject(IDisplay, self.display)
        verifyObject(IDisplayObserver, self.recorder)

    def test_size_and_name(self) -> None:
        """A pair of numbers and a text."""
        self.assertEqual(self.display.size, (640, 480))
        self.assertIsInstance(self.display.name, str)

    def test_an_observer_is_told_the_cursor_and_the_lamps_first(self) -> None:
        """Before observe returns."""
        later = Recorder()
        self.display.observe(later)()
        names = [event.name for event in later.events]
        self.assertEqual(sorted(names), ["cursor_changed", "leds_changed"])

    async def test_after_the_end_nothing_is_told(self) -> None:
        """The end may be called twice; others still hear."""
        other = Recorder()
        end = self.display.observe(other)
        end()
        end()
        before = len(other.events)
        await self.display.resize(320, 200, ())
        self.assertEqual(len(other.events), before)
        self.assertTrue(self.recorder.named("resized"))

    def test_snapshots(self) -> None:
        """Shape, immutability, identity."""
        rect = Rect(3, 5, 20, 10)
        snapshot = self.display.snapshot(rect)
        self.assertEqual((snapshot.rect, snapshot.pixels.shape), (rect, (10, 20, 4)))
        self.assertFalse(snapshot.pixels.flags.writeable)
        again = self.display.snapshot(rect)
        self.assertEqual(again.identity, snapshot.identity)
        self.assertEqual(again.pixels.tobytes(), snapshot.pixels.tobytes())

    async def test_a_screenshot_is_all_of_the_picture(self) -> None:
        """As a snapshot would be, and observed or not."""
        taken = await self.display.screenshot()
        whole = Rect(0, 0, 640, 480)
        self.assertEqual(taken.rect, whole)
        self.assertEqual(taken.pixels.tobytes(), self.display.snapshot(whole).pixels.tobytes())

    async def test_the_clipboard_is_cleared_for_everyone(self) -> None:
        """Who was offered something is offered nothing instead."""
        told = self.told("clipboard_offered")
        self.display.offer_clipboard({"text/plain": b"secret"})
        self.display.clear_clipboard()
        self.assertEqual(await told, ({},))
        self.assertEqual(self.display.copied(), {})

    def test_snapshots_outside_are_refused(self) -> None:
        """With ValueError."""
        for rect in (Rect(639, 0, 2, 1), Rect(-1, 0, 5, 5), Rect(0, 0, 0, 5), Rect(0, 480, 1, 1)):
            with self.assertRaises(ValueError):
                self.display.snapshot(rect)

    async def test_resize(self) -> None:
        """Done when the answer comes; observers are told; the frame is another."""
        before = self.display.snapshot(Rect(0, 0, 9, 9)).identity
        told = self.told("resized")
        self.assertEqual(await self.display.resize(800, 600, [Screen(1, 0, 0, 800, 600)]), 0)
        self.assertEqual(self.display.size, (800, 600))
        width, height, screens = await told
        self.assertEqual((width, height, len(screens)), (800, 600, 1))
        self.assertEqual(self.display.snapshot(Rect(799, 599, 1, 1)).pixels.shape, (1, 1, 4))
        self.assertNotEqual(self.display.snapshot(Rect(0, 0, 9, 9)).identity, before)

    async def test_several_screens(self) -> None:
        """They are told sorted, with their flags; they may overlap and leave room."""
        layouts = (
            (Screen(5, 400, 0, 400, 600, 6), Screen(2, 0, 0, 400, 600)),
            (Screen(2, 0, 0, 500, 300), Screen(0xFFFFFFFF, 100, 100, 700, 500),
             Screen(5, 0, 0, 9, 9)),
            tuple(Screen(number, number, 0, 200, 480) for number in range(4)),
            (Screen(3, 10, 10, 100, 100, 1),),
        )
        for layout in layouts:
            told = self.told("resized")
            self.assertEqual(await self.display.resize(800, 600, layout), 0)
            self.assertEqual(tuple(self.display.screens), tuple(sorted(layout)))
            self.assertEqual(await told, (800, 600, tuple(sorted(layout))))
            before = len(self.recorder.named("resized"))
            self.assertEqual(await self.display.resize(800, 600, layout[::-1]), 0)
            self.assertEqual(len(self.recorder.named("resized")), before)
        self.assertEqual(await self.display.resize(640, 480, ()), 0)
        self.assertEqual(tuple(self.display.screens), (Screen(3, 0, 0, 640, 480, 1),))

    async def test_layouts_that_cannot_be(self) -> None:
        """3 where rfbproto has no such layout, 2 for too many; nothing changes."""
        whole = Screen(1, 0, 0, 640, 480)
        invalid = (
            [whole, whole], [whole, Screen(2, 0, 0, 0, 480)], [whole, Screen(2, 0, 1, 640, 480)],
            [whole, Screen(2, 640, 0, 1, 480)], [Screen(n, 0, 0, 0, 0) for n in range(255)],
        )
        for layout in invalid:
            self.assertEqual(await self.display.resize(640, 480, layout), 3)
        several = [whole._replace(ident=number) for number in range(255)]
        self.assertEqual(await self.display.resize(640, 480, several), 2)
        self.assertEqual(await self.display.resize(640, 480, several[:5]), 2)
        self.assertEqual(tuple(self.display.screens), (Screen(0, 0, 0, 640, 480),))
        self.assertEqual(self.recorder.named("resized"), [])

    async def test_resize_to_what_it_is(self) -> None:
        """Is done, and nobody is told."""
        self.assertEqual(await self.display.resize(640, 480, ()), 0)
        self.assertEqual(self.recorder.named("resized"), [])

    async def test_resize_to_what_cannot_be(self) -> None:
        """2 for too much, 3 for layouts that do not fit; nothing changes."""
        self.assertEqual(await self.display.resize(32000, 32000, ()), 2)
        self.assertEqual(await self.display.resize(0, 0, ()), 3)
        self.assertEqual(await self.display.resize(70000, 10, ()), 3)
        self.assertEqual(await self.display.resize(640, 480, [Screen(1, 9, 9, 640, 480)]), 3)
        self.assertEqual(self.display.size, (640, 480))

    def test_input_is_taken(self) -> None:
        """Anything that a viewer may send."""
        for keysym in (0, 0x61, 0x01000000 + 0x1F600, 0xFFFFFFFF):
            self.display.key(keysym, 0, True)
            self.display.key(keysym, 255, False)
        self.display.pointer(0, 0, 0)
        self.display.pointer(65535, 65535, 0xFFFF)
        self.display.offer_clipboard({"text/plain": b"text"})
        self.display.offer_clipboard({})

    async def test_our_own_offer_is_not_told_back(self) -> None:
        """Only what somebody on the desktop copied."""
        self.display.offer_clipboard({"text/plain": b"text"})
        await self.display.resize(320, 200, ())
        self.assertEqual(self.recorder.named("clipboard_offered"), [])


class MemoryDisplayTests(Contract, TestCase):
    """In memory."""

    async def make(self) -> Any:
        """Give one in memory."""
        return MemoryDisplay(640, 480)


class X11DisplayTests(Contract, TestCase):
    """On a real Xvfb."""

    async def make(self) -> Any:
        """Start an Xvfb."""
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory, True)
        settings = DesktopSettings(
            directory, 640, 480, 1024, 768, window_manager=(), terminal=()
        )
        display = X11Display(reactor, "")
        service = DesktopService(reactor, settings, display)
        service.startService()
        self.addCleanup(service.stopService)
        await service.ready
        return display


class UpstreamDisplayTests(Contract, TestCase):
    """Over RFB, from a display in memory."""

    async def make(self) -> Any:
        """Give one that is connected."""
        display = upstream(self, serve(self, MemoryDisplay(640, 480)))
        await display.connect().addTimeout(SECONDS, reactor)
        return display


class SeatTests(Contract, TestCase):
    """Through the seat of one who may do everything."""

    async def make(self) -> Any:
        """Give a full-rights seat."""
        grant = MemoryRegistry({"all": WRITE | OWNER}).admit(Principal("all"), "desktop")
        seat = Seat(MemoryDisplay(640, 480), grant)
        self.addCleanup(seat.leave)
        return seat
