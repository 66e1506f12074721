"""The picture as the display holds it, and immutable copies of its parts."""

from __future__ import annotations

from typing import Iterable, NamedTuple, Optional, Sequence

import numpy as np

from kasmd.screen.changes import FEW_ROWS, Change, Changes, News, both_inside, shown_at
from kasmd.screen.damage import COLOUR, is_searched, shows
from kasmd.screen.geometry import Move, Rect, area_of, bounding
from kasmd.screen.layers import Layers
from kasmd.screen.pixels import Pixels, as_values
from kasmd.screen.region import EMPTY, Region
from kasmd.screen.steps import Steps, finished

#: What moved as a hint says is known by one row in so many, by others each time.
_EVERY = 8
#: So few pixels are copied before they are compared.
_FEW = 1 << 13
#: So many pixels, as 1920 x 1080 has, are taken in one step.
AT_ONCE = 1 << 21

#: Pixels of anybody's, and where they are.
Patches = Sequence[tuple[Rect, Pixels]]


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


class Framebuffer:
    """A picture of ``width`` x ``height``, black at first; the byte without meaning is 0."""

    def __init__(self, width: int, height: int) -> None:
        self.bounds = Rect(0, 0, width, height)
        self._layers = Layers(width, height)
        self._changes = Changes(self._layers)
        #: What moved, and was not compared whole since: to be given anew before long.
        self.doubtful: Optional[Rect] = None
        self._first_row = 0

    @property
    def pixels(self) -> Pixels:
        """The whole picture."""
        return self._layers.part(self.bounds)

    def copy(self, rect: Rect) -> Pixels:
        """Give contiguous pixels of ``rect`` that nobody will write to (ValueError outside)."""
        self._check(rect)
        pixels = self._layers.part(rect)
        if pixels.flags.writeable or not pixels.flags.c_contiguous:
            pixels = pixels.copy()
            pixels.flags.writeable = False
        return pixels

    def update(self, patches: Patches, hints: Sequence[Move] = ()) -> Change:
        """Put ``patches`` in, the later over the earlier, and tell what truly changed.

        ``hints`` are moves that may have been made, such as those of windows.  No array
        is kept, and of each pixel one reading counts: where an X server keeps its screen,
        it may draw meanwhile.  A patch outside the picture, or not of its rectangle's
        shape, is a ValueError, and nothing is changed.
        """
        return finished(self.updating(patches, hints))

    def updating(self, patches: Patches, hints: Sequence[Move] = ()) -> Steps[Change]:
        """Do as `update` does, in steps where ``patches`` have more than `AT_ONCE`.

        They are read in the first step, and the picture is as it was until the last.
        Nothing else may change it in between.
        """
        self._check_all(patches)
        if len(patches) == 1 and not hints and not is_searched(patches[0][0]):
            return self._drawn(patches)
        inside = [
            hint._replace(target=target) for hint in hints
            if (target := both_inside(hint, self.bounds)) is not None
        ]
        steps = self._updating(patches, inside)
        if area_of(rect for rect, _ in patches) > AT_ONCE:
            return (yield from steps)
        return finished(steps)

    def draw(self, patches: Patches) -> Change:
        """Do as `update`, but tell all of each patch that changes anything: that is quicker."""
        self._check_all(patches)
        return self._drawn(patches)

    def move(self, move: Move) -> None:
        """Copy pixels from one place to another, which may overlap (ValueError outside)."""
        source, target = move.source, move.target
        self._check(source)
        self._check(target)
        self._layers.move(source, target)

    def _updating(self, patches: Patches, hints: Sequence[Move]) -> Steps[Change]:
        change = (yield from self._followed(patches, hints)) if hints else None
        if change is None:
            news = _read(patches)
            yield
            change = yield from self._found(news, hints)
        return change

    def _drawn(self, patches: Patches) -> Change:
        changed = [rect for rect, pixels in patches if rect.area and self._draws(rect, pixels)]
        self._trust(rect for rect, _ in patches)
        return Change(Region(changed), ())

    def _draws(self, rect: Rect, pixels: Pixels) -> bool:
        """Draw a patch, and tell whether that changes anything."""
        given, old = as_values(pixels), self._layers.values(rect)
        if rect.area > _FEW and shows(given, old):
            return False
        new = np.bitwise_and(given, COLOUR)
        if rect.area <= _FEW and new.tobytes() == old.tobytes():
            return False
        self._layers.draw(rect, new)
        return True

    def _check(self, rect: Rect) -> None:
        if not self.bounds.contains(rect) or rect.width < 0 or rect.height < 0:
            raise ValueError(f"{rect} is not inside {self.bounds}")

    def _check_all(self, patches: Patches) -> None:
        for rect, pixels in patches:
            self._check(rect)
            if pixels.shape != (rect.height, rect.width, 4):
                raise ValueError(f"pixels of shape {pixels.shape} for {rect}")

    def _followed(self, patches: Patches, hints: Sequence[Move]) -> Steps[Optional[Change]]:
        """Move what moved as a hint says, if some rows of it did: only the rest is copied."""
        for move in hints:
            source, target = move.source, move.target
            pixels = shown_at(target, patches)
            if pixels is None:
                continue
            old = self._layers.values(source)
            rows = self._some_rows(len(old))
            if shows(as_values(pixels)[rows], old[rows]) and self._changes.covers_other(move, old):
                news = _read([
                    (part, pixels[part.within(rect)])
                    for rect, pixels in patches for part in rect.without(target)
                ])
                yield
                # What it leaves behind is nearly always new.
                left = [rect for rect, _ in news if _is_mostly_in(rect, source)]
                others = [each for each in news if each[0] not in left]
                region = (yield from self._changes.differences(others)) if others else EMPTY
                redrawn = any([rect.contains(source) for rect, _ in patches])
                self._layers.move(source, target, redrawn)
                self._draw(news)
                known = None if self.doubtful == source else self.doubtful
                self.doubtful = bounding(known, target)
                return Change(Region(left).union(region), (move,))
        return None

    def _some_rows(self, height: int) -> slice:
        """Give the rows of a picture by which to know it, other ones than the last time."""
        every = max(1, min(_EVERY, height // FEW_ROWS))
        self._first_row += 1
        return slice(self._first_row % every, None, every)

    def _found(self, news: News, hints: Sequence[Move]) -> Steps[Change]:
        """Find out how the picture changed, and draw the news."""
        change = yield from self._changes.found(news, hints)
        yield
        self._trust(rect for rect, _ in news)
        if change.region or change.moves:
            self._draw(news)
        return change

    def _trust(self, given: Iterable[Rect]) -> None:
        """Doubt no more what was given whole."""
        if self.doubtful:
            self.doubtful = Region([self.doubtful]).subtract(Region(given)).bounds

    def _draw(self, news: News) -> None:
        for rect, new in news:
            self._layers.draw(rect, new)


def _is_mostly_in(rect: Rect, place: Rect) -> bool:
    both = rect.intersection(place)
    return both is not None and both.area * 8 >= rect.area * 7


def _read(patches: Patches) -> News:
    return [
        (rect, np.bitwise_and(as_values(pixels), COLOUR)) for rect, pixels in patches if rect.area
    ]
