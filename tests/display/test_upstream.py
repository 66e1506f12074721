"""Displays over RFB: all that a display does, and for whom."""

from __future__ import annotations

from typing import Any

import numpy as np
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from kasmd.display.memory import KeyTyped, MemoryDisplay, PointerPut
from kasmd.display.recorder import Recorder
from kasmd.errors import PermissionDenied
from kasmd.interfaces import Principal
from kasmd.permission.dlp import Edge, Rules, VisibleRegion
from kasmd.permission.held import Hold
from kasmd.permission.prevention import Prevention
from kasmd.permission.registry import MemoryRegistry
from kasmd.permission.seat import Seat
from kasmd.screen.cursor import Cursor
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.region import Region
from tests.display.upstreams import SECONDS, SIZE, WHOLE, Case, serve, upstream
from tests.viewer.scene import RIGHTS, Display


class TrueUpstreamTests(Case):
    """Our own server over a display in memory, fanned out by our own client."""

    async def setUp(self) -> None:
        super().setUp()
        self.far = MemoryDisplay(640, 480, "far away")
        self.near = upstream(self, serve(self, self.far))
        self.told = self.watch(self.near)
        await self.near.connect().addTimeout(SECONDS, reactor)

    def next(self, name: str, wanted: Any = lambda *details: True) -> Deferred[Any]:
        return self.told.next(name, wanted).addTimeout(SECONDS, reactor)

    async def test_the_picture(self) -> None:
        def same(*details: object) -> bool:
            whole = Rect(0, 0, 640, 480)
            ours, theirs = self.near.snapshot(whole), self.far.snapshot(whole)
            return bool((ours.pixels == theirs.pixels).all())

        shown = self.next("changed", same)
        random = np.random.default_rng(1)
        self.far.paint(Rect(9, 9, 99, 77), random.integers(0, 256, (77, 99, 4), np.uint8))
        await shown
        scrolled = self.next("changed", same)
        pixels = np.roll(self.far.snapshot(Rect(0, 0, 640, 480)).pixels, 16, axis=0)
        self.far.paint(Rect(0, 0, 640, 480), pixels)
        await scrolled
        self.assertTrue(any(moves for _, moves in self.told.named("changed")))

    async def test_cursor_lamps_name_and_bell(self) -> None:
        cursor = Cursor(2, 1, 1, 0, bytes([9, 8, 7, 255, 0, 0, 0, 0]))
        events = [self.next("cursor_changed"), self.next("leds_changed"), self.next("renamed"),
                  self.next("bell_rung")]
        self.far.set_cursor(cursor)
        self.far.set_leds(4)
        self.far.rename("elsewhere")
        self.far.ring()
        told = [await event for event in events]
        self.assertEqual(told, [(cursor,), (4,), ("elsewhere",), ()])
        self.assertEqual(self.near.name, "elsewhere")

    async def test_our_own_name_stays(self) -> None:
        self.near.rename("ours")
        rung = self.next("bell_rung")
        self.far.rename("elsewhere")
        self.far.ring()
        await rung
        self.assertEqual(self.near.name, "ours")

    async def test_keys_and_pointer_arrive(self) -> None:
        await self.near.screenshot().addTimeout(SECONDS, reactor)
        self.near.key(0x61, 0x1E, True)
        self.near.key(0x61, 0x1E, False)
        self.near.key(0x1000416, 0, True)
        self.near.pointer(5000, 7, 0x101)
        await self.near.screenshot().addTimeout(SECONDS, reactor)
        self.assertEqual(self.far.keys, [
            KeyTyped(0x61, 0x1E, True), KeyTyped(0x61, 0x1E, False), KeyTyped(0x1000416, 0, True)])
        self.assertEqual(self.far.pointers[-1], PointerPut(639, 7, 0x101))

    async def test_clipboard_both_ways(self) -> None:
        text = {"text/plain": "Grüße, мир".encode()}
        offered = self.next("clipboard_offered")
        self.far.copy(text)
        self.assertEqual(await offered, (text,))
        self.assertEqual(self.near.copied(), text)
        arrived: Deferred[Any] = Deferred()
        self.far.offer_clipboard = arrived.callback  # type: ignore[method-assign]
        self.near.offer_clipboard({"text/plain": "к нам".encode()})
        self.assertEqual(
            await arrived.addTimeout(SECONDS, reactor), {"text/plain": "к нам".encode()})

    async def test_sizes(self) -> None:
        self.assertEqual(await self.near.resize(800, 600, [Screen(1, 0, 0, 800, 600)]), 0)
        self.assertEqual((self.near.size, self.far.size), ((800, 600), (800, 600)))
        self.assertEqual(await self.near.resize(5000, 600, ()), 2)
        self.assertEqual(self.near.size, (800, 600))
        resized = self.next("resized")
        self.far.resize(320, 200, ())
        self.assertEqual((await resized)[:2], (320, 200))

    async def test_screens_go_both_ways(self) -> None:
        """With their idents and flags, and with what the upstream says of them."""
        two = (Screen(3, 0, 0, 320, 480, 6), Screen(5, 320, 0, 320, 480))
        self.assertEqual(await self.near.resize(640, 480, two[::-1]), 0)
        self.assertEqual((self.near.screens, self.far.screens), (two, two))
        self.assertEqual(await self.near.resize(500, 480, two), 3)
        self.assertEqual(await self.near.resize(5000, 480, two), 2)
        resized = self.next("resized", lambda width, height, screens: width == 700)
        self.far.resize(700, 480, two)
        self.assertEqual(await resized, (700, 480, two))
        self.assertEqual(await self.near.resize(640, 480, ()), 0)
        self.assertEqual(self.far.screens, (Screen(3, 0, 0, 640, 480, 6),))


class FannedOutTests(Case):
    """One connection serves all seats, each with its rights, and what may be seen."""

    async def test_rights_and_rules(self) -> None:
        far, left = Display(*SIZE), Rect(0, 0, SIZE[0] // 2, SIZE[1])
        near = upstream(self, serve(self, far))
        rules = Rules(visible_region=VisibleRegion(Edge(0), Edge(0), Edge(left.right), Edge(0)))
        prevention, registry = Prevention(rules), MemoryRegistry(RIGHTS)
        seats, eyes, hold = {}, {name: Recorder() for name in RIGHTS}, Hold()
        for name, eye in eyes.items():
            grant = registry.admit(Principal(name), "desktop")
            seats[name] = Seat(near, grant, hold, prevention)
            self.addCleanup(seats[name].leave)
            seats[name].observe(eye)
        await near.connect().addTimeout(SECONDS, reactor)
        for eye in eyes.values():
            eye.events.clear()
        seen = [eyes[name].next("changed") for name in ("writer", "reader")]
        far.fill((9, 9, 9), WHOLE)
        for each in seen:
            region, _ = await each.addTimeout(SECONDS, reactor)
            self.assertEqual(region, Region([left]))
        self.assertEqual((far.audience, eyes["nobody"].events), (1, []))
        shown = seats["reader"].snapshot(WHOLE).pixels[..., 0]
        self.assertTrue((shown[:, :left.right] == 9).all() and not shown[:, left.right:].any())
        self.assertRaises(PermissionDenied, seats["nobody"].snapshot, left)
        seats["reader"].key(0x61, 0, True)
        seats["writer"].key(0x62, 0, True)
        while not far.keys:
            await deferLater(reactor, 0)
        self.assertEqual([key.keysym for key in far.keys], [0x62])
