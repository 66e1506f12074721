"""How a picture became another: what scrolled, what moved, which film goes on."""

from __future__ import annotations

from typing import NamedTuple, Optional, Sequence, TypeVar

from kasmd.screen.damage import (
    ALL_NEW,
    LEAST_SCROLL,
    differences,
    equal,
    moved_rows,
    scrolled_by,
    scrolls_on,
    unlike,
)
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.layers import Layers
from kasmd.screen.pixels import Pixels, Values
from kasmd.screen.region import Region
from kasmd.screen.steps import Steps

#: A scroll is sought where at least one in so many pixels of the bounds changed.
_SCROLL_SHARE = 4
#: A move is worth its rectangle where one in so many of its pixels changed.
_MOVE_SHARE = 8
#: Where an area was all new so many times, it is searched for scrolls only now and then:
#: each time after twice as many pictures, but once in so many.
_FILM = 3
_FILM_SEARCH = 64
#: A film that still is one, and that something moved, is known by so many rows.
FEW_ROWS = 16

#: What is to be drawn, and where.
News = Sequence[tuple[Rect, Values]]
Picture = TypeVar("Picture", Pixels, Values)


class Change(NamedTuple):
    """How a picture became another: first ``moves`` in order, then all of ``region``."""

    region: Region
    moves: tuple[Move, ...]


class Changes:
    """Compares news with what ``layers`` show; knows what scrolled, and where a film plays."""

    def __init__(self, layers: Layers) -> None:
        self._layers = layers
        #: What scrolled last, and how far.
        self._scroll: Optional[Move] = None
        self._film: Optional[Rect] = None
        self._frames = 0

    def found(self, news: News, hints: Sequence[Move]) -> Steps[Change]:
        """Find out how the picture changes by ``news``, which are not drawn yet.

        In each step the pixels of the bounds are looked at once, or about as many.
        """
        change = self._filmed(news, hints)
        if change is None and self._scroll:
            yield
            change = (yield from self._scrolled(news)) or (yield from self._scrolled_on(news))
        return change or (yield from self._compared(news, hints))

    def differences(self, news: News, moves: Sequence[Move] = ()) -> Steps[Region]:
        """Give what changed outside the targets of ``moves``."""
        changed: list[Rect] = []
        for rect, new in news:
            parts: Sequence[Rect] = [rect]
            for move in moves:
                parts = [left for part in parts for left in part.without(move.target)]
            for part in parts:
                there = new[part.within(rect)]
                found = differences(self._layers.values(part), there)
                changed += [each.moved(part.x, part.y) for each in found.rects]
                yield
        return Region(changed)

    def covers_other(self, move: Move, new: Values) -> bool:
        """Tell, by a few rows, whether anything changed in the target."""
        before, new = self._covered(move, new)
        every = -(-len(new) // FEW_ROWS)
        return any((before[row] != new[row]).any() for row in range(0, len(new), every))

    def _filmed(self, news: News, hints: Sequence[Move]) -> Optional[Change]:
        """Tell that a film goes on, if it does; a few of its rows are compared."""
        if self._frames < _FILM or _is_searched(self._frames + 1) or hints:
            return None
        if [rect for rect, _ in news] != [self._film]:
            return None
        rect, new = news[0]
        if rect != self._layers.place or unlike(self._layers.values(rect), new, FEW_ROWS) < ALL_NEW:
            return None
        self._frames += 1
        return Change(Region([rect]), ())

    def _scrolled(self, news: News) -> Steps[Optional[Change]]:
        """Tell that what scrolled before did so again, if all of it did.

        That is found out quickly: most of the picture is compared once, with where it was.
        """
        scroll = self._scrolling(news)
        target = scroll and both_inside(scroll, scroll.target)
        if scroll is None or target is None:
            return None
        rect, new = news[0]
        move = scroll._replace(target=target)
        old = self._layers.values(move.source)
        if not equal(old, new[target.within(rect)]) or not self._was_otherwise(move, old):
            return None
        yield
        return Change((yield from self.differences(news, [move])), (move,))

    def _was_otherwise(self, move: Move, new: Values) -> bool:
        """Tell, by a few rows, whether enough changed in the target for a move of all of it."""
        return unlike(*self._covered(move, new), FEW_ROWS) * _MOVE_SHARE >= 1

    def _covered(self, move: Move, new: Values) -> tuple[Values, Values]:
        """Give most of what was in the target, and what moved there of ``new``, its source.

        Where that lay on its new place, it is what was there, too.
        """
        target, source = move.target, move.source
        both = target.intersection(source)
        if both is None or both.area * 2 < target.area:
            return self._layers.values(target), new
        return new[both.within(source)], new[both.within(target)]

    def _scrolled_on(self, news: News) -> Steps[Optional[Change]]:
        """Tell how most of what scrolled before did so again, if it did."""
        scroll = self._scrolling(news)
        if scroll is None:
            return None
        rect, new = news[0]
        old, far = self._layers.values(rect), (scroll.dx, scroll.dy)
        if not scrolls_on(old, new, *far):
            return None
        moves = tuple(_moved(moved_rows(old, new, *far), rect))
        yield
        return Change((yield from self.differences(news, moves)), moves)

    def _scrolling(self, news: News) -> Optional[Move]:
        """Give how what changed scrolled when it did before, None if it did not."""
        scroll = self._scroll
        return scroll if scroll and [rect for rect, _ in news] == [scroll.target] else None

    def _compared(self, news: News, hints: Sequence[Move]) -> Steps[Change]:
        region = yield from self.differences(news)
        if not region:
            return Change(region, ())
        moves = (yield from self._hinted(region, news, hints)) if hints else ()
        if not moves:
            moves = yield from self._moves(region, news)
            self._scroll = None
            if moves and len(news) == 1:
                self._scroll = moves[0]._replace(target=news[0][0])
        return Change(region.subtract(Region(move.target for move in moves)), moves)

    def _hinted(self, region: Region, news: News, hints: Sequence[Move]) -> Steps[tuple[Move, ...]]:
        """Give what truly moved as the first hint says that is worth it."""
        for hint in hints:
            target = hint.target
            if not _is_worth(target, region):
                continue
            new = yield from self._patched(target, news)
            moved = _moved(moved_rows(self._layers.values(hint.source), new, 0, 0), target)
            yield
            if moved:
                widest = max(moved, key=lambda move: move.target.area)
                return (hint._replace(target=widest.target),)
        return ()

    def _moves(self, region: Region, news: News) -> Steps[tuple[Move, ...]]:
        """Find what scrolled, before the new pixels are put in."""
        bounds = region.bounds
        if bounds is None or min(bounds.width, bounds.height) < LEAST_SCROLL:
            return ()
        if region.area * _SCROLL_SHARE < bounds.area or self._is_film(region, bounds):
            return ()
        new = yield from self._patched(bounds, news)
        old = self._layers.values(bounds)
        far = scrolled_by(old, new)
        if not any(far):
            return ()
        yield
        moves = _moved(moved_rows(old, new, *far), bounds)
        kept = tuple(move for move in moves if _is_worth(move.target, region))
        if kept:
            self._film = None
        return kept

    def _is_film(self, region: Region, bounds: Rect) -> bool:
        """Tell whether to pass over the search: the same area was all new, unscrolled, before.

        It is searched again now and then, for a film may end and its place scroll.
        """
        if region.rects != (bounds,) or bounds != self._film:
            self._film, self._frames = bounds, 0
        self._frames += 1
        return not _is_searched(self._frames)

    def _patched(self, bounds: Rect, news: News) -> Steps[Values]:
        """Give what ``bounds`` will look like, copying only where it must."""
        all_of_it = shown_at(bounds, news)
        if all_of_it is not None:
            return all_of_it
        patched = self._layers.values(bounds).copy()
        yield
        for rect, new in news:
            part = rect.intersection(bounds)
            if part is not None:
                source = new[part.within(rect)]
                patched[part.within(bounds)] = source
                yield
        return patched


def shown_at(bounds: Rect, patches: Sequence[tuple[Rect, Picture]]) -> Optional[Picture]:
    """Give what ``bounds`` will look like if one patch shows all of it."""
    for rect, new in reversed(patches):
        if rect.contains(bounds):
            return new[bounds.within(rect)]
        if rect.intersection(bounds):
            break
    return None


def both_inside(move: Move, place: Rect) -> Optional[Rect]:
    """Give what of a move's target is in ``place`` and was there before."""
    target = move.target.intersection(place)
    return target and target.intersection(place.moved(move.dx, move.dy))


def _is_searched(frames: int) -> bool:
    """Tell whether so many pictures of a film are a reason to look whether it scrolled."""
    return frames <= _FILM or frames & frames - 1 == 0 or frames % _FILM_SEARCH == 0


def _is_worth(target: Rect, region: Region) -> bool:
    """Tell whether enough of ``target`` changed for a move to be worth its rectangle."""
    return region.intersect(Region([target])).area * _MOVE_SHARE >= target.area


def _moved(moves: Sequence[Move], place: Rect) -> list[Move]:
    return [
        move._replace(target=move.target.moved(place.x, place.y)) for move in moves
    ]
