"""The picture as the display holds it, and immutable copies of its parts."""

from __future__ import annotations

from typing import NamedTuple, Sequence

import numpy as np

from kasmd.screen.damage import COLOUR, LEAST_SCROLL, differences, moved_rows, scrolled_by
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.pixels import Pixels, Values, as_values
from kasmd.screen.region import Region

#: A patch of so many pixels that changed wholly so many times is compared
#: every so many times only; so many of them are remembered.
_VIDEO_PIXELS = 1 << 16
_VIDEO_AFTER = 8
_VIDEO_CHECK = 8
_VIDEO_RECTS = 16


class Identity(NamedTuple):
    """What makes two snapshots equal: the display, its frame, and the mask."""

    display: int
    frame: int
    mask: int = 0


class Snapshot(NamedTuple):
    """An immutable copy of ``rect`` of a display.

    Equal identity and rectangle mean equal pixels, so what is encoded for one
    viewer serves every viewer that wants the same.
    """

    identity: Identity
    rect: Rect
    pixels: Pixels


class Change(NamedTuple):
    """How a picture became another: first ``moves`` in order, then all of ``region``."""

    region: Region
    moves: tuple[Move, ...]


class Framebuffer:
    """A picture of ``width`` x ``height``, black at first; the byte without meaning is 0."""

    def __init__(self, width: int, height: int) -> None:
        self.bounds = Rect(0, 0, width, height)
        self.pixels: Pixels = np.zeros((height, width, 4), np.uint8)
        self._changed_wholly: dict[Rect, int] = {}

    def copy(self, rect: Rect) -> Pixels:
        """Give a contiguous copy of ``rect`` that nobody can write to (ValueError outside)."""
        pixels = self._part(rect).copy()
        pixels.flags.writeable = False
        return pixels

    def update(self, patches: Sequence[tuple[Rect, Pixels]]) -> Change:
        """Put ``patches`` in, the later over the earlier, and tell what truly changed.

        A large patch that changed wholly many times running is a video: it is
        compared only now and then, and believed in between.  A patch outside
        the picture, or not of its rectangle's shape, is a ValueError, and
        nothing is changed.
        """
        for rect, pixels in patches:
            if pixels.shape != self._part(rect).shape:
                raise ValueError(f"pixels of shape {pixels.shape} for {rect}")
        news = [(rect, as_values(pixels)) for rect, pixels in patches]
        believed = [rect for rect, _ in news if self._is_video(rect)]
        region = Region(believed)
        for rect, new in news:
            if rect not in believed:
                changed = differences(as_values(self._part(rect)), new)
                region = region.union(changed.translate(rect.x, rect.y))
        moves = () if believed else self._moves(region, news)
        for rect, new in news:
            np.bitwise_and(new, COLOUR, out=as_values(self._part(rect)))
        region = region.subtract(Region(move.target for move in moves))
        self._count_whole(region, [rect for rect, _ in news])
        return Change(region, moves)

    def _is_video(self, rect: Rect) -> bool:
        """Tell whether a patch is to be believed without comparing."""
        times = self._changed_wholly.get(rect, 0)
        return times >= _VIDEO_AFTER and times % _VIDEO_CHECK != 0

    def _count_whole(self, region: Region, rects: Sequence[Rect]) -> None:
        """Remember which large patches changed wholly, and how often running."""
        for rect in rects:
            whole = rect.area >= _VIDEO_PIXELS and not Region([rect]).subtract(region)
            times = self._changed_wholly.pop(rect, 0)
            if whole:
                self._changed_wholly[rect] = times + 1
        while len(self._changed_wholly) > _VIDEO_RECTS:
            del self._changed_wholly[next(iter(self._changed_wholly))]

    def _part(self, rect: Rect) -> Pixels:
        if not self.bounds.contains(rect) or rect.width < 0 or rect.height < 0:
            raise ValueError(f"{rect} is not inside {self.bounds}")
        return self.pixels[rect.y:rect.bottom, rect.x:rect.right]

    def _moves(self, region: Region, news: Sequence[tuple[Rect, Values]]) -> tuple[Move, ...]:
        """Find what scrolled, before the new pixels are put in."""
        bounds = region.bounds
        if bounds is None or min(bounds.width, bounds.height) < LEAST_SCROLL:
            return ()
        old = as_values(self._part(bounds))
        new = self._patched(bounds, news)
        dy = scrolled_by(old, new)
        moves = moved_rows(old, new, dy) if dy else []
        return tuple(
            Move(move.target.moved(bounds.x, bounds.y), 0, dy) for move in moves
        )

    def _patched(self, bounds: Rect, news: Sequence[tuple[Rect, Values]]) -> Values:
        """Give what ``bounds`` will look like, copying only where it must."""
        for rect, new in news[-1:]:
            if rect.contains(bounds):
                x, y = bounds.x - rect.x, bounds.y - rect.y
                return new[y:y + bounds.height, x:x + bounds.width]
        patched = as_values(self._part(bounds)).copy()
        for rect, new in news:
            part = rect.intersection(bounds)
            if part is not None:
                target = part.moved(-bounds.x, -bounds.y)
                source = part.moved(-rect.x, -rect.y)
                patched[_slices(target)] = new[_slices(source)]
        return patched


def _slices(rect: Rect) -> tuple[slice, slice]:
    return slice(rect.y, rect.bottom), slice(rect.x, rect.right)
