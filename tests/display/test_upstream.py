"""Displays over RFB: what an upstream may do, and all that it may not (threats.md, group B)."""

from __future__ import annotations

import struct
import zlib
from typing import Any, NamedTuple, Sequence

import numpy as np
import simplejpeg
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from kasmd.codec.compact import counted
from kasmd.codec.decode import Streams
from kasmd.display.memory import KeyTyped, MemoryDisplay, PointerPut
from kasmd.display.recorder import Recorder
from kasmd.display.upstream import RECTANGLES, UpstreamDisplay
from kasmd.display.upstream_line import Place, Terms
from kasmd.display.upstream_picture import BAND, MOVED, PATCHES, decoded
from kasmd.errors import DisplayLost, PermissionDenied
from kasmd.interfaces import Principal
from kasmd.permission.dlp import Edge, Rules, VisibleRegion
from kasmd.permission.prevention import Prevention
from kasmd.permission.registry import MemoryRegistry
from kasmd.permission.seat import Hold, Seat
from kasmd.rfb import clipboard, update
from kasmd.rfb.client_handshake import Credentials
from kasmd.rfb.limits import Limits
from kasmd.rfb.numbers import Encoding
from kasmd.rfb.said import Received
from kasmd.rfb.standard import server_cut_text
from kasmd.screen.cursor import Cursor
from kasmd.screen.framebuffer import Framebuffer
from kasmd.screen.geometry import Move, Rect, Screen
from kasmd.screen.pixels import BGRX
from kasmd.screen.region import Region
from tests.display.upstreams import (
    NO_LOGIN,
    QUICK,
    SECONDS,
    SIZE,
    VERSION,
    Liar,
    greeting,
    init,
    one,
    picture,
    serve,
    upstream,
)
from tests.viewer.scene import RIGHTS, Display

WHOLE = Rect(0, 0, *SIZE)
SMALL = Rect(0, 0, 20, 20)
U32 = struct.Struct(">I")


class Attack(NamedTuple):
    """What is said after a good picture, and the reason that is told for the end."""

    data: bytes
    reason: str


def tight(control: int, *parts: bytes, rect: Rect = SMALL) -> bytes:
    return one(rect, Encoding.TIGHT, bytes([control]) + b"".join(parts))


def zrle(data: bytes) -> bytes:
    packed = zlib.compress(data)
    return one(SMALL, Encoding.ZRLE, U32.pack(len(packed)) + packed)


def extended(flags: int, body: bytes) -> bytes:
    return clipboard.message(flags, body)


JPEG = simplejpeg.encode_jpeg(np.zeros((8, 8, 4), np.uint8), 80, "BGRX", "420")
BOMB = zlib.compress(bytes(40 << 20))
STREAM = zlib.compressobj()
GOOD = STREAM.compress(bytes(1200)) + STREAM.flush(zlib.Z_SYNC_FLUSH)
GOES_ON = STREAM.compress(bytes(1200)) + STREAM.flush(zlib.Z_SYNC_FLUSH)

ATTACKS = {
    "outside": Attack(one(Rect(39, 0, 2, 1), 0), r"\(39, 0, 2, 1\) is not inside 40 x 30"),
    "far_outside": Attack(one(Rect(65535, 65535, 65535, 65535), 0), "is not inside"),
    "no_last_rect": Attack(
        update.update_header(None) + update.led_state(1) * 65536, "more than 65535 rectangles"),
    "unknown_encoding": Attack(one(SMALL, 99), "unknown encoding 99"),
    **{f"{encoding.name.lower()}_unasked": Attack(
        one(SMALL, encoding, bytes(8)), f"encoding {encoding}, which was not asked for")
       for encoding in (Encoding.OPEN_H264, Encoding.KASM_VIDEO, Encoding.ZLIB)},
    "unknown_message": Attack(b"\x63", "unknown server message 99"),
    "tight_control": Attack(tight(0xF0), "Tight control 0xf0"),
    "tight_filter": Attack(tight(0x40, b"\x09", counted(zlib.compress(bytes(1200)))),
                           "Tight filter 9"),
    "tight_gradient": Attack(tight(0x40, b"\x02", counted(zlib.compress(bytes(1200)))),
                             "Tight filter 2"),
    "tight_reset": Attack(
        update.update_header(2) + tight(0x00, counted(GOOD))[4:]
        + tight(0x01, counted(GOES_ON))[4:], "zlib data"),
    "tight_garbage": Attack(tight(0x00, counted(b"no zlib at all")), "zlib data"),
    "tight_too_short": Attack(tight(0x00, counted(zlib.compress(bytes(9)))),
                              "hold 9 bytes instead of 1200"),
    "tight_bomb": Attack(tight(0x00, counted(BOMB)), "more than 1200 bytes"),
    "palette_of_one": Attack(
        tight(0x40, b"\x01\x00", bytes(3), counted(zlib.compress(b"\xff" * 60))),
        "palette of 1 colours has no 1"),
    "palette_left": Attack(
        tight(0x40, b"\x01\x02", bytes(9), counted(zlib.compress(b"\xc8" * 400))),
        "palette of 3 colours has no 200"),
    "no_jpeg": Attack(tight(0x90, counted(b"GIF89a, or anything")), "JPEG data"),
    "many_scans": Attack(tight(0x90, counted(JPEG[:-2] + 40 * b"\xff\xda" + JPEG[-2:])),
                         "more than 32 scans"),
    "many_bytes_of_few_pixels": Attack(
        update.update_header(100) + 20 * update.rectangle(
            Rect(0, 0, 1, 1), Encoding.TIGHT, b"\x90" + counted(bytes(1 << 20))),
        "JPEG data"),
    "kasms_clipboard": Attack(
        b"\xb4\xff" + 2 * (bytes(4) + b"\x03t/p" + U32.pack(9 << 20) + bytes(9 << 20)),
        "a clipboard of 18874368 bytes"),
    "another_jpeg": Attack(tight(0x90, counted(JPEG)), "a JPEG of 8 x 8 for 20 x 20"),
    "zrle_bomb": Attack(zrle(bytes(3 << 20)), "zlib data hold more than"),
    "zrle_length": Attack(one(SMALL, Encoding.ZRLE, b"\xff\xff\xff\xff"),
                          "4294967295 bytes of ZRLE"),
    "zrle_tile": Attack(zrle(b"\x11"), "ZRLE subencoding 17"),
    "zrle_run": Attack(zrle(b"\x80" + b"abc" + b"\xff\xff\x00"), "leaves its tile"),
    "zrle_cut": Attack(zrle(b"\x00abc"), "cut short"),
    "copy_from_outside": Attack(one(SMALL, 1, b"\x00\x15\x00\x00"), "CopyRect from outside"),
    "huge_cursor": Attack(one(Rect(0, 0, 65535, 65535), Encoding.CURSOR), "a cursor of 65535"),
    "odd_cursor": Attack(one(Rect(0, 0, 1, 1), Encoding.CURSOR_WITH_ALPHA, U32.pack(7) + bytes(4)),
                         "a cursor with alpha in encoding 7"),
    "vmware_cursor": Attack(one(Rect(0, 0, 1, 1), Encoding.VMWARE_CURSOR, b"\x09\0" + bytes(8)),
                            "a VMware cursor of type 9"),
    "long_name": Attack(one(WHOLE, Encoding.DESKTOP_NAME, b"\xff\xff\xff\xff"),
                        "a text of 4294967295 bytes"),
    "long_text": Attack(b"\x03\0\0\0\x7f\xff\xff\xff", "cut text of 2147483647 bytes"),
    "long_extended_text": Attack(b"\x03\0\0\0\x80\0\0\0", "cut text of -2147483648 bytes"),
    "text_no_zlib": Attack(extended(1 << 28 | 1, b"no zlib"), "does not inflate"),
    "text_flags": Attack(extended(3 << 27 | 1, b""), "name no single action"),
    "no_size": Attack(one(Rect(0, 0, 0, 0), Encoding.DESKTOP_SIZE), "a desktop of 0 x 0"),
    "huge_size": Attack(one(Rect(0, 0, 65535, 65535), Encoding.EXTENDED_DESKTOP_SIZE, bytes(4)),
                        "a desktop of 65535 x 65535"),
    "stall": Attack(update.update_header(1) + update.rectangle(WHOLE, 0, bytes(99)),
                    "stopped in the middle of a message"),
    "silence": Attack(b"", "it does not answer"),
}

GREETINGS = {
    "no_rfb": Attack(b"HTTP/1.1 400\r\n", "is not an RFB version"),
    "old_rfb": Attack(b"RFB 002.002\n", "RFB 2.2 is not spoken"),
    "before_its_turn": Attack(VERSION + picture(9), "refused"),
    "no_types": Attack(VERSION + b"\0\0\0\0\x04full", "refused: 'full'"),
    "unknown_types": Attack(VERSION + b"\x02\x05\x10", r"security types \[5, 16\]"),
    "refused": Attack(VERSION + b"\x01\x01\0\0\0\x01\0\0\0\x06no\n\x1b[m", r"refused: 'no\\n"),
    "long_reason": Attack(VERSION + b"\x01\x01\0\0\0\x01\xff\xff\xff\xff", "a text of"),
    "long_name": Attack(VERSION + NO_LOGIN + init()[:20] + b"\xff\xff\xff\xff", "a text of"),
    "no_size": Attack(VERSION + NO_LOGIN + init(0, 0), "a desktop of 0 x 0"),
    "huge_size": Attack(VERSION + NO_LOGIN + init(65535, 65535), "a desktop of 65535"),
    "no_format": Attack(VERSION + NO_LOGIN + init()[:4] + bytes(16) + bytes(4), "bits per pixel"),
    "clear_before_tls": Attack(
        VERSION + b"\x01\x13" + b"\0\x02" + b"\0" + b"\x01\0\0\x01\x01" + b"\x01" + b"clear",
        "bytes came in clear"),
    "plain_alone": Attack(
        VERSION + b"\x01\x13" + b"\0\x02" + b"\0" + b"\x01\0\0\x01\x00", "VeNCrypt subtypes"),
    "no_tls": Attack(VERSION + b"\x01\x13" + b"\0\x02" + b"\0" + b"\x01\0\0\x01\x01" + b"\x01",
                     "does not finish its greeting"),
    "silence": Attack(b"", "does not finish its greeting"),
    "half": Attack(VERSION + NO_LOGIN + init()[:9], "does not finish its greeting"),
}


def layout(screens: Sequence[Screen]) -> bytes:
    """Give the rectangle that tells them, in this order."""
    parts = b"".join(update.SCREEN.pack(*screen) for screen in screens)
    payload = update.SCREENS.pack(len(screens)) + parts
    return update.rectangle(WHOLE._replace(x=0, y=0), Encoding.EXTENDED_DESKTOP_SIZE, payload)


def pixel(display: UpstreamDisplay, x: int = 0, y: int = 0) -> int:
    return int(display.snapshot(Rect(x, y, 1, 1)).pixels[0, 0, 0])


class Case(TestCase):
    timeout = 120

    def setUp(self) -> Any:
        self.lines: list[str] = []
        globalLogPublisher.addObserver(self._log)
        self.addCleanup(globalLogPublisher.removeObserver, self._log)

    def _log(self, event: LogEvent) -> None:
        self.lines.append(formatEvent(event))

    def watch(self, display: UpstreamDisplay) -> Recorder:
        recorder = Recorder()
        self.addCleanup(display.observe(recorder))
        return recorder

    def lie(self, *greetings: bytes) -> Liar:
        liar = Liar(*greetings)
        self.addCleanup(lambda: Deferred.fromCoroutine(liar.close()))
        return liar

    def display(self, place: Place, **patience: float) -> UpstreamDisplay:
        return upstream(self, place, Terms(patience=QUICK._replace(**patience)))


class AttackTests(Case):
    """It loses its own picture only: the last one stays, the cause is logged, it comes back."""

    async def attack(self, name: str) -> None:
        data, reason = ATTACKS[name]
        liar = self.lie(greeting(50), greeting(60))
        slow = {"stall": 0.2} if name == "stall" else {}
        if name == "silence":
            slow = {"quiet": 0.1, "answer": 0.1}
        display = self.display(liar.place, **slow)
        recorder = self.watch(display)
        await display.connect().addTimeout(SECONDS, reactor)
        self.assertEqual(pixel(display), 50)
        lost = recorder.next("display_lost").addTimeout(SECONDS, reactor)
        back = recorder.next("resized").addTimeout(SECONDS, reactor)
        liar.talkers[0].say(data)
        (told,) = await lost
        self.assertRegex(told, reason)
        self.assertEqual(pixel(display), 50)
        while not (logged := [line for line in self.lines if told in line]):
            await deferLater(reactor, 0)
        self.assertEqual((len(logged), display.losses), (1, 1), self.lines)
        await back
        self.assertEqual(pixel(display), 60)
        self.assertEqual(self.flushLoggedErrors(), [])


def _attack(name: str) -> Any:
    return lambda self: Deferred.fromCoroutine(self.attack(name))


for _name in ATTACKS:
    setattr(AttackTests, f"test_{_name}", _attack(_name))


class GreetingTests(Case):
    """One that never gets so far leaves the display as it is, and is tried again."""

    async def greet(self, name: str) -> None:
        data, reason = GREETINGS[name]
        liar = self.lie(data, greeting(60))
        handshake = 0.2 if "finish its greeting" in reason else SECONDS
        terms = Terms(Credentials((257, 1)), patience=QUICK._replace(handshake=handshake))
        display = upstream(self, liar.place, terms)
        recorder = self.watch(display)
        back = recorder.next("resized").addTimeout(SECONDS, reactor)
        with self.assertRaisesRegex(DisplayLost, reason):
            await display.connect().addTimeout(SECONDS, reactor)
        await back
        self.assertEqual(pixel(display), 60)


def _greet(name: str) -> Any:
    return lambda self: Deferred.fromCoroutine(self.greet(name))


for _name in GREETINGS:
    setattr(GreetingTests, f"test_{_name}", _greet(_name))


class LargeTests(Case):
    """Nothing large is done at once, and nobody is told of half a picture."""

    async def test_all_of_a_large_picture_is_told_at_once(self) -> None:
        large = Rect(0, 0, 1920, 1080)
        whole = [one(large, 0, bytes([grey, grey, grey, 0]) * large.area) for grey in (50, 60)]
        liar = self.lie(VERSION + NO_LOGIN + init(*large[2:]) + whole[0])
        display = self.display(liar.place)
        recorder = self.watch(display)
        await display.connect().addTimeout(SECONDS, reactor)
        recorder.events.clear()
        changed = recorder.next("changed").addTimeout(SECONDS, reactor)
        liar.talkers[0].say(whole[1])
        region, moves = await changed
        self.assertEqual((region.rects, moves), ((large,), ()))
        self.assertEqual([pixel(display, x, y) for x, y in ((0, 0), (1919, 1079))], [60, 60])

    async def test_what_came_of_a_picture_that_ends_in_the_middle_is_told(self) -> None:
        two = update.update_header(2) + update.rectangle(WHOLE, 0, picture(60)[16:])
        liar = self.lie(greeting(50))
        display = self.display(liar.place)
        recorder = self.watch(display)
        await display.connect().addTimeout(SECONDS, reactor)
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
        liar = self.lie(greeting(50))
        display = self.display(liar.place)
        recorder = self.watch(display)
        await display.connect().addTimeout(SECONDS, reactor)
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


class FaultTests(Case):
    async def test_nobody_listens(self) -> None:
        """It is tried again until somebody does."""
        liar = self.lie(greeting(50))
        place = liar.place
        await liar._port.stopListening()
        display = self.display(place)
        with self.assertRaisesRegex(DisplayLost, "refused"):
            await display.connect().addTimeout(SECONDS, reactor)

    async def test_it_closes_in_the_middle_and_restarts_with_another_size(self) -> None:
        larger = VERSION + NO_LOGIN + init(60, 50) + one(Rect(59, 49, 1, 1), 0, b"\x07\x07\x07\0")
        liar = self.lie(greeting(50), larger)
        display = self.display(liar.place)
        recorder = self.watch(display)
        await display.connect().addTimeout(SECONDS, reactor)
        lost = recorder.next("display_lost").addTimeout(SECONDS, reactor)
        changed = recorder.next("changed").addTimeout(SECONDS, reactor)
        liar.talkers[0].say(update.update_header(1) + update.rectangle(WHOLE, 0, bytes(99)))
        liar.talkers[0].transport.loseConnection()
        self.assertEqual(await lost, ("it closed the connection",))
        await changed
        self.assertEqual(display.size, (60, 50))
        self.assertEqual((pixel(display), pixel(display, 59, 49)), (50, 7))

    async def test_a_storm_of_sizes_is_told_now_and_then(self) -> None:
        liar = self.lie(greeting(50))
        display = self.display(liar.place)
        recorder = self.watch(display)
        await display.connect().addTimeout(SECONDS, reactor)
        last = recorder.next("resized", lambda w, h, s: (w, h) == (40, 1030))
        before = len(recorder.named("resized"))
        for height in range(31, 1031):
            liar.talkers[0].say(one(Rect(0, 0, 40, height), Encoding.DESKTOP_SIZE))
        await last.addTimeout(SECONDS, reactor)
        self.assertLess(len(recorder.named("resized")) - before, 100)

    async def test_layouts_that_cannot_be_are_made_to_fit(self) -> None:
        """Whatever it says of its screens, viewers are told a layout."""
        liar = self.lie(greeting(50))
        display = self.display(liar.place)
        recorder = self.watch(display)
        await display.connect().addTimeout(SECONDS, reactor)
        good = Screen(9, 3, 4, 10, 20, 7)
        for screens, shown in (
            ([good], (good,)),
            ([Screen(n, n, n, 65535, 65535) for n in range(255)],
             tuple(Screen(n, n, n, 40 - n, 30 - n) for n in range(4))),
            ([good, good, Screen(3, 40, 0, 1, 1), Screen(4, 0, 0, 0, 0)], (good,)),
            ([Screen(3, 65535, 65535, 65535, 65535)], (Screen(0, 0, 0, 40, 30),)),
            ([Screen(4, 0, 0, 40, 30)], (Screen(4, 0, 0, 40, 30),)),
            ([], (Screen(0, 0, 0, 40, 30),)),
        ):
            told = recorder.next("resized").addTimeout(SECONDS, reactor)
            liar.talkers[0].say(update.update_header(1) + layout(screens))
            self.assertEqual(await told, (40, 30, shown))
            self.assertEqual(display.screens, shown)
        self.assertEqual(pixel(display), 50)

    async def test_a_size_that_is_told_again_is_not_asked_for_again(self) -> None:
        """An upstream that tells it with each whole picture would never come to rest."""
        liar = self.lie(greeting(50))
        display = self.display(liar.place)
        recorder = self.watch(display)
        await display.connect().addTimeout(SECONDS, reactor)
        talker = liar.talkers[0]
        whole = b"\x03\x00" + struct.pack(">4H", *WHOLE)
        await talker.hears(whole)
        before = talker.heard.count(whole)
        last = recorder.next("resized", lambda width, height, screens: screens[0].ident == 9)
        for ident in range(10):
            talker.say(update.update_header(1) + layout([Screen(ident, *WHOLE)]))
        await last.addTimeout(SECONDS, reactor)
        talker.say(b"\xf8\0\0\0\x80\0\0\x01\x02hi")
        await talker.hears(b"\0\0\0\x01\x02hi")
        self.assertEqual(talker.heard.count(whole), before)

    async def test_pixels_wait_for_their_size(self) -> None:
        liar = self.lie(greeting(50))
        display = self.display(liar.place)
        recorder = self.watch(display)
        await display.connect().addTimeout(SECONDS, reactor)
        changed = recorder.next("changed", lambda region, moves: pixel(display, 0, 59) == 3)
        for height in (40, 60):
            liar.talkers[0].say(one(Rect(0, 0, 40, height), Encoding.DESKTOP_SIZE))
        liar.talkers[0].say(one(Rect(0, 59, 1, 1), 0, b"\x03\x03\x03\0"))
        await changed.addTimeout(SECONDS, reactor)

    async def test_a_bell_without_end_is_rung_now_and_then(self) -> None:
        liar = self.lie(greeting(50))
        display = self.display(liar.place)
        recorder = self.watch(display)
        await display.connect().addTimeout(SECONDS, reactor)
        seen = recorder.next("changed").addTimeout(SECONDS, reactor)
        liar.talkers[0].say(b"\x02" * 100000 + picture(51))
        await seen
        self.assertLess(len(recorder.named("bell_rung")), 100)

    async def test_a_clipboard_bomb_is_dropped(self) -> None:
        liar = self.lie(greeting(50))
        display = self.display(liar.place)
        recorder = self.watch(display)
        await display.connect().addTimeout(SECONDS, reactor)
        offered = recorder.next("clipboard_offered").addTimeout(SECONDS, reactor)
        long = server_cut_text("x" * (Limits().inflated + 1))
        liar.talkers[0].say(extended(1 << 28 | 1, BOMB) + long + server_cut_text("small"))
        self.assertEqual(await offered, ({"text/plain": b"small"},))

    async def test_one_that_reads_nothing_is_given_up(self) -> None:
        liar = self.lie(greeting(50), greeting(60))
        display = self.display(liar.place)
        recorder = self.watch(display)
        await display.connect().addTimeout(SECONDS, reactor)
        lost = recorder.next("display_lost").addTimeout(SECONDS, reactor)
        liar.talkers[0].transport.pauseProducing()
        for _ in range(100):
            display.offer_clipboard({"text/plain": b"a" * (1 << 20)})
        self.assertEqual(await lost, ("it does not read what it is sent",))

    async def test_an_unwatched_upstream_is_asked_for_nothing(self) -> None:
        liar = self.lie(greeting(50))
        display = self.display(liar.place)
        await display.connect().addTimeout(SECONDS, reactor)
        talker = liar.talkers[0]
        asked = b"\x03\x01" + struct.pack(">4H", *WHOLE)
        # The fence's answer comes behind all that was said before.
        talker.say(b"\xf8\0\0\0\x80\0\0\x01\x02hi")
        await talker.hears(b"\0\0\0\x01\x02hi")
        self.assertNotIn(asked, talker.heard)
        self.watch(display)
        await talker.hears(asked)

    async def test_continuous_updates_are_used_where_there_are_any(self) -> None:
        liar = self.lie(greeting(50) + b"\x96")
        display = self.display(liar.place)
        end = display.observe(Recorder())
        await display.connect().addTimeout(SECONDS, reactor)
        await liar.talkers[0].hears(b"\x96\x01" + struct.pack(">4H", *WHOLE))
        end()
        await liar.talkers[0].hears(b"\x96\x00" + struct.pack(">4H", *WHOLE))

    async def test_old_versions(self) -> None:
        """3.3 and 3.7 without a result for None; Apple's 3.889 as 3.8."""
        for hello, login, answered in (
            (b"RFB 003.003\n", b"\0\0\0\x01", b"RFB 003.003\n"),
            (b"RFB 003.007\n", b"\x01\x01", b"RFB 003.007\n"),
            (b"RFB 003.889\n", NO_LOGIN, VERSION),
        ):
            liar = self.lie(hello + login + init() + picture(50))
            display = self.display(liar.place)
            await display.connect().addTimeout(SECONDS, reactor)
            await liar.talkers[0].hears(answered)
            self.assertEqual(pixel(display), 50)


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
