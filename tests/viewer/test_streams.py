"""Streams: one for all who want the same, and no more than there may be."""

from __future__ import annotations

from typing import Optional

from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from kasmd.codec.video import ENCODINGS, Codec
from kasmd.screen.geometry import Rect
from kasmd.viewer.encoders import Encoders
from kasmd.viewer.stream import Follower, Kind
from kasmd.viewer.streams import MAX_PIXELS, MAX_STREAMS, Streams

KIND = Kind(Rect(8, 4, 96, 64), Codec.H264, 15)


class Tests(TestCase):
    """Following, and leaving."""

    def setUp(self) -> None:
        self.encoders = Encoders(Clock())
        self.encoders.found = {Codec.H264: ENCODINGS[Codec.H264][-1]}
        self.streams = Streams(self.encoders)

    def follow(self, kind: Kind = KIND) -> Optional[Follower]:
        return self.streams.follow(kind, lambda: None)

    def test_ceilings(self) -> None:
        followers = [self.follow(KIND._replace(quality=each)) for each in range(MAX_STREAMS + 1)]
        self.assertEqual([follower is None for follower in followers],
                         [False] * MAX_STREAMS + [True])
        assert followers[0] is not None
        followers[0].leave()
        self.assertIsNone(self.follow(KIND._replace(rect=Rect(0, 0, MAX_PIXELS // 2 + 2, 2))))
        self.assertIsNone(self.follow(KIND._replace(codec=Codec.HEVC)))
        self.assertIsNotNone(self.follow())

    def test_one_that_is_over_is_followed_by_nobody_else(self) -> None:
        old = self.follow()
        assert old is not None
        old.stream.over = True
        new = self.follow()
        assert new is not None
        self.assertIsNot(new.stream, old.stream)
        old.leave()
        self.assertEqual(len(self.streams), 1)
        new.leave()
        self.assertEqual(len(self.streams), 0)
