"""Pictures of an upstream: nothing large is done at once."""

from __future__ import annotations

import struct

import numpy as np
from twisted.internet import reactor

from kasmd.codec.decode import Streams
from kasmd.display.upstream import RECTANGLES
from kasmd.display.upstream_picture import BAND, MOVED, PATCHES, decoded
from kasmd.rfb import update
from kasmd.rfb.numbers import Encoding
from kasmd.rfb.said import Received
from kasmd.screen.framebuffer import Framebuffer
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.pixels import BGRX
from kasmd.screen.region import Region
from tests.display.upstreams import (
    NO_LOGIN,
    SECONDS,
    SIZE,
    VERSION,
    WHOLE,
    Case,
    greeting,
    init,
    one,
    picture,
    pixel,
)


class LargeTests(Case):
    """Nothing large is done at once, and nobody is told of half a picture."""

    async def test_all_of_a_large_picture_is_told_at_once(self) -> None:
        large = Rect(0, 0, 1920, 1080)
        whole = [one(large, 0, bytes([grey, grey, grey, 0]) * large.area) for grey in (50, 60)]
        said = VERSION + NO_LOGIN + init(*large[2:]) + whole[0]
        liar, display, recorder = await self.connected(said)
        recorder.events.clear()
        changed = recorder.next("changed").addTimeout(SECONDS, reactor)
        liar.talkers[0].say(whole[1])
        region, moves = await changed
        self.assertEqual((region.rects, moves), ((large,), ()))
        self.assertEqual([pixel(display, x, y) for x, y in ((0, 0), (1919, 1079))], [60, 60])

    async def test_what_came_of_a_picture_that_ends_in_the_middle_is_told(self) -> None:
        two = update.update_header(2) + update.rectangle(WHOLE, 0, picture(60)[16:])
        liar, display, recorder = await self.connected(greeting(50))
        for rest in (b"", update.rectangle(Rect(0, 0, 1, 1), Encoding.TIGHT, b"\xf0")):
            recorder.events.clear()
            lost = recorder.next("display_lost").addTimeout(SECONDS, reactor)
            liar.talkers[-1].say(two + rest)
            if not rest:
                liar.talkers[-1].transport.loseConnection()
            back = recorder.next("resized").addTimeout(SECONDS, reactor)
            await lost
            told = sum(region.area for region, _ in recorder.named("changed"))
            self.assertEqual(told, WHOLE.area if pixel(display) == 60 else 0)
            await back

    def test_it_is_put_in_by_parts(self) -> None:
        large, stripe = Rect(0, 0, 3840, 2160), Rect(0, 0, 3840, 9)
        noise = [Received(rect, 0, bytes(4 * rect.area)) for rect in (large, *[stripe] * 99)]
        parts = decoded(noise, BGRX, Streams(), large)
        areas = [sum(rect.area for rect, _ in part) for part in parts if isinstance(part, list)]
        self.assertEqual(sum(areas), large.area + 99 * stripe.area)
        self.assertLessEqual(max(areas), BAND)
        dots = [Received(Rect(x, 0, 1, 1), 0, bytes(4)) for x in range(999)]
        counts = [len(part) for part in decoded(dots, BGRX, Streams(), large)]
        self.assertEqual((sum(counts), max(counts)), (999, PATCHES))

    async def test_what_came_in_very_many_places_is_told_of_a_few(self) -> None:
        dots = [Rect(x, y, 1, 1) for x in range(0, SIZE[0], 2) for y in range(0, SIZE[1], 2)]
        self.assertGreater(len(dots), 2 * RECTANGLES)
        liar, display, recorder = await self.connected(greeting(50))
        changed = recorder.next("changed").addTimeout(SECONDS, reactor)
        data = [update.rectangle(dot, 0, b"\x09\x09\x09\0") for dot in dots]
        liar.talkers[0].say(update.update_header(len(dots)) + b"".join(data))
        region, _ = await changed
        self.assertLessEqual(len(region.rects), RECTANGLES)
        self.assertFalse(Region(dots).subtract(region))
        self.assertEqual(pixel(display, 38, 28), 9)

    def test_what_moves_is_moved_by_parts(self) -> None:
        bounds = Rect(0, 0, 1200, 2000)
        one, other = Framebuffer(1200, 2000), Framebuffer(1200, 2000)
        noise = np.random.default_rng(1).integers(0, 256, (2000, 1200, 4), np.uint8)
        one.update([(bounds, noise)])
        other.update([(bounds, noise)])
        for dx, dy in ((0, 7), (0, -7), (5, 0), (-5, 900), (5, -900), (0, 1900)):
            target = bounds.moved(dx, dy).intersection(bounds)
            assert target is not None
            one.move(Move(target, dx, dy))
            payload = struct.pack(">2H", target.x - dx, target.y - dy)
            moves = decoded([Received(target, 1, payload)], BGRX, Streams(), bounds)
            for move in moves:
                assert isinstance(move, Move)
                self.assertLessEqual(move.target.area, MOVED)
                other.move(move)
            self.assertTrue((one.pixels == other.pixels).all(), (dx, dy))
