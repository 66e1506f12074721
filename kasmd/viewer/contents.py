"""What one viewer's next update is to hold, and how each part of it goes.

First what changed, and of that, over a thin link, what is no film: a key press is
seen before the next picture of a film.  What is too much for the link goes in
parts, in turn, so that none is forgotten; but small news goes first, every other
time at least: a key press is seen before the rest of a text that scrolled by.
Where nothing changed, what was sent with loss is refined.  A film's place is known
from `Motion`; what else shows films (a stream of video) takes its part of what is
owed before this does.
"""

from __future__ import annotations

from math import inf
from typing import Optional, Sequence

from kasmd.codec.base import TIGHT
from kasmd.codec.pieces import STREAMED, pieces_of, texts_of
from kasmd.rfb.capabilities import Capabilities
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.pixels import PixelFormat
from kasmd.screen.region import EMPTY, Region
from kasmd.viewer import shrink
from kasmd.viewer.motion import Motion
from kasmd.viewer.parts import BLOCK, next_of, pixels_of, smallest_of
from kasmd.viewer.quality import LEAST_OF_FILM, Kind, Quality, Room, Rules, Way
from kasmd.viewer.refine import Refinement
from kasmd.viewer.update import Piece
from kasmd.viewer.updates import MAX_RECTANGLES, Owed
from kasmd.viewer.videomode import VideoMode

#: Pixels refined at once: what changes meanwhile does not wait long.
_REFINED_AT_ONCE = 1 << 17
#: After a change of so many pixels, and moves, nothing is refined for so many seconds.
_STIR, _QUIET = 4096, 0.1
#: Seconds without a change after which a film has ended.
_FILM_ENDS = 0.6
#: What is smaller than the rest by so many times does not count in what that costs.
_NEGLIGIBLE = 8
#: Small news has so many pixels, or half of what may go.
_SMALL = 1024
#: Pixels of a piece that goes as it is, however dear: it continues a stream.
_STREAMED = 1 << 14
#: An update may cost so many times what it should before it goes in parts: a film whose
#: pictures come in parts is torn.
_TOO_MUCH = {Kind.STILL: 2, Kind.FILM: 3}
#: A change of a film's place is a picture of it, not news in it, from one in so many pixels on.
_PICTURE = 4


class Contents:
    """What a viewer is owed, and was sent; times are seconds."""

    def __init__(self, rules: Rules, motion: Motion, width: int, height: int) -> None:
        self.owed = Owed()
        self.quality = Quality(rules)
        self.refinement = Refinement()
        #: Where Kasm's client scales: how large a picture may be in video mode.
        self.max_resolution = rules.max_resolution
        self._rules = rules
        self._motion = motion
        self._size = width, height
        self._video: Optional[VideoMode] = None
        self._scaling: Optional[int] = None
        self._film_waits = False
        self._played_at = -inf
        #: What the film's last picture changed.
        self._picture = EMPTY
        #: Much moved that is no film: refining can wait until then.
        self._stirs_until = -inf
        #: The row and column where what was sent in turn last ends.
        self._place = 0, 0
        #: Around the last plan if any number of bytes was: where it is ended, the next goes on.
        self._unbounded: Optional[Rect] = None
        #: What changed since the last plan, and whether that put off all but small news.
        self._news = EMPTY
        self._rest_waits = False
        #: What the last plan is of, if of one kind: what it costs tells of the next.
        self._planned: Optional[tuple[Kind, Way, int]] = None
        #: How many rectangles of it left with loss.
        self._lossy = 0
        self.owed.everything(width, height)

    def serve(self, can: Capabilities, pixel_format: PixelFormat, scales: bool) -> None:
        """The viewer can do this; ``scales`` where it shows a smaller picture larger."""
        self.quality.serve(can, pixel_format)
        self._video = self._scaling = None
        if scales and self.quality.levels and can.preferred == TIGHT:
            self._video = VideoMode(self._rules, can.kasm)
            asked = can.kasm.video_scaling
            self._scaling = self._rules.scaling if asked is None else asked
        if not can.copy_rect:
            self.owed.forget_moves()

    def everything(self, width: int, height: int) -> None:
        """Owe all of a picture of this size."""
        self._size = width, height
        self.owed.everything(width, height)
        self.refinement.clear()

    def changed(self, region: Region, moves: Sequence[Move], copying: bool, now: float) -> None:
        """The display shows something else; ``copying`` says whether moves may be sent."""
        self.owed.changed(region, moves, copying)
        self.refinement.moved(moves)
        film, bounds, news = self._motion.film, region.bounds, region
        if film is None:
            self._picture = EMPTY
        if film is not None and bounds is not None and film.intersection(bounds):
            self._played_at = now
            news = self._news_in(film, region)
        elif region.area >= _STIR or moves:
            self._stirs_until = now + _QUIET
        self._news = self._news.union(news).coarsened(MAX_RECTANGLES)
        if self._video is not None:
            self._video.changed(region, self._size[0] * self._size[1], now)

    def sent(self, shown: Sequence[Rect], lossy: Sequence[Rect], counting: bool) -> None:
        """The viewer gets ``shown``; unless ``counting``, it is owed all the same."""
        self._lossy += len(lossy)
        if self._unbounded is not None and shown:
            last = shown[-1]
            ended = last.right == self._unbounded.right
            self._place = (last.bottom, 0) if ended else (last.y, last.right)
        if counting:
            self.owed.sent(shown)
        if self.quality.refines:
            self.refinement.sent(shown, lossy)

    def owe_again(self, shown: Sequence[Rect]) -> None:
        """What was taken for sent did not leave."""
        there = Region([Rect(0, 0, *self._size)])
        self.owed.changed(Region(shown).intersect(there), (), False)

    def streamed(self, shown: Sequence[Rect], lossy: Sequence[Rect]) -> None:
        """The viewer gets a picture of a stream of ``lossy``; ``shown`` is not owed any more."""
        self.owed.sent(shown)
        if lossy:
            self.refinement.sent(lossy, lossy)

    def cost(self, size: int, share: float = 1.0) -> None:
        """This ``share`` of what was planned last took so many bytes."""
        if self._planned is not None:
            kind, way, area = self._planned
            self.quality.learn(kind, way, round(area * share), size, self._lossy)

    def plan(self, owed: Region, budget: Optional[int], rate: float, now: float) -> list[Piece]:
        """Give what to send of what is ``owed``, in about ``budget`` bytes (None: any number).

        ``rate`` is the link's, in bytes a second, 0 if it is not known.
        """
        self._planned, self._lossy = None, 0
        if not owed:
            return []
        if self._video is not None and self._video.on(now):
            return self._shrunk(owed, budget, rate)
        playing = self._playing(now)
        film = owed.intersect(Region([playing])) if playing else EMPTY
        if not film:
            self._film_waits = False
            return self._pieces(Kind.STILL, owed, budget, rate)
        still = owed.subtract(film)
        long = self._is_long(film, budget, rate)
        if long:
            urgent = smallest_of(self._news.intersect(film), Room(_SMALL))
            film, still = film.subtract(urgent), still.union(urgent)
        if still and long:
            self._film_waits = not self._film_waits
            if self._film_waits:
                return self._pieces(Kind.STILL, still, budget, rate)
            still = smallest_of(self._news.intersect(still), Room(_SMALL))
        else:
            self._film_waits = False
        pieces = self._pieces(Kind.STILL, still, budget, rate) if still else []
        pieces += self._pieces(Kind.FILM, film, budget, rate)
        if still.area * _NEGLIGIBLE > film.area:
            self._planned = None
        return pieces

    def refining(self, area: Rect, budget: Optional[int], rate: float, now: float
                 ) -> list[Piece]:
        """Give what to refine of ``area``, where nothing is owed."""
        self._planned, self._lossy = None, 0
        ripe = self._ripe(now).intersect(Region([area]))
        if not ripe:
            return []
        way = self.quality.way(Kind.REFINED, ripe.area, budget, rate)
        room = self.quality.room(Kind.REFINED, way, budget) or Room(_REFINED_AT_ONCE)
        room = room._replace(pixels=min(room.pixels, _REFINED_AT_ONCE))
        part, self._place = next_of(ripe, self._place, room)
        return self._cut(Kind.REFINED, way, part, budget)

    def ripen(self, now: float, half: float) -> Optional[float]:
        """Let time go by; give the seconds until more may be refined, None if no more will."""
        wait = self.refinement.ripen(now, half)
        if not self.refinement.ripened:
            return wait
        if now < self._stirs_until:
            return self._stirs_until - now
        return wait if self._ripe(now) else _FILM_ENDS

    def due(self, now: float) -> bool:
        """Tell whether there may be something to refine."""
        return bool(self._ripe(now))

    def _playing(self, now: float) -> Optional[Rect]:
        """Give where a film plays, for one who bears losses there."""
        if self.quality.levels is None or now - self._played_at > _FILM_ENDS:
            return None
        return self._motion.film

    def _news_in(self, film: Rect, region: Region) -> Region:
        """Give what of a change is no part of the next picture of a film."""
        if region.rects == self._picture.rects:
            return EMPTY
        picture = region.intersect(Region([film]))
        if picture.area * _PICTURE < film.area:
            return region
        before, self._picture = self._picture, picture
        if not before:
            # It was no film as yet when it was noted.
            self._news = self._news.subtract(picture)
            return region.subtract(picture)
        return region.subtract(before)

    def _is_long(self, film: Region, budget: Optional[int], rate: float) -> bool:
        """Tell whether a picture of a film may keep the link busy for a good while."""
        if budget is None:
            return False
        way = self.quality.way(Kind.FILM, film.area, budget, rate)
        room = self.quality.room(Kind.FILM, way, budget)
        return room is None or film.area * 2 > room.pixels

    def _ripe(self, now: float) -> Region:
        if now < self._stirs_until or not self.refinement.ripened:
            return EMPTY
        if self._video is not None and self._video.on(now):
            return EMPTY
        ripe = self.refinement.ripe
        playing = self._playing(now)
        return ripe.subtract(Region([playing])) if playing else ripe

    def _pieces(self, kind: Kind, region: Region, budget: Optional[int], rate: float
                ) -> list[Piece]:
        way = self.quality.way(kind, region.area, budget, rate)
        room = self.quality.room(kind, way, budget)
        self._unbounded = region.bounds if room is None else None
        if room is not None and pixels_of(region.rects, room) > _TOO_MUCH[kind] * room.pixels:
            if kind is Kind.FILM and budget is not None:
                room = self.quality.room(kind, way, max(budget, LEAST_OF_FILM)) or room
            region = self._part(kind, region, room)
        self._news = EMPTY if room is None else self._news.subtract(region)
        return self._cut(kind, way, region, budget)

    def _part(self, kind: Kind, region: Region, room: Room) -> Region:
        """Give what there is room for: small news, or that and the next of the rest."""
        small, step = EMPTY, BLOCK if kind is Kind.FILM else 1
        if kind is Kind.STILL:
            few = room._replace(pixels=max(_SMALL, room.pixels // 2))
            small = smallest_of(self._news.intersect(region), few)
            self._rest_waits = bool(small) and not self._rest_waits
            if self._rest_waits:
                return small
        left = room._replace(pixels=room.pixels - pixels_of(small.rects, room))
        part, self._place = next_of(region.subtract(small), self._place, left, step)
        return small.union(part)

    def _cut(self, kind: Kind, way: Way, region: Region, budget: Optional[int]) -> list[Piece]:
        """Give the pieces of ``region``."""
        self._planned = kind, way, region.area
        most = None
        if budget is not None and way.parameters.encoding in STREAMED:
            most = max(_STREAMED, budget)
        parameters = way.parameters
        if parameters.columns and not parameters.single and len(region.rects) > 1:
            texts = texts_of(region, parameters, most)
            return [Piece(rect, parameters, None, lines) for rect, lines in texts]
        return [Piece(rect, parameters) for rect in pieces_of(region, parameters, most)]

    def _shrunk(self, owed: Region, budget: Optional[int], rate: float) -> list[Piece]:
        """Give what changed, all of it, as KasmVNC's video mode has it."""
        bounds = owed.bounds
        scale = shrink.scale_for(self._size, self.max_resolution)
        assert bounds is not None and self._scaling is not None
        way = self.quality.way(Kind.FILM, round(bounds.area * scale * scale), budget, rate)
        self._planned = Kind.FILM, way, round(bounds.area * scale * scale)
        if scale == 1:
            region = Region([bounds])
            return [Piece(rect, way.parameters) for rect in pieces_of(region, way.parameters)]
        rows = max(16, shrink.PIXELS // bounds.width)
        return [
            Piece(bounds._replace(y=y, height=min(rows, bounds.bottom - y)), way.parameters,
                  (scale, self._scaling))
            for y in range(bounds.y, bounds.bottom, rows)
        ]
