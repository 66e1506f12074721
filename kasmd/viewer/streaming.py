"""The parts of one viewer's picture that come as video.

What the viewer is owed there waits for a picture of a stream, which shows it
together with all around it; the rest of the screen goes as images.  An area in
which little changed for a while rests: it goes as images, too, until much does.
Images have no least size: over a link on which a picture of the stream takes long,
they are what is sent, and where it takes a while what changed beside it goes first.
"""

from __future__ import annotations

from math import inf
from typing import Callable, NamedTuple, Optional, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kasmd.codec import h264, kasmvideo
from kasmd.codec.base import OPEN_H264, Rectangle
from kasmd.codec.compact import TooLong
from kasmd.codec.kasmvideo import MODES
from kasmd.codec.quality import video_quality
from kasmd.codec.video import Codec, Unit, even
from kasmd.rfb import update as wire
from kasmd.rfb.capabilities import Capabilities
from kasmd.screen.framebuffer import Identity
from kasmd.screen.geometry import Move, Rect, Screen
from kasmd.screen.region import Region
from kasmd.viewer.motion import Motion
from kasmd.viewer.streams import Follower, Kind, Look, Streams, as_new

#: Seconds that a viewer which fell behind has no part in the others' stream, and that
#: one with a thin link has none in any.
ASIDE = 30.0
#: Bytes that a pixel of a picture is taken to have until one was sent, and the share of a
#: new picture in what is counted on.
_GUESS = 0.02
_SHARE = 0.3
#: A picture may have so many times the bytes that an update should have, and such a part
#: of them without letting others go first.
TOO_LONG = 6
_SHORT = 0.5
#: An area rests when in so many seconds never one in so many of its pixels changed at once.
RESTS_AFTER = 1.0
_MUCH = 16
#: A smaller screen comes as images: not every encoder takes it.
SMALLEST_SIDE = 16


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


class Taken(NamedTuple):
    """What may be sent: ``rectangles`` of the parts ``drawn``, all of them with loss.

    Of these, ``shown`` are then as new as the display.  What is owed in ``held``
    is no image's.  ``took`` is the seconds that encoding them took.
    """

    rectangles: list[bytes]
    drawn: list[Rect]
    shown: list[Rect]
    held: Region
    took: float = 0.0


#: Where nothing is video.
NOTHING = Taken([], [], [], Region())


class _Place:
    """One area of one viewer."""

    def __init__(self, area: Area, follower: Follower, wanted: Optional[Identity],
                 now: float) -> None:
        self.area = area
        self.follower = follower
        #: The picture that the viewer must be shown, or a later one.
        self.wanted = wanted
        #: Of what it was sent, the newest.
        self.newest: Optional[Identity] = None
        self.first = True
        self.moved_at = now
        #: The bytes that a picture is likely to have.
        self.size = self.guess
        #: Until when the link is too thin for it.
        self.images_until = -inf
        #: When it may join those who keep up again.
        self.aside_until: Optional[float] = None

    @property
    def rect(self) -> Rect:
        return self.area.kind.rect

    @property
    def guess(self) -> float:
        return self.rect.area * _GUESS

    def move_to(self, follower: Follower) -> None:
        """Have another place, in another stream."""
        self.follower.leave()
        self.follower = follower
        self.newest, self.first = None, True

    def drawn(self, unit: Unit) -> bytes:
        """Give a rectangle's bytes."""
        first, self.first = self.first, False
        self.size += _SHARE * (len(unit.data) - self.size)
        return wire.rectangle(*self.area.draw(unit, first))


class Streaming:
    """The areas that one viewer is shown as video; ``ready`` is called when one may go on."""

    _log = Logger()

    def __init__(self, streams: Streams, motion: Motion, look: Look,
                 ready: Callable[[], None], clock: IReactorTime,
                 screens: Sequence[Screen]) -> None:
        self._streams = streams
        self._motion = motion
        self._look = look
        self._ready = ready
        self._clock = clock
        self._can = Capabilities()
        self._jpeg_quality: Optional[int] = None
        self._screens = screens
        self._places: dict[Area, _Place] = {}
        #: Whether the last update went ahead of a picture.
        self._waited = False

    def __bool__(self) -> bool:
        return bool(self._places)

    def serve(self, can: Capabilities, jpeg_quality: Optional[int]) -> None:
        """The viewer can do this, and wants JPEG in this quality, if at all."""
        self._can, self._jpeg_quality = can, jpeg_quality
        self._choose()

    def resized(self, width: int, height: int, screens: Sequence[Screen]) -> None:
        """The display has another size or layout."""
        self._screens = screens
        self._motion.resized((width, height))
        self.close()
        self._choose()

    def changed(self, region: Region, moves: Sequence[Move]) -> None:
        """Note what the display shows anew."""
        self._choose()
        if not self._places:
            return
        region = region.union(Region(move.target for move in moves))
        for place in self._places.values():
            here = region.intersect(Region([place.rect])).area
            if here:
                place.wanted = self._now(place.rect)
            if here * _MUCH >= place.rect.area:
                place.moved_at = self._clock.seconds()

    def start_anew(self) -> None:
        """The viewer has lost its pictures, or says so: it needs key pictures."""
        for place in self._places.values():
            place.newest, place.wanted = None, self._now(place.rect)
            place.moved_at = self._clock.seconds()
            place.follower.start_anew()

    def prepare(self, owed: Region) -> None:
        """Have one picture made, where it is owed, that `take` will find."""
        for place in self._places.values():
            if (owed.intersect(Region([place.rect])) and not self._rests(place)
                    and not place.follower.waiting):
                place.follower.ask(self._look)

    def take(self, owed: Region, budget: Optional[int] = None) -> Taken:
        """Give what there is to send of what is ``owed``; have more made where that is old.

        An update should have about ``budget`` bytes (None: any number).
        """
        playing = [
            place for place in list(self._places.values())
            if owed.intersect(Region([place.rect])) and not self._rests(place)
            and not self._is_too_long(place, budget)
        ]
        self._waited = not self._waited and self._may_wait(playing, owed, budget)
        if self._waited:
            return NOTHING._replace(held=Region(place.rect for place in playing))
        rectangles: list[bytes] = []
        drawn: list[Rect] = []
        shown: list[Rect] = []
        held: list[Rect] = []
        took = 0.0
        for place in playing:
            if place.follower.stream.failed:
                self._drop(place.area)
            else:
                held.append(place.rect)
                self._keep_pace(place)
                pictures, seconds = self._pictures(place)
                rectangles += pictures
                took += seconds
                drawn += [place.rect] if pictures else []
                if as_new(place.newest, place.wanted):
                    shown.append(place.rect)
                else:
                    place.follower.ask(self._look)
        return Taken(rectangles, drawn, shown, Region(held), took)

    def close(self) -> None:
        """Follow no more streams."""
        self._show(())

    def _choose(self) -> None:
        film = self._motion.film
        self._show(areas_of(self._can, self._jpeg_quality, self._screens, film, self._streams))

    def _show(self, areas: Sequence[Area]) -> None:
        """Show these areas, as far as the streams go, and no others."""
        for area in [area for area in self._places if area not in areas]:
            self._drop(area)
        for area in areas:
            if area not in self._places:
                self._open(area)

    def _open(self, area: Area) -> None:
        follower = self._streams.follow(area.kind, self._ready)
        if follower is not None:
            wanted = self._now(area.kind.rect)
            self._places[area] = _Place(area, follower, wanted, self._clock.seconds())

    def _drop(self, area: Area) -> None:
        self._places.pop(area).follower.leave()

    def _keep_pace(self, place: _Place) -> None:
        """Have one who fell behind among others a stream at his own pace, for a while."""
        now, kind = self._clock.seconds(), place.area.kind
        if place.aside_until is None and place.follower.behind:
            aside = self._streams.follow(kind._replace(slow=True), self._ready)
            if aside is not None:
                place.move_to(aside)
                place.aside_until = now + ASIDE
        elif place.aside_until is not None and now >= place.aside_until:
            back = self._streams.follow(kind, self._ready)
            if back is not None:
                place.move_to(back)
                place.aside_until = None

    def _pictures(self, place: _Place) -> tuple[list[bytes], float]:
        """Give the rectangles of what is there for this viewer, and what encoding them took."""
        now = self._now(place.rect)
        place.wanted = place.wanted or now
        units = [] if now is None else place.follower.take(now)
        try:
            drawn = [place.drawn(shown.unit) for shown in units]
        except TooLong as error:
            self._log.warn("a picture is left out: {error}", error=error)
            place.follower.start_anew()
            return [], 0.0
        if units:
            place.newest = units[-1].identity
        return drawn, sum(shown.took for shown in units)

    def _is_too_long(self, place: _Place, budget: Optional[int]) -> bool:
        """Tell whether a picture keeps the link busy for too long, as one did of late."""
        now = self._clock.seconds()
        if now >= place.images_until and budget is not None and place.size > TOO_LONG * budget:
            place.size, place.images_until = place.guess, now + ASIDE
        return now < place.images_until

    def _may_wait(self, playing: Sequence[_Place], owed: Region, budget: Optional[int]) -> bool:
        """Tell whether pictures keep the link busy for a while, and there is more to be sent."""
        if budget is None or sum(place.size for place in playing) <= _SHORT * budget:
            return False
        return bool(owed.subtract(Region(place.rect for place in playing)))

    def _rests(self, place: _Place) -> bool:
        return self._clock.seconds() - place.moved_at > RESTS_AFTER

    def _now(self, rect: Rect) -> Optional[Identity]:
        seen = self._look(rect._replace(width=1, height=1))
        return None if seen is None else seen.identity


def areas_of(can: Capabilities, jpeg_quality: Optional[int], screens: Sequence[Screen],
             film: Optional[Rect], streams: Streams) -> list[Area]:
    """Give what a viewer that can do this is to be shown as video.

    The whole of each screen for one who chose one of `kasmvideo.MODES`, else the
    ``film`` that plays, for one who reads H.264 and bears losses.
    """
    mode = can.kasm.stream_mode
    if mode in streams.modes:
        asked = can.kasm.stream_quality
        quality = kasmvideo.quality_of(mode, streams.quality if asked is None else asked)
        gop = streams.gop if can.kasm.gop is None else can.kasm.gop
        return [
            Area(Kind(even(screen.rect), MODES[mode].codec, quality, gop), mode, number)
            for number, screen in enumerate(screens)
            if min(screen.width, screen.height) >= SMALLEST_SIDE
        ]
    if film is None or jpeg_quality is None or not can.open_h264:
        return []
    if Codec.H264 not in streams.encodings:
        return []
    return [Area(Kind(even(film), Codec.H264, video_quality(jpeg_quality), streams.gop))]
