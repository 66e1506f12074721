"""What an upstream may send, and all that it may not (threats.md, group B)."""

from __future__ import annotations

import struct
import zlib
from typing import Any, NamedTuple

import numpy as np
import simplejpeg
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from kasmd.codec.compact import counted
from kasmd.display.upstream_line import Terms
from kasmd.errors import DisplayLost
from kasmd.rfb import clipboard, update
from kasmd.rfb.client_handshake import Credentials
from kasmd.rfb.numbers import Encoding
from kasmd.screen.geometry import Rect
from tests.display.upstreams import (
    BOMB,
    NO_LOGIN,
    QUICK,
    SECONDS,
    VERSION,
    WHOLE,
    Case,
    greeting,
    init,
    one,
    picture,
    pixel,
    upstream,
)

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
