"""The parts of one viewer's picture that come as video.

What the viewer is owed there waits for a picture of a stream, which shows it
together with everything around; the rest of the screen goes as images.  An area
where little has changed for a while goes as images, too, until much does.
"""

from __future__ import annotations

from functools import partial
from typing import Callable, NamedTuple, Optional, Sequence

from twisted.internet.interfaces import IReactorTime

from kasmd.codec import h264, kasmvideo
from kasmd.codec.base import Rectangle
from kasmd.codec.compact import TooLong
from kasmd.codec.quality import video_quality
from kasmd.codec.video import Codec, Unit, even
from kasmd.rfb import update as wire
from kasmd.rfb.capabilities import Capabilities
from kasmd.screen.geometry import Move, Rect, Screen
from kasmd.screen.region import Region
from kasmd.viewer.streams import Follower, Kind, Look, Streams

#: An area moves while, in so many seconds, one in so many of its pixels changed at once.
_RESTS_AFTER = 1.0
_MUCH = 16
#: KasmVNC's, where its client names none: the higher, the better.
STREAM_QUALITY = 17

#: How a unit is sent; the last is whether it is the viewer's first of its stream.
Draw = Callable[[Rect, Unit, bool], Rectangle]


class Area(NamedTuple):
    """What is shown as video, and in which form; of equal ``name`` one takes the other's place."""

    kind: Kind
    form: int

    def draw(self, unit: Unit, first: bool) -> Rectangle:
        """Give the rectangle for a picture; ``first``: of those this viewer is sent."""
        rect = self.kind.rect
        return rect, unit, first
