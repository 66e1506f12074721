"""Pixels of a real Xvfb: read in its memory, and asked for where that cannot be."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import Any, Sequence

import numpy as np
import xcffib.xproto
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredQueue
from twisted.internet.task import deferLater

from kasmd.display.service import DesktopSettings
from kasmd.display.stepping import TURN_SECONDS
from kasmd.display.watched import Patch
from kasmd.display.x11_capture import Capture
from kasmd.display.x11_connect import open_connection
from kasmd.display.x11_connection import XConnection
from kasmd.display.x11_server import prepare
from kasmd.screen.geometry import Move, Rect, Screen, bounding
from kasmd.screen.pixels import Pixels
from kasmd.screen.region import Region
from kasmd.screen.steps import Steps
from tests.display.x11_desktops import AskedDesktop, Desktop


class Contract:
    """What holds wherever the pixels come from."""

    async def test_painted_pixels_arrive_exactly(self) -> None:
        """Noise, drawn by another client, is in the snapshot; the fourth byte is zero."""
        rect = Rect(31, 17, 100, 60)
        noise = np.random.default_rng(1).integers(0, 256, (60, 100, 4), np.uint8)
        changed = self.told("changed", self.covers(rect))
        self.painter.put(rect, noise)
        region, _ = await changed
        self.assertTrue(rect.contains(region.bounds))
        noise[..., 3] = 0
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

    async def moved_window(self, height: int) -> tuple[int, Pixels]:
        """Give a window 160 wide, at (110, 90) since it moved, and what is drawn in it."""
        window = self.painter.window(Rect(100, 80, 160, height))
        noise = np.random.default_rng(3).integers(0, 256, (height, 160, 4), np.uint8)
        changed = self.told("changed", self.covers(Rect(259, 79 + height, 1, 1)))
        self.painter.put(Rect(0, 0, 160, height), noise, window)
        await changed
        changed = self.told("changed", self.covers(Rect(110, 90, 1, 1)))
        self.painter.move(window, 110, 90)
        await changed
        return window, noise

    async def test_a_window_that_moves_is_told_as_a_move(self) -> None:
        """What was under it, and only that, comes as pixels."""
        window, noise = await self.moved_window(120)
        moved = self.told("changed", lambda region, moves: moves)
        self.painter.move(window, 117, 85)
        region, moves = await moved
        self.assertEqual(moves, (Move(Rect(117, 85, 160, 120), 7, -5),))
        self.assertFalse(region.intersect(Region([moves[0].target])))
        shown = self.display.snapshot(Rect(117, 85, 160, 120)).pixels
        np.testing.assert_array_equal(shown[..., :3], noise[..., :3])

    async def test_a_line_that_changes_in_a_window_that_moves_is_shown_in_the_end(self) -> None:
        """Not each of its rows is looked at while it moves."""
        window, noise = await self.moved_window(160)
        whole = Rect(0, 0, 640, 480)
        for drag in range(2):
            for step in range(1, 4):
                moved = self.told("changed", lambda region, moves: moves)
                self.painter.put(Rect(0, 77, 160, 1), 255 - noise[step + drag:][:1], window)
                self.painter.move(window, 100 + 30 * drag + 7 * step, 80 + 5 * step)
                await moved
            wanted = (await self.painter.grab())[..., :3]
            while (self.display.snapshot(whole).pixels[..., :3] != wanted).any():
                await self.told("changed")

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

    async def test_a_mistake_with_one_picture_leaves_the_next(self) -> None:
        """It is logged, and what is drawn later is read."""
        xcb, server = await open_connection(
            reactor, self.display.where, self.service.authority, prepare
        )
        connection = XConnection(reactor, xcb)
        self.addCleanup(connection.close)
        mistakes = DeferredQueue[RuntimeError]()
        read, to_make = DeferredQueue[list[Rect]](), [RuntimeError("on purpose")]

        def deliver(size: tuple[int, int], patches: Sequence[Patch], seen: bool) -> Steps[None]:
            if to_make:
                mistakes.put(to_make[0])
                raise to_make.pop()
            read.put([rect for rect, _ in patches])
            yield

        capture = Capture(reactor, connection, server, 0.0, deliver, self.display.memory)
        self.addCleanup(capture.close)
        connection.on_event, connection.on_events_taken = capture.notified, capture.consider
        capture.want(True)
        await mistakes.get()
        self.painter.fill(Rect(10, 10, 40, 30), 0x112233)
        self.assertEqual(await read.get(), [Rect(10, 10, 40, 30)])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_a_picture_is_left_when_the_capture_ends(self) -> None:
        """Nothing is shown any more of one that is under way, for which others had their turn."""
        begun: Deferred[None] = Deferred()
        seen: list[str] = []

        def showing() -> Steps[None]:
            if not begun.called:
                reactor.callLater(0, begun.callback, None)
                ends = reactor.seconds() + TURN_SECONDS
                while reactor.seconds() < ends:
                    pass
                yield
                seen.append("shown")

        capture, _, _ = await self.reading(showing=showing)
        await begun
        capture.close()
        await deferLater(reactor, 0)
        self.assertEqual(seen, [])

    async def test_what_is_doubtful_is_read_again_when_it_stands(self) -> None:
        """Nothing was drawn there; a screenshot does not wait for that."""
        capture, read, _ = await self.reading()
        rect = Rect(10, 10, 40, 30)
        capture.doubt(rect.moved(5, 5))
        capture.doubt(rect)
        self.assertEqual(await read.get(), [rect])
        capture.doubt(rect)
        await capture.catch_up()
        self.assertEqual(await read.get(), [rect])

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

    async def test_it_ends_exact_while_it_is_drawn_all_the_time(self) -> None:
        """Pixels that are drawn while we read are read again, films and small things too."""
        rng = np.random.default_rng(5)
        film, small = Rect(40, 30, 320, 240), Rect(500, 400, 30, 20)
        for number in range(60):
            frame = rng.integers(0, 256, (240, 320, 4), np.uint8)
            self.painter.put(film, frame)
            self.painter.fill(small, int(rng.integers(0, 1 << 24)))
            if number % 7 == 0:
                await self.told("changed")
        await self.painter.connection.sync()
        await self.display.screenshot()
        shown = self.display.snapshot(Rect(0, 0, 640, 480)).pixels
        np.testing.assert_array_equal(shown[..., :3], (await self.painter.grab())[..., :3])


class MemoryTests(Contract, Desktop):
    """Pixels that are read where the X server has them."""

    async def test_pixels_are_not_asked_for(self) -> None:
        """They are read where the X server has them, which is as large as it may become."""
        changed = self.told("changed")
        self.painter.fill(Rect(0, 0, 200, 200), 0x123456)
        await changed
        session, memory = self.display._session, self.display.memory
        assert session is not None and memory is not None
        self.assertEqual(memory.shape, (768, 1024, 4))
        self.assertFalse(memory.flags.writeable)
        self.assertIsNone(session.capture._images._segment)

    async def test_the_pointer_is_not_in_the_picture(self) -> None:
        """Its shape comes, though the X server does not draw it."""
        core, xcb = self.painter.core, self.painter.xcb
        font, cursor = xcb.generate_id(), xcb.generate_id()
        core.OpenFont(font, 6, "cursor")
        core.CreateGlyphCursor(cursor, font, font, 68, 69, 0, 0, 0, 65535, 65535, 65535)
        shaped = self.told("cursor_changed", lambda cursor: cursor.width > 1)
        core.ChangeWindowAttributes(self.painter.root, xcffib.xproto.CW.Cursor, [cursor])
        self.painter.connection.flush()
        await shaped
        self.display.pointer(300, 200, 0)
        place = await self.painter.connection.request(core.QueryPointer(self.painter.root))
        self.assertEqual((place.root_x, place.root_y), (300, 200))
        memory = self.display.memory
        assert memory is not None
        np.testing.assert_array_equal(
            memory[:480, :640, :3], (await self.painter.grab())[..., :3]
        )

    async def test_memory_that_is_too_small_is_not_read(self) -> None:
        """The pixels are asked for then."""
        capture, read, _ = await self.reading(np.zeros((100, 640, 4), np.uint8))
        self.painter.fill(Rect(0, 0, 300, 200), 0x112233)
        await self.painter.connection.sync()
        capture.damaged(Rect(0, 0, 300, 200))
        capture.consider()
        self.assertEqual(await read.get(), [Rect(0, 0, 300, 200)])
        self.assertIsNotNone(capture._images._segment)

    async def test_another_x_server_has_other_memory(self) -> None:
        """When the one was killed, the other's is read."""
        first = self.display.memory
        back = self.told("resized")
        self.signal_xvfb(signal.SIGKILL)
        await back
        self.painter = await self.client()
        changed = self.told("changed")
        self.painter.fill(Rect(0, 0, 9, 9), 0xFF00FF)
        await changed
        self.assertEqual(self.colour_at(5, 5), 0xFF00FF)
        self.assertIsNot(self.display.memory, first)


class AskedTests(Contract, AskedDesktop):
    """Pixels that are asked for, by MIT-SHM: of a display of others."""

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


class StubbornTests(Desktop):
    """An X server that keeps its screen elsewhere, whatever we say."""

    def settings(self) -> DesktopSettings:
        """Start it by a script that knows better."""
        script = os.path.join(self.runtime_dir, "x-server")
        with open(script, "w", encoding="utf-8") as file:
            file.write(f'exec Xvfb "$@" -fbdir {self.runtime_dir}\n')
        return replace(super().settings(), xvfb=("sh", script))

    async def test_the_pixels_are_asked_for(self) -> None:
        """As of any display."""
        self.assertIsNone(self.display.memory)
        changed = self.told("changed")
        self.painter.fill(Rect(0, 0, 200, 200), 0x123456)
        await changed
        self.assertEqual(self.colour_at(99, 99), 0x123456)
