"""One area that one viewer is shown as video: what it was sent there, and what suits its link.

A link carries so many bytes in the time that an update should take.  Where a
picture has more, the viewer follows a stream of coarser pictures, and tries a finer one
when those have been much smaller for a while: each change takes a key picture.
"""

from __future__ import annotations

from math import ceil, inf, log
from typing import NamedTuple, Optional

from kasmd.codec import h264, kasmvideo
from kasmd.codec.base import OPEN_H264, Rectangle
from kasmd.codec.video import STEP_SAVES, Unit
from kasmd.rfb import update as wire
from kasmd.screen.framebuffer import Identity
from kasmd.screen.geometry import Rect
from kasmd.viewer.stream import Follower, Kind

#: Seconds that a viewer which fell behind has no part in the others' stream, and that
#: one with a thin link has none in any.
ASIDE = 30.0
#: Bytes that a pixel of a picture is taken to have until one was sent, and the share of a
#: new picture in what is counted on.
_GUESS = 0.02
_SHARE = 0.3
#: No stream is coarser than by so many steps.
COARSEST = 3
#: A picture may have so many times the bytes of an update before coarser ones are sent,
#: and the coarsest so many before there are images.
_OVER = 1.3
TOO_LONG = 2
#: Where an update may have so many bytes (1 MB/s), it is not the link that is slow, but the
#: viewer's decoder, which fewer bytes would not help.
THIN = 40_000
#: Seconds after a change of quality until there is a coarser stream, and a finer one if even
#: the largest of those seconds would have had no more than this share of an update; sooner
#: where it would have had a quarter of that: the link was thin for a moment only.
COARSER_AFTER, FINER_AFTER, FINER_SOON = 1.0, 10.0, 2.0
_ROOM, _MUCH_ROOM = 0.8, 0.2


class Area(NamedTuple):
    """What is shown as video: by encoding 50, or as Kasm's ``mode`` of this ``screen``."""

    kind: Kind
    mode: int = OPEN_H264
    screen: int = 0

    def draw(self, unit: Unit, first: bool) -> Rectangle:
        """Give the rectangle of a picture; TooLong if there is none."""
        rect = self.kind.rect
        if self.mode == OPEN_H264:
            return h264.encode(rect, unit, h264.RESET if first else 0)
        return kasmvideo.encode(rect, self.screen, self.mode, unit)


class Place:
    """One area of one viewer; times are seconds, any origin."""

    def __init__(self, area: Area, follower: Follower, wanted: Optional[Identity],
                 now: float) -> None:
        self.area = area
        self.follower = follower
        #: The picture that the viewer must be shown, or a later one.
        self.wanted = wanted
        #: Of what it was sent, the newest.
        self.newest: Optional[Identity] = None
        #: When much of it changed last.
        self.moved_at = now
        #: The bytes that a picture is likely to have.
        self.size = self._guess
        self._first = True
        self._images_until = -inf
        #: When it may join those who keep up again.
        self._aside_until = -inf
        #: When the quality changed, or was looked at and kept, and the largest size since.
        self._changed_at = -inf
        self._largest = 0.0

    @property
    def rect(self) -> Rect:
        """Where it is."""
        return self.area.kind.rect

    @property
    def _coarser(self) -> int:
        return self.follower.stream.kind.coarser

    @property
    def _guess(self) -> float:
        return self.rect.area * _GUESS * STEP_SAVES ** self._coarser

    def drawn(self, unit: Unit) -> bytes:
        """Give a rectangle's bytes; TooLong if there is none."""
        data = wire.rectangle(*self.area.draw(unit, self._first))
        self._first = False
        # A key picture that is rare tells nothing of the next.
        if not unit.key or self.area.kind.gop:
            self.size += _SHARE * (len(unit.data) - self.size)
            self._largest = max(self._largest, self.size)
        return data

    def suiting(self, budget: Optional[int], now: float) -> Kind:
        """Give which stream it should follow, where an update has about ``budget`` bytes."""
        if self.follower.behind and now >= self._aside_until:
            self._aside_until = now + ASIDE
        steps = self._fitting(inf if budget is None else budget, now)
        return self.area.kind._replace(slow=now < self._aside_until, coarser=steps)

    def move_to(self, follower: Follower, now: float) -> None:
        """Follow another stream."""
        steps = follower.stream.kind.coarser - self._coarser
        if steps:
            self.size *= STEP_SAVES ** steps
            self._changed_at, self._largest = now, 0.0
        self.follower.leave()
        self.follower = follower
        self.newest, self._first = None, True

    def has_images(self, budget: Optional[int], now: float) -> bool:
        """Tell whether even the coarsest pictures keep the link busy for too long, or did."""
        least = self.size * STEP_SAVES ** (COARSEST - self._coarser)
        if now >= self._images_until and budget is not None and least > TOO_LONG * budget:
            self.size, self._images_until = self._guess, now + ASIDE
        return now < self._images_until

    def _fitting(self, budget: float, now: float) -> int:
        """Give by how many steps the pictures should be coarser than the viewer asked for."""
        since, steps = now - self._changed_at, self._coarser
        if _OVER * budget < min(self.size, _OVER * THIN) and since >= COARSER_AFTER:
            more = ceil(log(self.size / budget, 1 / STEP_SAVES))
            return min(steps + more, COARSEST)
        finer = self._largest / STEP_SAVES
        if steps and since >= FINER_SOON and finer < _MUCH_ROOM * budget:
            return steps - 1
        if not steps or since < FINER_AFTER:
            return steps
        self._changed_at, self._largest = now, self.size
        return steps - (finer < _ROOM * budget)
