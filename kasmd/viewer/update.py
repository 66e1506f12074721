"""A FramebufferUpdate on its way to one viewer (RFC 6143 section 7.6.1).

It is cut into pieces that each take a few milliseconds to encode, and leaves
in slices: between them the reactor serves others, and the transport may ask for
a pause.  A piece is copied from the display when its turn comes, so what is
sent is never older than it must be, and a viewer that stalls holds no picture.
"""

from __future__ import annotations

from collections import deque
from itertools import chain
from typing import Callable, Hashable, NamedTuple, Optional, Sequence

import numpy as np

from kasmd.codec import choose
from kasmd.codec.base import Parameters, Rectangle
from kasmd.codec.deflate import ZlibStreams
from kasmd.codec.pieces import work_of
from kasmd.rfb import update as wire
from kasmd.screen.framebuffer import Identity, Snapshot
from kasmd.screen.geometry import Rect, area_of, cropped
from kasmd.viewer import shrink
from kasmd.viewer.refine import is_lossy
from kasmd.viewer.sharing import Encoded, Encodings

#: Gives the pixels of a rectangle, or None where they may not be seen.
Look = Callable[[Rect], Optional[Snapshot]]

#: Pixels of which no fewer go because they are dear.
_LEAST = 1024

#: What stands in for pixels that may not be seen, or that are gone: it must
#: not be taken for a picture of any display.
_NOTHING = Identity(-1, -1)
_LAST_RECT = wire.last_rect()


def unseen(rect: Rect) -> Optional[Snapshot]:
    """Give nothing: who looked has left."""
    return None


class Piece(NamedTuple):
    """A rectangle and how it goes; ``shrunk`` is by what its sides are multiplied, and how.

    Where it has ``lines``, they are what is to be shown of it (`pieces.texts_of`).
    """

    rect: Rect
    parameters: Parameters
    shrunk: Optional[tuple[float, int]] = None
    lines: tuple[Rect, ...] = ()

    @property
    def shown(self) -> tuple[Rect, ...]:
        """What it shows."""
        return self.lines or (self.rect,)

    def part(self, rect: Rect) -> Optional[Piece]:
        """Give what of it is in ``rect``, if anything is."""
        lines = cropped(self.lines, rect)
        return None if self.lines and not lines else self._replace(rect=rect, lines=lines)


class Slice(NamedTuple):
    """Part of an update: after it ``shown`` is as the display has it, but for ``lossy``."""

    data: bytes
    shown: list[Rect]
    lossy: tuple[Rect, ...] = ()


class Draft(NamedTuple):
    """A slice that is not encoded yet: ``pieces`` as they look, of which ``shown`` may be seen."""

    head: bytes
    pieces: Sequence[Piece]
    snapshots: Sequence[Snapshot]
    tail: bytes
    shown: list[Rect]
    #: Whether all may be seen, and any thread may encode it.
    whole: bool

    @property
    def key(self) -> Hashable:
        """What makes two of them equal once they are encoded."""
        seen = tuple([snapshot.identity for snapshot in self.snapshots])
        return self.head, seen, tuple(self.pieces), self.tail

    @property
    def area(self) -> int:
        """Pixels to encode."""
        return area_of(piece.rect for piece in self.pieces)

    def encode(self, streams: Optional[ZlibStreams] = None) -> Encoded:
        """Give its bytes; only the `STREAMED` need ``streams``."""
        rectangles: list[Rectangle] = []
        for piece, snapshot in zip(self.pieces, self.snapshots):
            rectangles += _drawn(piece, snapshot, streams)
        parts = chain.from_iterable([wire.parts(*each) for each in rectangles])
        data = b"".join((self.head, *parts, self.tail))
        return Encoded(data, tuple([each.rect for each in rectangles if is_lossy(each)]))


class Update:
    """What is left of one update; ``head`` is its header and first rectangles.

    ``streams`` are the viewer's own, for encodings that need them.
    """

    def __init__(self, head: bytes, pieces: Sequence[Piece], last_rect: bool,
                 encodings: Encodings, streams: Optional[ZlibStreams]) -> None:
        self._head = head
        self._pieces = pieces
        self._left = deque(pieces)
        self._last_rect = last_rect
        self._encodings = encodings
        self._streams = streams
        self._cut = False

    @property
    def done(self) -> bool:
        """Tell whether all was given out."""
        return not (self._left or self._head or self._cut)

    def cut(self) -> float:
        """Leave out what was not given out, where LastRect may end it; give what share was."""
        left = area_of(piece.rect for piece in self._left)
        if not self._last_rect or not left:
            return 1.0
        self._left.clear()
        self._cut = True
        return 1 - left / area_of(piece.rect for piece in self._pieces)

    def draft(self, look: Look) -> Draft:
        """Take the next part; `next_slice` or `slice_of` goes on with it, or else `put_back`."""
        return self._draft(look, self._take())

    def next_slice(self, look: Look, most: Optional[int] = None,
                   draft: Optional[Draft] = None) -> Slice:
        """Give the next part, or that of ``draft``, in ``most`` bytes if it can be so small."""
        draft = draft or self.draft(look)
        made = self._encoded(draft)
        while most is not None and len(made.data) > most:
            fewer = self._fewer(draft.pieces, most / len(made.data))
            if fewer is draft.pieces:
                break
            draft = self._draft(look, fewer)
            made = self._encoded(draft)
        return self.slice_of(draft, made)

    def slice_of(self, draft: Draft, made: Encoded) -> Slice:
        """Give the part that was taken as ``draft``."""
        self._head, self._cut = b"", False
        return Slice(made.data, draft.shown, made.lossy)

    def put_back(self, pieces: Sequence[Piece]) -> None:
        """Have ``pieces``, those of a draft, come next again."""
        self._left.extendleft(reversed(pieces))

    def _fewer(self, pieces: Sequence[Piece], share: float) -> Sequence[Piece]:
        """Keep about ``share`` of some pieces, or all where that cannot be."""
        if not pieces or not self._last_rect or self._streams is not None:
            return pieces
        kept = max(1, int(len(pieces) * share))
        if len(pieces) == 1 and pieces[0].shrunk is None:
            rect = pieces[0].rect
            rects = halved(rect, max(_LEAST, int(rect.area * share)))
            parts = [part for rect in rects if (part := pieces[0].part(rect))]
            pieces = parts if rects[1:] else pieces
        if len(pieces) == 1:
            return pieces
        self.put_back(pieces[kept:])
        return pieces[:kept]

    def _draft(self, look: Look, pieces: Sequence[Piece]) -> Draft:
        seen = [look(piece.rect) for piece in pieces]
        if self._last_rect and None in seen:
            # No pixel may follow, and none must: LastRect may come at any time.
            self._left.clear()
            pieces, seen = [], []
        shown = [
            rect for piece, snapshot in zip(pieces, seen) if snapshot for rect in piece.shown
        ]
        snapshots = [
            snapshot or _blank(piece.rect) for piece, snapshot in zip(pieces, seen)
        ]
        tail = _LAST_RECT if self._last_rect and not self._left else b""
        whole = self._streams is None and None not in seen
        return Draft(self._head, pieces, snapshots, tail, shown, whole)

    def _take(self) -> list[Piece]:
        if len(self._left) == 1:
            return [self._left.pop()]
        taken: list[Piece] = []
        work = 0.0
        while self._left:
            piece = self._left[0]
            work += work_of(piece.rect, piece.parameters)
            if taken and work > 1:
                break
            taken.append(self._left.popleft())
        return taken

    def _encoded(self, draft: Draft) -> Encoded:
        if self._streams is not None:
            return draft.encode(self._streams)
        return self._encodings.get(draft.key, draft.encode)


def halved(rect: Rect, most: int) -> list[Rect]:
    """Cut off halves until the first part has at most ``most`` pixels."""
    parts: list[Rect] = []
    while rect.area > most:
        if rect.width > rect.height:
            rest = rect._replace(x=rect.x + rect.width // 2, width=rect.width - rect.width // 2)
            rect = rect._replace(width=rect.width // 2)
        else:
            rest = rect._replace(y=rect.y + rect.height // 2, height=rect.height - rect.height // 2)
            rect = rect._replace(height=rect.height // 2)
        parts.append(rest)
    return [rect, *reversed(parts)]


def _drawn(piece: Piece, snapshot: Snapshot, streams: Optional[ZlibStreams]) -> list[Rectangle]:
    if piece.shrunk is not None:
        return [shrink.encode(snapshot.pixels, piece.rect, *piece.shrunk, piece.parameters)]
    return choose.encode(snapshot.pixels, piece.rect, piece.parameters, streams, piece.lines)


def _blank(rect: Rect) -> Snapshot:
    return Snapshot(_NOTHING, rect, np.zeros((rect.height, rect.width, 4), np.uint8))
