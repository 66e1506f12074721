"""Encoding 17: all of a screen is a stream, for Kasm's client that chose one."""

from __future__ import annotations

import struct

from kasmd.codec import kasmvideo
from kasmd.codec.base import complete
from kasmd.codec.video import ENCODINGS, Codec
from kasmd.rfb.numbers import ServerMessage
from kasmd.screen.geometry import Rect, Screen
from kasmd.viewer.encoders import Encoders
from kasmd.viewer.stream import KEPT, TOO_LATE
from kasmd.viewer.streaming import RESTS_AFTER
from kasmd.viewer.worker import InlineWorker
from tests.viewer.films import KASMS, STREAM_MODE, X264, Case, Wire, gradient
from tests.viewer.scene import Watcher
from tests.viewer.slowcoach import Slowcoach

#: Message 184 of a client that reads all families, and the bytes of one encoder in the answer.
ASKING = struct.pack(">BB3i", 184, 3, -1026, -1031, -1036)
_OFFER = 4 + 4 + 4 + 1 + 5 * 4


class KasmTests(Case):
    """Encoding 17: all of the screen, for one who chose a stream."""

    def pictures_of(self, watcher: Watcher) -> list[tuple[int, bool]]:
        found = []
        for rect, encoding, payload in watcher.rectangles:
            if encoding == Wire.KASM_VIDEO:
                self.assertEqual(rect, Rect(0, 0, 640, 360))
                picture, _ = complete(kasmvideo.decode(), payload)
                self.assertEqual(picture.screen, 0)
                found.append((picture.mode, picture.unit.key))
        watcher.heard.clear()
        return found

    def test_the_encoders_are_named(self) -> None:
        watcher = self.scene.watch(*KASMS, kasm=True)
        watcher.client.send(bytes([184, 2, 255, 255, 251, 254, 255, 255, 251, 249]))
        watcher.exchange()
        body, = watcher.kasm_told(ServerMessage.VIDEO_ENCODERS)
        self.assertEqual((body[0], body[1:5].hex(), len(body)), (1, "fffffbfd", 34))

    def test_all_is_a_stream_from_the_beginning(self) -> None:
        self.scene.display.paint(Rect(0, 0, 640, 360), gradient(Rect(0, 0, 640, 360), 3))
        watcher = self.scene.watch(*KASMS, kasm=True)
        self.scene.settle(watcher)
        self.play(5, watcher)
        pictures = self.pictures_of(watcher)
        self.assertEqual(pictures[0], (STREAM_MODE, True))
        self.assertEqual(set(pictures[1:]), {(STREAM_MODE, False)})
        self.assertGreater(self.sharpness(watcher, Rect(0, 0, 640, 360)), 35)

    def test_one_who_has_chosen_and_does_not_ask_has_his_stream_when_it_is_found(self) -> None:
        worker = Slowcoach()
        encoders = self.streams.encoders = Encoders(self.scene.clock, lambda: worker)
        watcher = self.watch(*KASMS, kasm=True)
        self.assertEqual((self.pictures_of(watcher), len(worker.given)), ([], 1))
        encoders.make_worker = InlineWorker
        worker.finish()
        self.play(2, watcher)
        self.assertEqual(self.pictures_of(watcher)[0], (STREAM_MODE, True))

    def test_av1(self) -> None:
        self.streams.encoders.found = {Codec.AV1: ENCODINGS[Codec.AV1][-1]}
        watcher = self.scene.watch(*KASMS[:-1], -1037, kasm=True)
        self.play(3, watcher)
        self.assertEqual(self.pictures_of(watcher)[0], (-1037, True))
        self.assertGreater(self.sharpness(watcher), 30)
        for _ in range(4):
            self.scene.clock.advance(RESTS_AFTER)
            self.scene.settle(watcher)
        self.assertTrue(watcher.shows(self.scene.display.picture))

    def test_av1_that_is_too_slow_goes_on_as_images_and_then_as_h264(self) -> None:
        everything = Rect(0, 0, 640, 360)
        self.streams.encoders.found = {**X264, Codec.AV1: ENCODINGS[Codec.AV1][-1]}
        watcher = self.scene.watch(*KASMS[:-1], -1037, kasm=True)
        watcher.client.send(ASKING)
        watcher.exchange()
        self.assertEqual(self.offered(watcher), [[-1027, -1037]])
        self.scene.settle(watcher)
        self.scene.encoding = 2 * TOO_LATE / 3
        for encoding, modes in ((Wire.KASM_VIDEO, []), (Wire.TIGHT, [[-1027]]), (Wire.TIGHT, [])):
            watcher.heard.clear()
            self.play(1, watcher, rect=everything)
            self.assertEqual(self.offered(watcher), modes)
            self.assertEqual(set(watcher.encodings()), {encoding})
            self.assertGreater(self.sharpness(watcher, everything), 30)
        watcher.client.send_encodings(KASMS)
        self.play(2, watcher, rect=everything)
        self.assertEqual(self.pictures_of(watcher), [(STREAM_MODE, True), (STREAM_MODE, False)])
        self.assertGreater(self.sharpness(watcher, everything), 30)

    def offered(self, watcher: Watcher) -> list[list[int]]:
        """Give the stream modes of each offer that came."""
        found = []
        for body in watcher.kasm_told(ServerMessage.VIDEO_ENCODERS):
            found.append([
                int.from_bytes(body[at:at + 4], "big", signed=True)
                for at in range(1, len(body), _OFFER)
            ])
        return found

    def test_what_is_small_comes_as_an_image_once_the_screen_rests(self) -> None:
        watcher = self.scene.watch(*KASMS, kasm=True)
        self.play(5, watcher)
        for _ in range(4):
            self.scene.clock.advance(RESTS_AFTER)
            self.scene.settle(watcher)
        watcher.heard.clear()
        self.scene.display.fill((1, 2, 3), Rect(50, 50, 30, 20))
        self.scene.settle(watcher)
        self.assertEqual(set(watcher.encodings()), {Wire.TIGHT})
        self.assertTrue(watcher.shows(self.scene.display.picture))
        self.play(3, watcher)
        self.assertEqual(len(self.pictures_of(watcher)), 3)

    def test_one_who_asks_for_all_gets_a_key_picture(self) -> None:
        watcher = self.scene.watch(*KASMS, kasm=True)
        self.play(KEPT + 5, watcher)
        watcher.heard.clear()
        watcher.request()
        self.scene.settle(watcher)
        self.assertEqual(self.pictures_of(watcher), [(STREAM_MODE, True)])

    def test_each_screen_is_a_stream_by_its_position(self) -> None:
        """In the order of the idents, in which its client is told them; the rest is images."""
        watcher = self.scene.watch(*KASMS, kasm=True)
        screens = (Screen(0, 0, 0, 320, 300), Screen(2, 320, 0, 160, 240),
                   Screen(5, 480, 0, 160, 360), Screen(9, 100, 320, 1, 1))
        watcher.client.send_desktop_size(640, 360, screens[::-1])
        watcher.exchange()
        self.scene.settle(watcher)
        watcher.heard.clear()
        whole = Rect(0, 0, 640, 360)
        self.play(5, watcher, rect=whole)
        found: dict[int, set[Rect]] = {}
        for rect, encoding, payload in watcher.rectangles:
            if encoding == Wire.KASM_VIDEO:
                picture, _ = complete(kasmvideo.decode(), payload)
                found.setdefault(picture.screen, set()).add(rect)
        self.assertEqual(
            found, {number: {screen.rect} for number, screen in enumerate(screens[:3])})
        self.assertEqual(len(self.streams), 3)
        self.assertGreater(self.sharpness(watcher, whole), 28)
        for _ in range(4):
            self.scene.clock.advance(RESTS_AFTER)
            self.scene.settle(watcher)
        self.assertTrue(watcher.shows(self.scene.display.picture))

    def test_another_mode_and_images(self) -> None:
        watcher = self.scene.watch(*KASMS, kasm=True)
        self.play(5, watcher)
        watcher.client.send_encodings([*KASMS[:-1], kasmvideo.IMAGES])
        watcher.exchange()
        watcher.heard.clear()
        self.play(5, watcher)
        self.assertEqual((self.pictures_of(watcher), len(self.streams)), ([], 0))
        self.assertGreater(self.sharpness(watcher), 35)
