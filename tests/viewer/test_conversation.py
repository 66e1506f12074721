"""What a viewer says is done, as far as its rights go and for as long as they last."""

from __future__ import annotations

import json
import struct
import zlib

from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import TestCase

from kasmd.errors import DisplayLost
from kasmd.rfb.client import BellRung, CutTextSent, FenceSent, UpdateReceived
from kasmd.rfb.numbers import Encoding, ServerMessage
from kasmd.rights import OWNER, READ, WRITE, Right
from kasmd.screen.cursor import Cursor
from kasmd.screen.geometry import Rect, Screen
from tests.viewer.scene import Scene, Watcher

RAW = Encoding.RAW, Encoding.LAST_RECT
CURSOR = Cursor(1, 1, 0, 0, b"\xff\xff\xff\xff")
ALL = Rect(0, 0, 320, 240)
#: Kasm's questions after the link and the machine's load.
NETWORK, SYSTEM = b"\xbe\0\0\0", b"\xbf\0\0\0"
NOTIFY, REQUEST, PROVIDE, TEXT = 1 << 27, 1 << 25, 1 << 28, 1


def extended(flags: int) -> bytes:
    """An extended clipboard message of the viewer's."""
    return struct.pack(">B3xiI", 6, -4, flags)


def provided(text: bytes) -> bytes:
    """The viewer's text, as the extended clipboard carries it."""
    packed = zlib.compress(struct.pack(">I", len(text) + 1) + text + b"\0")
    length = -4 - len(packed)
    return struct.pack(">B3xiI", 6, length, PROVIDE | TEXT) + packed


class Case(TestCase):
    """A scene to act in."""

    def setUp(self) -> None:
        self.scene = Scene()
        self.display, self.registry = self.scene.display, self.scene.registry
        self.display.noise(ALL, 1)

    def shown(self, *encodings: int, name: str = "writer") -> Watcher:
        """Let somebody in who sees everything."""
        watcher = self.scene.watch(*encodings, name=name)
        self.scene.settle(watcher)
        self.assertTrue(watcher.shows(self.display.picture))
        watcher.heard.clear()
        return watcher

    def ask(self, watcher: Watcher, *items: bytes) -> None:
        """Let ``watcher`` say something."""
        watcher.client.send(*items)
        watcher.exchange()


class DeedTests(Case):
    """Keys, pointer, clipboard and sizes reach the display."""

    def test_keys(self) -> None:
        watcher = self.shown(*RAW)
        watcher.client.send_key(True, 97, 30)
        watcher.client.send_key(False, 97, 30)
        watcher.exchange()
        self.assertEqual(self.display.keys, [(97, 30, True), (97, 30, False)])

    def test_pointer(self) -> None:
        watcher = self.shown(*RAW)
        watcher.client.send_pointer(10, 20, 1)
        watcher.exchange()
        self.assertEqual(self.display.pointers, [(10, 20, 1)])

    def test_text_comes_as_utf_8(self) -> None:
        watcher = self.shown(*RAW)
        watcher.client.send_cut_text("é\n")
        watcher.exchange()
        self.assertEqual(self.display.clipboard, {"text/plain": "é\n".encode()})

    def test_a_size_is_told_to_the_one_who_asked(self) -> None:
        watcher = self.shown(*RAW, Encoding.EXTENDED_DESKTOP_SIZE)
        watcher.client.send_desktop_size(100, 90, [Screen(0, 0, 0, 100, 90)])
        self.scene.settle(watcher)
        told = [r.rect for r in watcher.rectangles if r.encoding == -308]
        self.assertIn(Rect(1, 0, 100, 90), told)
        self.assertTrue(watcher.shows(self.display.picture))

    def test_a_size_that_cannot_be_is_refused_with_the_reason(self) -> None:
        watcher = self.shown(*RAW, Encoding.EXTENDED_DESKTOP_SIZE)
        watcher.client.send_desktop_size(5000, 90, [Screen(0, 0, 0, 5000, 90)])
        watcher.request(incremental=True)
        self.assertEqual([r.rect for r in watcher.rectangles], [Rect(1, 2, 320, 240)])

    def test_a_display_that_is_lost_is_no_resources(self) -> None:
        watcher = self.shown(*RAW, Encoding.EXTENDED_DESKTOP_SIZE)
        self.display.resizing = fail(DisplayLost("gone"))
        watcher.client.send_desktop_size(100, 90, [Screen(0, 0, 0, 100, 90)])
        watcher.request(incremental=True)
        self.assertEqual([r.rect for r in watcher.rectangles], [Rect(1, 2, 320, 240)])
        self.assertEqual(len(self.flushLoggedErrors(DisplayLost)), 1)

    def test_a_resize_that_ends_after_its_viewer_is_told_to_nobody(self) -> None:
        watcher = self.shown(*RAW, Encoding.EXTENDED_DESKTOP_SIZE)
        self.display.resizing = resizing = Deferred[int]()
        watcher.client.send_desktop_size(100, 90, [Screen(0, 0, 0, 100, 90)])
        watcher.request(incremental=True)
        watcher.leave()
        resizing.callback(0)
        self.assertEqual(watcher.line.items, [])

    def test_a_fence_is_answered(self) -> None:
        watcher = self.shown(*RAW, Encoding.FENCE)
        watcher.client.send_fence(1 << 31 | 1, b"here")
        watcher.exchange()
        self.assertIn(FenceSent(1, b"here"), watcher.heard)


class RightsTests(Case):
    """Every change of rights holds from that moment on."""

    def test_one_without_rights_gets_nothing_but_the_way_in(self) -> None:
        watcher = self.scene.watch(
            *RAW, Encoding.FENCE, Encoding.CURSOR_WITH_ALPHA, Encoding.LED_STATE,
            Encoding.EXTENDED_DESKTOP_SIZE, Encoding.COPY_RECT, name="nobody",
        )
        watcher.heard.clear()
        watcher.request()
        self.display.set_cursor(CURSOR)
        self.display.set_leds(7)
        self.display.scroll(16)
        self.display.ring()
        self.display.copy({"text/plain": b"secret"})
        self.display.resize(100, 90, ())
        watcher.client.send_key(True, 97)
        watcher.client.send_pointer(1, 1, 1)
        watcher.client.send_cut_text("x")
        watcher.request()
        self.scene.tick(watcher)
        self.assertEqual(watcher.heard, [])
        self.assertEqual((self.display.keys, self.display.pointers), ([], []))
        self.assertEqual(self.display.clipboard, {"text/plain": b"secret"})
        self.assertIsNone(watcher.line.closed)

    def test_a_reader_sees_and_does_nothing(self) -> None:
        watcher = self.shown(*RAW, name="reader")
        watcher.client.send_key(True, 97)
        watcher.client.send_pointer(1, 1, 1)
        watcher.client.send_cut_text("x")
        watcher.exchange()
        self.assertEqual((self.display.keys, self.display.pointers), ([], []))
        self.assertEqual(self.display.clipboard, {})

    def test_a_readers_size_is_prohibited(self) -> None:
        watcher = self.shown(*RAW, Encoding.EXTENDED_DESKTOP_SIZE, name="reader")
        watcher.client.send_desktop_size(100, 90, [Screen(0, 0, 0, 100, 90)])
        watcher.request(incremental=True)
        self.assertEqual([r.rect for r in watcher.rectangles], [Rect(1, 1, 320, 240)])

    def test_read_lost_stops_all_and_regained_shows_all(self) -> None:
        watcher = self.shown(*RAW, Encoding.CURSOR_WITH_ALPHA)
        watcher.request(incremental=True)
        self.registry.set("writer", Right.ENTER)
        self.display.noise(ALL, 2)
        self.display.set_cursor(CURSOR)
        self.display.ring()
        self.display.copy({"text/plain": b"secret"})
        watcher.request()
        self.scene.tick(watcher)
        self.assertEqual(watcher.heard, [])
        self.registry.set("writer", WRITE)
        self.scene.tick(watcher)
        self.scene.settle(watcher)
        self.assertTrue(watcher.shows(self.display.picture))
        self.assertIn(Encoding.CURSOR_WITH_ALPHA, watcher.encodings())
        self.assertEqual(watcher.told(BellRung) + watcher.told(CutTextSent), [])

    def test_a_bell_that_waits_is_not_rung(self) -> None:
        watcher = self.shown(*RAW)
        watcher.request()
        self.display.ring()
        self.registry.set("writer", Right.ENTER)
        self.scene.tick(watcher)
        self.assertEqual([type(event) for event in watcher.heard], [UpdateReceived])

    def test_a_new_size_meanwhile_is_told_when_read_comes_back(self) -> None:
        watcher = self.shown(*RAW, Encoding.EXTENDED_DESKTOP_SIZE)
        self.registry.set("writer", Right.ENTER)
        self.display.resize(100, 90, ())
        watcher.request()
        self.assertEqual(watcher.heard, [])
        self.registry.set("writer", WRITE)
        self.scene.settle(watcher)
        self.assertTrue(watcher.shows(self.display.picture))

    def test_read_lost_in_the_middle_ends_the_update(self) -> None:
        watcher = self.shown(*RAW)
        watcher.request()
        self.registry.set("writer", Right.ENTER)
        self.scene.clock.advance(0)
        self.assertEqual(watcher.line.items, [struct.pack(">HHHHi", 0, 0, 0, 0, -224)])
        watcher.exchange()
        (update,) = watcher.told(UpdateReceived)
        self.assertLess(sum(rectangle.rect.area for rectangle in update.rectangles), ALL.area)

    def test_what_was_counted_is_filled_with_black(self) -> None:
        watcher = self.shown(Encoding.RAW)
        watcher.picture[:] = 77
        watcher.request()
        self.registry.set("writer", Right.ENTER)
        self.display.noise(ALL, 3)
        self.scene.tick(watcher)
        (update,) = watcher.told(UpdateReceived)
        first, *others = update.rectangles
        self.assertTrue(others)
        for rectangle in others:
            self.assertEqual(rectangle.payload.strip(b"\0"), b"")
        self.registry.set("writer", READ)
        self.scene.settle(watcher)
        self.assertTrue(watcher.shows(self.display.picture))

    def test_write_lost_lets_go_of_what_is_held(self) -> None:
        watcher = self.shown(*RAW)
        watcher.client.send_key(True, 97)
        watcher.client.send_pointer(5, 6, 1)
        watcher.exchange()
        self.registry.set("writer", READ)
        self.assertEqual(self.display.keys, [(97, 0, True), (97, 0, False)])
        self.assertEqual(self.display.pointers, [(5, 6, 1), (5, 6, 0)])
        self.display.noise(ALL, 2)
        self.scene.settle(watcher)
        self.assertTrue(watcher.shows(self.display.picture))

    def test_the_end_of_the_account_is_the_end(self) -> None:
        watcher = self.shown(*RAW)
        self.registry.remove("writer")
        self.assertEqual(
            watcher.line.closed, (1008, "this account may not be here any more")
        )
        self.assertEqual(watcher.line.items, [])
        self.assertEqual(self.scene.left_behind(), (0, 0, 0, 0))

    def test_kasms_client_is_told_the_reason(self) -> None:
        watcher = self.scene.watch(Encoding.TIGHT, Encoding.LAST_RECT, kasm=True)
        self.registry.remove("writer")
        watcher.exchange()
        text = b"this account may not be here any more"
        self.assertEqual(
            watcher.kasm_told(ServerMessage.SERVER_DISCONNECT),
            [b"\x01\0\0\0" + text],
        )


class ClipboardRightTests(Case):
    """What was copied goes to those who may have it, while they may."""

    def test_an_offer_that_waits_for_an_update_is_dropped(self) -> None:
        watcher = self.shown(*RAW)
        watcher.request()
        self.display.copy({"text/plain": b"secret"})
        self.registry.set("writer", READ)
        self.scene.tick(watcher)
        self.assertEqual([type(event) for event in watcher.heard], [UpdateReceived])

    def test_a_paste_under_way_is_dropped(self) -> None:
        watcher = self.shown(*RAW)
        watcher.client.send_cut_text("half a secret")
        (paste,) = watcher.client.data_to_send()
        self.ask(watcher, paste[:12])
        self.registry.set("writer", READ)
        self.ask(watcher, paste[12:])
        self.assertEqual(self.display.clipboard, {})
        self.registry.set("writer", WRITE)
        self.ask(watcher, paste)
        self.assertEqual(self.display.clipboard, {"text/plain": b"half a secret"})

    def test_a_paste_that_was_asked_for_is_dropped(self) -> None:
        watcher = self.shown(*RAW, Encoding.EXTENDED_CLIPBOARD)
        self.ask(watcher, extended(NOTIFY | TEXT))
        request = watcher.told(CutTextSent)[-1]
        self.assertEqual(request.data, struct.pack(">I", REQUEST | TEXT))
        self.registry.set("writer", READ)
        self.ask(watcher, provided(b"secret"))
        self.assertEqual(self.display.clipboard, {})

    def test_what_was_offered_is_not_given_any_more(self) -> None:
        watcher = self.shown(*RAW, Encoding.EXTENDED_CLIPBOARD)
        self.display.copy({"text/plain": b"secret"})
        watcher.exchange()
        (notify,) = watcher.told(CutTextSent)
        self.assertEqual(notify.data, struct.pack(">I", NOTIFY | TEXT))
        self.ask(watcher, extended(REQUEST | TEXT))
        self.assertEqual(len(watcher.told(CutTextSent)), 2)
        self.registry.set("writer", READ)
        self.ask(watcher, extended(REQUEST | TEXT))
        self.assertEqual(len(watcher.told(CutTextSent)), 2)

    def test_an_answer_that_is_held_is_dropped(self) -> None:
        watcher = self.shown(*RAW, Encoding.EXTENDED_CLIPBOARD)
        self.display.copy({"text/plain": b"secret"})
        watcher.exchange()
        watcher.line.pause()
        self.ask(watcher, extended(REQUEST | TEXT))
        self.registry.set("writer", READ)
        watcher.line.resume()
        watcher.exchange()
        self.assertEqual(len(watcher.told(CutTextSent)), 1)


class KasmTests(Case):
    """Kasm's own client."""

    def setUp(self) -> None:
        super().setUp()
        self.kinds = Encoding.TIGHT, Encoding.LAST_RECT, Encoding.EXTENDED_DESKTOP_SIZE

    def test_video_encoders_are_none(self) -> None:
        watcher = self.scene.watch(*self.kinds, kasm=True)
        self.ask(watcher, b"\xb8\x01" + struct.pack(">i", 7))
        self.assertEqual(watcher.kasm_told(ServerMessage.VIDEO_ENCODERS), [b"\x00"])

    def test_relays_are_refused(self) -> None:
        watcher = self.scene.watch(*self.kinds, kasm=True)
        self.ask(watcher, b"\xb6\x05audio")
        (answer,) = watcher.kasm_told(ServerMessage.SUBSCRIBE_UNIX_RELAY)
        self.assertEqual(answer, b"\x00\x14No such unix channel")

    def test_a_latency_probe_is_answered_behind_the_next_update(self) -> None:
        watcher = self.scene.watch(*self.kinds, kasm=True)
        probe = struct.pack(">B3xI", 189, 42)
        watcher.viewer.received(probe)
        self.assertEqual(watcher.line.items, [])
        watcher.viewer.received(struct.pack(">BBHHHH", 3, 1, *ALL))
        self.scene.clock.advance(0)
        *update, answer = watcher.line.items
        self.assertEqual(update[0][:4], b"\0\0\xff\xff")
        self.assertEqual(answer, probe)

    def test_a_readers_size_is_left_as_it_is_and_no_error(self) -> None:
        watcher = self.scene.watch(*self.kinds, kasm=True, name="reader")
        self.scene.settle(watcher)
        watcher.heard.clear()
        watcher.client.send_desktop_size(100, 90, [Screen(0, 0, 0, 100, 90)])
        watcher.request(incremental=True)
        self.assertEqual([r.rect for r in watcher.rectangles], [Rect(1, 0, 320, 240)])
        self.assertEqual(self.display.size, (320, 240))

    def test_scrolling_is_clicks_where_the_pointer_is(self) -> None:
        watcher = self.scene.watch(*self.kinds, kasm=True)
        watcher.client.send_pointer(5, 6, 0)
        watcher.client.send_pointer(0, 0, 0, scroll_y=100)
        watcher.exchange()
        down = 1 << 4
        self.assertEqual(
            self.display.pointers,
            [(5, 6, 0), (5, 6, down), (5, 6, 0), (5, 6, down), (5, 6, 0)],
        )

    def test_game_mode_moves_from_where_the_pointer_is(self) -> None:
        watcher = self.scene.watch(*self.kinds, kasm=True)
        watcher.client.send_pointer(5, 6, 0)
        watcher.exchange()
        for moved in ((1, 10, -2, 0, 0), (0, 0, 0, 0, 50), (0, 999, -999, 0, 0)):
            watcher.viewer.received(struct.pack(">BBhhhh", 188, *moved))
        down = 1 << 4
        self.assertEqual(
            self.display.pointers,
            [(5, 6, 0), (15, 4, 1), (15, 4, 1 | down), (15, 4, 1), (319, 0, 0)],
        )

    def test_the_scores_are_told(self) -> None:
        """Message 178 is answered with KasmVNC's four numbers."""
        watcher = self.scene.watch(*self.kinds, kasm=True)
        self.ask(watcher, b"\xb2\0\0\0")
        self.assertEqual(watcher.kasm_told(178), [b"\0\0\0[10.0, 10.0, 10.0, 10.0]"])

    def test_the_link_is_measured(self) -> None:
        watcher = self.scene.watch(*self.kinds, Encoding.FENCE, kasm=True)
        self.ask(watcher, NETWORK)
        self.scene.display.noise(ALL, 1)
        for incremental in (False, True):
            watcher.client.send_update_request(incremental, ALL)
            for item in watcher.client.data_to_send():
                watcher.viewer.received(item)
            self.scene.clock.advance(0)
        self.scene.clock.advance(0.25)
        watcher.exchange()
        self.ask(watcher, NETWORK)
        before, after = (json.loads(body[3:]) for body in watcher.kasm_told(190))
        self.assertEqual(before, [0, 0xFFFFFFFF, 0])
        self.assertEqual(after[:2], [0, 250])
        self.assertGreater(after[2], 0)

    def test_the_load_is_told_to_owners_once_for_all_who_wait(self) -> None:
        samples: list[Deferred[str]] = []

        def sample() -> Deferred[str]:
            samples.append(Deferred())
            return samples[-1]

        self.scene.around.system_stats = sample
        watcher = self.scene.watch(*self.kinds, kasm=True)
        self.ask(watcher, SYSTEM)
        self.assertEqual(samples, [])
        self.registry.set("writer", WRITE | OWNER)
        self.ask(watcher, SYSTEM, SYSTEM)
        self.assertEqual(len(samples), 1)
        samples[0].callback("{}")
        watcher.exchange()
        self.assertEqual(watcher.kasm_told(191), [b"\0\0\0{}"])
        self.ask(watcher, SYSTEM)
        self.registry.set("writer", WRITE)
        samples[1].callback("{}")
        watcher.exchange()
        self.assertEqual(len(watcher.kasm_told(191)), 1)

    def test_a_load_that_cannot_be_measured_is_not_told(self) -> None:
        self.scene.around.system_stats = lambda: fail(OSError("no /proc"))
        self.registry.set("writer", WRITE | OWNER)
        watcher = self.scene.watch(*self.kinds, kasm=True)
        self.ask(watcher, SYSTEM)
        self.assertEqual(watcher.kasm_told(191), [])
        self.assertIsNone(watcher.line.closed)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def test_what_needs_no_deed_does_no_harm(self) -> None:
        watcher = self.scene.watch(*self.kinds, kasm=True)
        for message in (
            b"\xb3" + bytes(11), b"\xb5\0\0", b"\xb7\x01a\0\0\0\0", b"\xb9",
            b"\xbc" + bytes(9), b"\xfc" + bytes(4),
        ):
            self.ask(watcher, message)
        self.assertIsNone(watcher.line.closed)
        self.assertEqual(watcher.heard[1:], [])
