"""The parts of one viewer's picture that come as video.

What the viewer is owed there waits for a picture of a stream, which shows it
together with all around it; the rest of the screen goes as images.  An area in
which little changed for a while rests: it goes as images, too, until much does.
Images have no least size: over a link on which even a coarse picture of a stream takes
long, they are what is sent, and where it takes a while what changed beside it goes first.
"""

from __future__ import annotations

from typing import Callable, NamedTuple, Optional, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kasmd.codec import kasmvideo
from kasmd.codec.compact import TooLong
from kasmd.codec.kasmvideo import MODES
from kasmd.codec.quality import video_quality
from kasmd.codec.video import Codec, even
from kasmd.permission.callbacks import nobody
from kasmd.rfb.capabilities import Capabilities
from kasmd.screen.framebuffer import Identity
from kasmd.screen.geometry import Move, Rect, Screen
from kasmd.screen.region import Region
from kasmd.viewer.motion import Motion
from kasmd.viewer.place import Area, Place
from kasmd.viewer.stream import Kind, Look, as_new
from kasmd.viewer.streams import Streams
from kasmd.viewer.update import unseen

#: Pictures may have such a part of an update without letting others go first.
_SHORT = 0.5
#: An area rests when in so many seconds never one in so many of its pixels changed at once.
RESTS_AFTER = 1.0
_MUCH = 16
#: A smaller screen comes as images: not every encoder takes it.
SMALLEST_SIDE = 16


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
        self._places: dict[Area, Place] = {}
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
        self._show(())
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
        now = self._clock.seconds()
        playing = [
            place for place in list(self._places.values())
            if owed.intersect(Region([place.rect])) and not self._rests(place)
            and not place.has_images(budget, now)
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
            if place.follower.stream.over:
                self._drop(place.area)
            else:
                held.append(place.rect)
                self._keep_pace(place, budget)
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
        """Follow no more streams, and look at nothing more."""
        self._show(())
        self._look, self._ready = unseen, nobody

    def _choose(self) -> None:
        can, quality, film = self._can, self._jpeg_quality, self._motion.film
        follows = film is not None and can.open_h264 and quality is not None
        if (follows or can.kasm.stream_mode in MODES) and not self._streams.encoders.known:
            self._streams.encoders.look()
        areas = areas_of(can, quality, self._screens, film, self._streams)
        if areas or self._places:
            self._show(areas)

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
            self._places[area] = Place(area, follower, wanted, self._clock.seconds())

    def _drop(self, area: Area) -> None:
        self._places.pop(area).follower.leave()

    def _keep_pace(self, place: Place, budget: Optional[int]) -> None:
        """Have the stream that suits the link."""
        now = self._clock.seconds()
        kind = place.suiting(budget, now)
        if kind != place.follower.stream.kind:
            follower = self._streams.follow(kind, self._ready)
            if follower is not None:
                place.move_to(follower, now)

    def _pictures(self, place: Place) -> tuple[list[bytes], float]:
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

    def _may_wait(self, playing: Sequence[Place], owed: Region, budget: Optional[int]) -> bool:
        """Tell whether pictures keep the link busy for a while, and there is more to be sent."""
        if budget is None or sum(place.size for place in playing) <= _SHORT * budget:
            return False
        return bool(owed.subtract(Region(place.rect for place in playing)))

    def _rests(self, place: Place) -> bool:
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
    if mode is not None and mode in streams.encoders.modes:
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
    if Codec.H264 not in streams.encoders.found:
        return []
    return [Area(Kind(even(film), Codec.H264, video_quality(jpeg_quality), streams.gop))]
