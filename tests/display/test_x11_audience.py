"""Who comes to look at a real Xvfb, and goes, and what was drawn meanwhile."""

from __future__ import annotations

from typing import Sequence

import numpy as np
from twisted.internet import reactor
from twisted.internet.defer import gatherResults

from kasmd.display.recorder import Recorder
from kasmd.display.x11 import X11Display
from kasmd.screen.changes import Change
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.region import Region
from tests.display.x11_desktops import SECONDS, AskedDesktop, Desktop
from tests.screen.pictures import applied


class Follower(Recorder):
    """Keeps the picture by what it is told."""

    def __init__(self, display: X11Display) -> None:
        super().__init__()
        self._display = display
        self._whole = Rect(0, 0, 640, 480)
        self.picture = display.snapshot(self._whole).pixels

    def changed(self, region: Region, moves: Sequence[Move]) -> None:
        """Do what a viewer does."""
        new = self._display.snapshot(self._whole).pixels
        self.picture = applied(self.picture, Change(region, tuple(moves)), new)


class Contract:
    """What holds wherever the pixels come from."""

    async def heard(self) -> None:
        """Have the display hear of all that was drawn; it does not read it for that."""
        await self.painter.connection.sync()
        await self.display.resize(640, 480, ())

    async def test_whether_anybody_saw_what_was_there_before(self) -> None:
        """Nobody did who comes after it was drawn over, unless somebody else looked on."""
        capture, read, _ = await self.reading()
        self.assertFalse(self.seen)
        rect = Rect(10, 10, 40, 30)
        for before, meanwhile, seen in (
            (True, True, True), (False, False, False), (False, True, True),
        ):
            capture.want(before)
            capture.want(meanwhile)
            self.painter.fill(rect, 0x112233)
            await self.painter.connection.sync()
            capture.damaged(rect)
            capture.want(True)
            self.assertEqual((await read.get(), self.seen), ([rect], seen))
        capture.want(False)
        self.painter.fill(rect, 0x112233)
        await self.painter.connection.sync()
        await capture.catch_up()
        self.assertFalse(self.seen)

    async def test_who_comes_later_catches_up(self) -> None:
        """Nothing is read for nobody; then all that was missed."""
        self.end()
        self.painter.fill(Rect(50, 50, 10, 10), 0x00FF00)
        await self.heard()
        self.assertEqual(self.colour_at(55, 55), 0)
        changed = self.told("changed")
        self.addCleanup(self.display.observe(self.recorder))
        self.assertEqual(await changed, (Region([Rect(50, 50, 10, 10)]), ()))
        self.assertEqual(self.colour_at(55, 55), 0x00FF00)

    async def test_what_nobody_saw_is_not_compared_but_once(self) -> None:
        """Who comes is told of all that was drawn, unless it looks as it did."""
        all_of_it, dot = Rect(50, 50, 200, 100), Rect(66, 66, 8, 8)
        self.end()
        self.painter.fill(all_of_it, 0)
        self.painter.fill(dot, 0xFFFFFF)
        await self.heard()
        changed = self.told("changed")
        end = self.display.observe(self.recorder)
        self.assertEqual(await changed, (Region([all_of_it]), ()))
        changed = self.told("changed")
        self.painter.fill(all_of_it, 0)
        self.assertEqual(await changed, (Region([dot]), ()))
        end()
        identity = self.display.snapshot(dot).identity
        self.painter.fill(all_of_it, 0)
        await self.heard()
        self.addCleanup(self.display.observe(Recorder()))
        self.assertEqual((await self.display.screenshot()).identity, identity)

    async def test_who_comes_and_goes_has_the_picture_each_time(self) -> None:
        """What is told makes right what was seen at first, which may be old."""
        self.end()
        rng = np.random.default_rng(6)
        for _ in range(12):
            self.painter.scroll(Rect(0, 16, 640, 464), -16)
            for _ in range(rng.integers(0, 4)):
                where = Rect(*map(int, rng.integers(0, 240, 2)), *map(int, rng.integers(1, 240, 2)))
                self.painter.fill(where, int(rng.integers(0, 1 << 24)))
            await self.painter.connection.sync()
            follower = Follower(self.display)
            end = self.display.observe(follower)
            self.painter.scroll(Rect(0, 16, 640, 464), -16)
            await self.painter.connection.sync()
            await self.display.screenshot()
            end()
            wanted = (await self.painter.grab())[..., :3]
            np.testing.assert_array_equal(follower.picture[..., :3], wanted)

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


class MemoryTests(Contract, Desktop):
    """Pixels that are read where the X server has them."""


class AskedTests(Contract, AskedDesktop):
    """Pixels that are asked for."""
