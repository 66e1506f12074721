"""A viewer that has left is nobody's, and nothing of it waits for the garbage collector."""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger
from twisted.trial.unittest import TestCase

from kasmd.interfaces import Principal
from kasmd.permission.grant import Grant
from kasmd.permission.seat import Seat
from kasmd.rfb.client import UpdateReceived
from kasmd.rfb.numbers import FenceFlag
from kasmd.rfb.server import ServerSession
from kasmd.screen.geometry import Rect
from kasmd.viewer.conversation import Conversation
from kasmd.viewer.delivery import Delivery
from kasmd.viewer.outbox import MAX_HELD, Outbox
from kasmd.viewer.painter import Painter
from kasmd.viewer.protocol import Viewer
from kasmd.viewer.streaming import Streaming
from tests.garbage import uncollected
from tests.viewer.films import FILM, FRAME, KASMS, STANDARD, X264, gradient
from tests.viewer.scene import HANDSHAKE, PATIENCE, SMALL_SLICES, Line, Scene, Watcher

WHOLE = Rect(0, 0, 640, 360)
#: Kasm's for a frame rate of 30.
THIRTY = -2048 + 20
#: What there is once of each viewer.
PARTS = (
    Viewer, ServerSession, Outbox, Conversation, Painter, Delivery, Streaming, Seat, Grant,
)


class Tests(TestCase):
    """However it ends."""

    def setUp(self) -> None:
        # Where nobody writes a log, Twisted keeps what was told, the viewer with it.
        self.patch(Viewer, "_log", Logger(observer=_unheard))
        self.scene = Scene(WHOLE.width, WHOLE.height)
        self.scene.encoders.found = X264
        self.left = uncollected(self, *PARTS)

    def watch(self, *encodings: int, kasm: bool = False) -> Watcher:
        watcher = self.scene.watch(*(encodings or STANDARD), kasm=kasm)
        self.scene.settle(watcher)
        self.assertEqual(self.left(), len(PARTS))
        return watcher

    def play(self, watcher: Watcher) -> None:
        for number in range(45):
            self.scene.clock.advance(FRAME)
            self.scene.display.paint(FILM, gradient(FILM, number))
            watcher.request(incremental=True)
            self.scene.tick(watcher)
        self.assertEqual(len(self.scene.streams), 1)

    def check(self, watcher: Any) -> None:
        """Look, where that has left whom one holds by ``watcher``."""
        watcher.leave()
        del watcher.viewer
        self.assertEqual(self.left(), 0)

    def test_at_rest(self) -> None:
        self.check(self.watch())

    def test_in_the_middle_of_an_update(self) -> None:
        watcher = self.watch(*STANDARD, SMALL_SLICES)
        self.scene.display.noise(WHOLE, 1)
        watcher.line.room = 3
        watcher.request()
        self.scene.tick(watcher)
        self.check(watcher)

    def test_when_it_waited_for_its_frame_rate(self) -> None:
        watcher = self.watch(*KASMS[:-1], THIRTY, kasm=True)
        for seed in range(3):
            self.scene.display.noise(FILM, seed)
            watcher.request(incremental=True)
            self.scene.tick(watcher)
        watcher.heard.clear()
        self.scene.clock.advance(FRAME)
        self.scene.tick(watcher)
        self.assertEqual(len(watcher.told(UpdateReceived)), 1)
        self.check(watcher)

    def test_in_the_middle_of_a_film(self) -> None:
        watcher = self.watch()
        self.play(watcher)
        self.check(watcher)

    def test_in_the_middle_of_a_stream(self) -> None:
        watcher = self.watch(*KASMS, kasm=True)
        self.play(watcher)
        self.check(watcher)

    def test_one_that_was_sent_away(self) -> None:
        watcher = self.watch()
        watcher.viewer.disconnect(1008, "enough")
        self.check(watcher)

    def test_one_without_rights(self) -> None:
        watcher = self.watch()
        self.scene.registry.remove("writer")
        self.assertEqual(watcher.line.closed[0], 1008)
        self.check(watcher)

    def test_one_that_says_nonsense(self) -> None:
        watcher = self.watch()
        watcher.client.send(b"\xee")
        watcher.exchange()
        self.assertEqual(watcher.line.closed[0], 1002)
        self.check(watcher)

    def test_one_that_takes_nothing(self) -> None:
        watcher = self.watch()
        watcher.line.pause()
        self.scene.clock.advance(PATIENCE)
        self.assertTrue(watcher.line.aborted)
        self.check(watcher)

    def test_one_that_asks_for_too_much(self) -> None:
        watcher = self.watch()
        watcher.line.pause()
        for _ in range(MAX_HELD // 64):
            watcher.client.send_fence(FenceFlag.REQUEST, bytes(64))
        for item in watcher.client.data_to_send():
            watcher.viewer.received(item)
        self.assertTrue(watcher.line.aborted)
        self.check(watcher)

    def test_one_that_does_not_finish_the_handshake(self) -> None:
        for principal in (Principal("writer"), None):
            line = Line()
            viewer = Viewer(line, principal, self.scene.around)
            viewer.received(b"RFB 003.008\n\x13\x00\x02")
            self.scene.clock.advance(HANDSHAKE)
            self.assertTrue(line.aborted or line.closed)
            self.assertEqual(self.left(), 3)
            viewer.lost("gone")
            del viewer
            self.assertEqual(self.left(), 0)


def _unheard(event: object) -> None:
    """Keep nothing."""
