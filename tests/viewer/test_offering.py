"""Offering: Kasm's client is told what there is when it asks, and when its choice is gone."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from kasmd.codec.video import ENCODINGS, Codec
from kasmd.rfb.numbers import Encoding, ServerMessage
from kasmd.screen.geometry import Rect
from tests.viewer.scene import Scene, Watcher
from tests.viewer.slowcoach import Slowcoach

H264, AV1, IMAGES = -1027, -1037, -1025
LIST = (Encoding.TIGHT, -26, Encoding.LAST_RECT, Encoding.EXTENDED_DESKTOP_SIZE)
#: A client that reads H.264 and AV1 asks what there is (-1026, -1036).
ASKING = bytes([184, 2, 255, 255, 251, 254, 255, 255, 251, 244])


class Tests(TestCase):
    """A display of 320 x 240, and a viewer that has asked."""

    def setUp(self) -> None:
        self.scene = Scene()
        self.encoders = self.scene.encoders
        self.encoders.found = {codec: ENCODINGS[codec][-1] for codec in (Codec.H264, Codec.AV1)}

    def watch(self, mode: int) -> Watcher:
        watcher = self.scene.watch(*LIST, mode, kasm=True)
        watcher.client.send(ASKING)
        watcher.exchange()
        self.assertEqual(self.counts(watcher), [2])
        return watcher

    def counts(self, watcher: Watcher) -> list[int]:
        """Give how many encoders each of the offers had that came since."""
        watcher.exchange()
        counts = [body[0] for body in watcher.kasm_told(ServerMessage.VIDEO_ENCODERS)]
        watcher.heard.clear()
        return counts

    def too_slow(self, width: int = 320, height: int = 240) -> None:
        self.encoders.too_slow(Codec.AV1, Rect(0, 0, width, height))

    def test_whose_choice_is_gone_is_told_once(self) -> None:
        watcher = self.watch(AV1)
        self.too_slow()
        self.too_slow()
        self.assertEqual(self.counts(watcher), [1])

    def test_whose_choice_remains_is_not_disturbed(self) -> None:
        watchers = [self.watch(H264), self.watch(IMAGES)]
        self.too_slow()
        self.assertEqual([self.counts(watcher) for watcher in watchers], [[], []])

    def test_who_never_asked_is_told_nothing(self) -> None:
        watcher = self.scene.watch(*LIST, AV1, kasm=True)
        self.too_slow()
        self.assertEqual(self.counts(watcher), [])

    def test_one_who_asks_before_it_is_known_is_answered_then(self) -> None:
        worker = Slowcoach()
        self.encoders.found, self.encoders.make_worker = {}, lambda: worker
        watchers = [self.scene.watch(*LIST, IMAGES, kasm=True) for _ in range(3)]
        for watcher in watchers[1:]:
            watcher.client.send(ASKING)
        self.assertEqual([self.counts(watcher) for watcher in watchers], [[], [], []])
        worker.finish()
        self.assertEqual([self.counts(watcher) for watcher in watchers], [[], [2], [2]])

    def test_one_who_asks_is_answered_where_nothing_works_too(self) -> None:
        worker = Slowcoach()
        self.encoders.found, self.encoders.make_worker = {}, lambda: worker
        watcher = self.scene.watch(*LIST, IMAGES, kasm=True)
        watcher.client.send(ASKING)
        self.assertEqual(self.counts(watcher), [])
        done, _, _ = worker.given.popleft()
        done.callback({})
        self.encoders.too_slow(Codec.H264, Rect(0, 0, 320, 240))
        self.assertEqual(self.counts(watcher), [0])

    def test_a_size_that_is_too_large(self) -> None:
        watcher = self.watch(AV1)
        self.too_slow(500, 400)
        self.assertEqual(self.counts(watcher), [])
        self.scene.display.resize(640, 480, ())
        self.assertEqual(self.counts(watcher), [1])

    def test_an_encoder_that_fails_and_is_replaced(self) -> None:
        watcher = self.watch(AV1)
        self.encoders.failed(Codec.AV1, self.encoders.found[Codec.AV1])
        self.assertEqual(self.counts(watcher), [1])

    def test_one_who_left_is_told_nothing(self) -> None:
        watcher = self.watch(AV1)
        watcher.leave()
        watcher.heard.clear()
        self.too_slow()
        self.assertEqual(self.counts(watcher), [])
