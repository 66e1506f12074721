"""What one viewer was shown with loss, and is to be shown without once it stands still."""

from __future__ import annotations

from collections import defaultdict
from functools import reduce
from itertools import chain, repeat
from typing import Iterable, Iterator, NamedTuple, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from kasmd.codec.base import JPEG, TIGHT, Rectangle
from kasmd.screen.geometry import Move, Rect, area_of, bounding
from kasmd.screen.region import EMPTY, Region

#: The kinds of a Tight rectangle, the upper half of its first byte, that lose something.
_LOSSY_KINDS = frozenset({0x90, 0xB0})

#: A rest has two halves; what was sent during one is seen to the end of it.
_HALVES = 3
#: Rectangles of one age that are told apart.
_MAX_RECTANGLES = 64
#: Events noted, and pixels that they change, before it is found out what came of them:
#: that takes a few milliseconds at the most.
_MAX_EVENTS, _MAX_CHANGED = 160, 3 << 21
#: While a window is dragged so many of them are looked at for what is seen no more.
_LATEST = 3
#: What is lost is found in blocks of so many pixels a side.
_BLOCK = 16


def is_lossy(rectangle: Rectangle) -> bool:
    """Tell whether a rectangle does not show its pixels exactly."""
    if rectangle.encoding == TIGHT:
        return rectangle.payload[0] & 0xF0 in _LOSSY_KINDS
    return rectangle.encoding == JPEG


def rest(interval: float) -> float:
    """Give how long, in seconds, an area stands still before it is refined: KasmVNC's.

    ``interval`` is that of frames.
    """
    return 0.08 + 2 * interval


class _Event(NamedTuple):
    """``shown`` was sent, of that ``lossy`` with loss; or else something moved.

    What moves is ``lifted``, and comes down where ``laid``.  ``half`` is that of a rest,
    counted; ``pixels`` says how many are changed.
    """

    half: int
    pixels: int
    shown: Sequence[Rect] = ()
    lossy: Sequence[Rect] = ()
    lifted: Optional[Rect] = None
    laid: Optional[Rect] = None


class Refinement:
    """Areas with loss, by age: what is older than two halves of a rest may be refined.

    What happened is only noted, and what came of it found out when somebody asks: most of
    what moves is sent again before that.
    """

    def __init__(self) -> None:
        self._events: list[_Event] = []
        #: Where that is now which was lifted last: a window that is dragged is laid down
        #: when it stands, or when something is drawn over it.
        self._carried: Optional[Rect] = None
        #: Pixels changed by those of them of which it was not found out.
        self._changed = 0
        self._half = 0
        self._older_at: Optional[float] = None
        #: The half of a rest in which something was sent with loss last.
        self._last = -_HALVES
        #: What is ripe, where it was found out since more may be.
        self._ripe: Optional[Region] = None

    def __bool__(self) -> bool:
        return bool(self._events)

    @property
    def ripening(self) -> bool:
        """Tell whether time may make more ripe."""
        return bool(self._events) and self._last > self._half - _HALVES

    @property
    def ripened(self) -> bool:
        """Tell whether there may be something ripe, which is much cheaper than to find it."""
        return bool(self._events) and self._events[0].half <= self._half - _HALVES

    @property
    def ripe(self) -> Region:
        """What may be refined."""
        if not self.ripened:
            return EMPTY
        if self._ripe is None:
            self._settle()
            oldest = self._half - _HALVES
            ripe = (event.lossy for event in self._events if event.half <= oldest)
            self._ripe = Region(chain.from_iterable(ripe))
        return self._ripe

    def ripen(self, now: float, half: float) -> Optional[float]:
        """Let time go by; give the seconds until `ripe` may grow, None if it will not.

        ``half`` is that of a rest, in seconds.
        """
        if self._older_at is None:
            self._older_at = now + half
        while self.ripening:
            if now < self._older_at:
                return self._older_at - now + (self._halves_left() - 1) * half
            self._half += 1
            self._ripe = None
            self._older_at += half
        self._older_at = None
        return None

    def _halves_left(self) -> int:
        """Give after how many more halves more may be ripe, of what is ripening."""
        oldest = self._half - _HALVES
        halves = (event.half for event in self._events if event.half > oldest)
        # What was sent with loss last may be hidden by now.
        return next(halves, self._last) - oldest

    def moved(self, moves: Sequence[Move]) -> None:
        """What is moved takes its losses along."""
        if self._events and moves:
            self._ripe = None
            for move in moves:
                self._carry(move.source, move.target)
            self._keep_few()

    def sent(self, shown: Sequence[Rect], lossy: Sequence[Rect]) -> None:
        """The viewer gets ``shown``, and ``lossy`` of it with loss."""
        if not (lossy or self._events):
            return
        if lossy:
            self._last = self._half
        if self._ripe is not None:
            self._ripe = self._ripe.subtract(Region(shown))
        if self._carried and any(map(self._carried.intersection, shown)):
            self._lay()
        self._drop_hidden(shown)
        self._note(_Event(self._half, area_of(shown), shown, lossy))
        self._keep_few()
        refined = self._ripe is not None and not (self._ripe or self.ripening)
        if refined or not (lossy or any(event.lossy for event in self._events)):
            self.clear()

    def clear(self) -> None:
        """All is sent anew."""
        self._events.clear()
        self._carried = None
        self._changed = 0
        self._ripe = None

    def _note(self, event: _Event) -> None:
        self._events.append(event)
        self._changed += event.pixels

    def _keep_few(self) -> None:
        if len(self._events) > _MAX_EVENTS or self._changed > _MAX_CHANGED:
            self._settle()

    def _carry(self, source: Rect, target: Rect) -> None:
        if source != self._carried:
            self._lay()
            self._note(_Event(self._half, source.area, lifted=source))
        elif left := source.without(target):
            # What it leaves there is nearly always sent at once; if not, it is refined.
            self._note(_Event(self._half, area_of(left), left, left))
        self._carried = target

    def _lay(self) -> None:
        if self._carried:
            self._note(_Event(self._half, self._carried.area, laid=self._carried))
            self._carried = None

    def _drop_hidden(self, shown: Sequence[Rect]) -> None:
        """Forget what nothing is seen of any more, and was not moved since."""
        latest = len(self._events) - 1
        first = max(0, latest - _LATEST) if self._carried else 0
        for number in range(latest, first - 1, -1):
            event = self._events[number]
            if event.lifted or event.laid:
                break
            if event.shown == shown or _hide(shown, (*event.shown, *event.lossy)):
                self._changed = max(0, self._changed - event.pixels)
                del self._events[number]

    def _settle(self) -> None:
        """Find out what came of the events, and note that instead of them."""
        self._lay()
        self._changed, oldest = 0, self._half - _HALVES
        touched = chain.from_iterable(map(_touched, self._events))
        ages = _Ages(reduce(bounding, touched, None) or Rect(0, 0, _BLOCK, _BLOCK))
        for event in self._events:
            ages.change(event, max(event.half - oldest, 0))
        found = ages.rects()
        self._events = [
            _Event(oldest + age, 0, lossy=rects) for age, rects in enumerate(found) if rects
        ]
        self._last = max([event.half for event in self._events], default=oldest)


class _Ages:
    """The pixels in ``bounds``: 0 where nothing is lost, else the bit of its age.

    Ages are 0 to `_HALVES`, the higher, the younger.
    """

    def __init__(self, bounds: Rect) -> None:
        self._bounds = bounds
        #: All that is lost is in here.
        self._lost: Optional[Rect] = None
        self._lifted: Optional[NDArray[np.uint8]] = None
        self._left, self._top = bounds.x // _BLOCK * _BLOCK, bounds.y // _BLOCK * _BLOCK
        columns = -((self._left - bounds.right) // _BLOCK)
        rows = -((self._top - bounds.bottom) // _BLOCK)
        self._pixels = np.zeros((rows * _BLOCK, columns * _BLOCK), np.uint8)

    def change(self, event: _Event, age: int) -> None:
        """Do to the pixels what an event does to them; what moves keeps its age."""
        if event.lifted:
            lost = self._lost and self._lost.intersection(event.lifted)
            self._lifted = self._part(event.lifted).copy() if lost else None
        if event.laid:
            self._lay(event.laid)
        for rect in event.shown:
            if rect not in event.lossy:
                self._find(rect)
        for rect in event.lossy:
            self._part(rect)[...] = 1 << age
            self._lost = bounding(self._lost, rect)

    def _lay(self, rect: Rect) -> None:
        """Put down what was lifted."""
        if self._lifted is None:
            self._find(rect)
        else:
            self._part(rect)[...] = self._lifted
            self._lost = bounding(self._lost, rect)

    def rects(self) -> list[Sequence[Rect]]:
        """Give what is lost of each age, in blocks that have the age of their youngest pixel."""
        blocks = self._blocks()
        ages = (blocks >> age == 1 for age in range(_HALVES + 1))
        return [self._around(of_age) if of_age.any() else () for of_age in ages]

    def _blocks(self) -> NDArray[np.uint8]:
        """Give the bits of all ages that are in each block of pixels."""
        height, width = self._pixels.shape
        eights = self._pixels.view(np.uint64).reshape(-1, _BLOCK, width // 8)
        rows = np.bitwise_or.reduce(eights, axis=1)
        halves = rows.view(np.uint8).reshape(height // _BLOCK, width // _BLOCK, _BLOCK)
        blocks: NDArray[np.uint8] = np.bitwise_or.reduce(halves, axis=2)
        return blocks

    def _around(self, blocks: NDArray[np.bool_], side: int = _BLOCK) -> Sequence[Rect]:
        """Give where these blocks are, put together, or larger ones if those are too many."""
        changes = np.nonzero(np.diff(blocks, axis=1, prepend=False, append=False))
        if len(changes[0]) <= 8 * _MAX_RECTANGLES:
            edges: dict[int, list[int]] = defaultdict(list)
            for row, column in np.transpose(changes).tolist():
                edges[self._top + row * side].append(self._left + column * side)
            region = Region.of_rows((top, top + side, tuple(row)) for top, row in edges.items())
            if len(region.rects) <= _MAX_RECTANGLES:
                return region.intersect(Region([self._bounds])).rects
        return self._around(_halved(_halved(blocks).T).T, 2 * side)

    def _find(self, rect: Rect) -> None:
        """Nothing is lost in ``rect`` any more."""
        part = self._lost and self._lost.intersection(rect)
        if part:
            self._part(part)[...] = 0

    def _part(self, rect: Rect) -> NDArray[np.uint8]:
        x, y = rect.x - self._left, rect.y - self._top
        return self._pixels[y:y + rect.height, x:x + rect.width]


def _halved(rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Put every other row together with the one before."""
    halved = rows[::2].copy()
    halved[:len(rows) // 2] |= rows[1::2]
    return halved


def _touched(event: _Event) -> Iterator[Rect]:
    """Give where an event takes losses from, or brings some."""
    if event.lifted:
        yield event.lifted
    if event.laid:
        yield event.laid
    yield from event.lossy


def _hide(shown: Sequence[Rect], rects: Iterable[Rect]) -> bool:
    """Tell whether each of ``rects`` is inside one of those ``shown``."""
    for rect in rects:
        if not any(map(Rect.contains, shown, repeat(rect))):
            return False
    return True
