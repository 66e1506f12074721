"""What one viewer is owed: the picture it holds, compared with the display's.

Moves come first, in order, then a region of pixels: the order in which a
FramebufferUpdate is drawn.  Damage merges, so a slow viewer costs memory by
area, not by time.
"""

from __future__ import annotations

from typing import Optional, Sequence

from kasmd.screen.geometry import Move, Rect, bounding
from kasmd.screen.region import EMPTY, Region

#: Moves kept before more of them are owed as pixels instead.
MAX_MOVES = 16
#: Rectangles kept before the owed region is coarsened.
MAX_RECTANGLES = 128


class Owed:
    """The difference between what a viewer shows and what the display shows.

    ``region`` is what the viewer shows wrongly once it has made ``moves``.
    """

    def __init__(self) -> None:
        self.region = Region()
        self.moves: list[Move] = []

    def __bool__(self) -> bool:
        return bool(self.region) or bool(self.moves)

    def changed(self, region: Region, moves: Sequence[Move], copying: bool) -> None:
        """Note a change of the display; ``copying`` says whether moves may be sent."""
        for move in moves:
            if copying and len(self.moves) < MAX_MOVES:
                self._moved(move)
            else:
                region = region.union(Region([move.target]))
        self.region = self.region.union(region).coarsened(MAX_RECTANGLES)

    def _moved(self, move: Move) -> None:
        # A stale pixel is copied stale; a right one makes its target right.
        if self.region:
            stale = self.region.intersect(Region([move.source])).translate(move.dx, move.dy)
            self.region = self.region.subtract(Region([move.target])).union(stale)
        self.moves.append(move)

    def everything(self, width: int, height: int) -> None:
        """Owe the whole picture of a display of this size."""
        self.moves.clear()
        self.region = Region([Rect(0, 0, width, height)])

    def forget_moves(self) -> None:
        """Owe pixels where moves were owed, as to one who cannot make them."""
        self.region = self.region.union(Region(move.target for move in self.moves))
        self.moves.clear()

    def take_moves(self) -> tuple[Move, ...]:
        """Hand over the moves, which are then the viewer's to make."""
        moves = tuple(self.moves)
        self.moves.clear()
        return moves

    def within(self, area: Rect) -> Region:
        """Give the part of the region that lies in ``area``."""
        return self.region.intersect(Region([area]))

    def sent(self, rects: Sequence[Rect]) -> None:
        """The viewer gets ``rects`` as they are now."""
        if tuple(rects) == self.region.rects:
            self.region = EMPTY
        elif rects:
            self.region = self.region.subtract(Region(rects))


class Wish:
    """What a viewer asked to be sent (RFC 6143 section 7.5.3, continuous updates).

    A request is answered once; continuous updates are a standing request.
    """

    def __init__(self) -> None:
        self._asked: Optional[Rect] = None
        self._standing: Optional[Rect] = None

    @property
    def continuous(self) -> bool:
        """Tell whether updates are sent without being asked for."""
        return self._standing is not None

    @property
    def area(self) -> Optional[Rect]:
        """Where updates are welcome now, or None while they are not."""
        return self._asked or self._standing

    def requested(self, rect: Rect, incremental: bool) -> None:
        """A FramebufferUpdateRequest came, ``rect`` inside the display."""
        if incremental and self.continuous:
            return
        self._asked = bounding(self._asked, rect)

    def continuous_set(self, rect: Optional[Rect]) -> None:
        """EnableContinuousUpdates came; None is off."""
        self._standing = rect

    def resized(self, width: int, height: int) -> None:
        """The display has a new size: what was asked for is clipped to it."""
        screen = Rect(0, 0, width, height)
        if self._asked is not None:
            self._asked = self._asked.intersection(screen) or screen
        if self._standing is not None:
            self._standing = screen

    def answered(self) -> None:
        """An update is begun: the request is spent."""
        self._asked = None
