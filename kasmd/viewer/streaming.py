"""The parts of one viewer's picture that come as video.

What the viewer is owed there waits for a picture of a stream, which shows it
together with all around it; the rest of the screen goes as images.  An area in
which little changed for a while rests: it goes as images, too, until much does.
"""

from __future__ import annotations

from typing import Callable, Mapping, NamedTuple, Optional, Sequence

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from kasmd.codec import h264, kasmvideo
from kasmd.codec.base import OPEN_H264, Rectangle
from kasmd.codec.compact import TooLong
from kasmd.codec.kasmvideo import MODES
from kasmd.codec.quality import video_quality
from kasmd.codec.video import Codec, Encoding, Unit, even
from kasmd.rfb import update as wire
from kasmd.rfb.capabilities import Capabilities
from kasmd.screen.framebuffer import Identity
from kasmd.screen.geometry import Move, Rect, Screen
from kasmd.screen.region import Region
from kasmd.viewer.streams import Follower, Kind, Look, Streams

#: An area rests when in so many seconds never one in so many of its pixels changed at once.
RESTS_AFTER = 1.0
_MUCH = 16
#: KasmVNC's, for clients that name none: the higher, the better.
STREAM_QUALITY = 17


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
    """What may be sent: ``rectangles``, after which ``shown`` is as the display has it.

    What is owed in ``held`` is no image's.
    """

    rectangles: list[bytes]
    shown: list[Rect]
    held: Region


class _Place:
    """One area of one viewer."""

    def __init__(self, area: Area, follower: Follower, wanted: int, now: float) -> None:
        self.area = area
        self.follower = follower
        #: The display's frame that the viewer must be shown, or a later one.
        self.wanted = wanted
        self.first = True
        self.moved_at = now

    @property
    def rect(self) -> Rect:
        return self.area.kind.rect

    def drawn(self, unit: Unit) -> bytes:
        """Give a rectangle's bytes."""
        first, self.first = self.first, False
        return wire.rectangle(*self.area.draw(unit, first))


class Streaming:
    """The areas that one viewer is shown as video; ``ready`` is called when one may go on."""

    _log = Logger()

    def __init__(self, streams: Streams, look: Look, ready: Callable[[], None],
                 clock: IReactorTime) -> None:
        self._streams = streams
        self._look = look
        self._ready = ready
        self._clock = clock
        self._places: dict[Area, _Place] = {}

    def __bool__(self) -> bool:
        return bool(self._places)

    def show(self, areas: Sequence[Area]) -> None:
        """Show these areas as video, as far as the streams go, and no others."""
        for area in self._places.keys() - set(areas):
            self._drop(area)
        for area in areas:
            if area not in self._places:
                self._open(area)

    def changed(self, region: Region, moves: Sequence[Move]) -> None:
        """Note what the display shows anew."""
        if not self._places:
            return
        region = region.union(Region(move.target for move in moves))
        for place in self._places.values():
            here = region.intersect(Region([place.rect])).area
            if here:
                place.wanted = self._frame(place.rect)
            if here * _MUCH >= place.rect.area:
                place.moved_at = self._clock.seconds()

    def start_anew(self) -> None:
        """The viewer has lost its pictures, or says so: it needs key pictures."""
        for place in self._places.values():
            place.wanted = self._frame(place.rect)
            place.moved_at = self._clock.seconds()
            place.follower.start_anew()

    def take(self, owed: Region) -> Taken:
        """Give what there is to send of what is ``owed``; have more made where that is old."""
        taken = Taken([], [], Region())
        for place in list(self._places.values()):
            if place.follower.stream.failed:
                self._drop(place.area)
            elif owed.intersect(Region([place.rect])) and not self._rests(place):
                taken = taken._replace(held=taken.held.union(Region([place.rect])))
                self._take_from(place, taken)
        return taken

    def close(self) -> None:
        """Follow no more streams."""
        self.show(())

    def _take_from(self, place: _Place, taken: Taken) -> None:
        now = self._now(place.rect)
        if now is None:
            return
        units = place.follower.take(now)
        try:
            taken.rectangles.extend([place.drawn(shown.unit) for shown in units])
        except TooLong as error:
            self._log.warn("a picture is left out: {error}", error=error)
            place.follower.start_anew()
            return
        if units and units[-1].identity.frame >= place.wanted:
            taken.shown.append(place.rect)
        else:
            place.follower.ask(self._look)

    def _rests(self, place: _Place) -> bool:
        return self._clock.seconds() - place.moved_at > RESTS_AFTER

    def _now(self, rect: Rect) -> Optional[Identity]:
        seen = self._look(rect._replace(width=1, height=1))
        return None if seen is None else seen.identity

    def _frame(self, rect: Rect) -> int:
        now = self._now(rect)
        return 0 if now is None else now.frame

    def _open(self, area: Area) -> None:
        follower = self._streams.follow(area.kind, self._ready)
        if follower is not None:
            wanted = self._frame(area.kind.rect)
            self._places[area] = _Place(area, follower, wanted, self._clock.seconds())

    def _drop(self, area: Area) -> None:
        self._places.pop(area).follower.leave()


def areas_of(can: Capabilities, screens: Sequence[Screen], film: Optional[Rect],
             encoders: Mapping[Codec, Encoding], stream_quality: int = STREAM_QUALITY,
             gop: int = 0) -> list[Area]:
    """Give what a viewer that can do this is shown as video.

    The whole of each screen for one who chose one of `kasmvideo.MODES`, else the
    ``film`` for one who reads H.264 and bears losses.
    """
    mode = can.kasm.stream_mode
    if mode in MODES:
        codec = MODES[mode].codec
        if codec not in encoders or encoders[codec].name != MODES[mode].encoder:
            return []
        quality = can.kasm.stream_quality
        quality = kasmvideo.quality_of(mode, stream_quality if quality is None else quality)
        every = gop if can.kasm.gop is None else can.kasm.gop
        return [
            Area(Kind(even(Rect(*screen[1:5])), codec, quality, every), mode, number)
            for number, screen in enumerate(screens)
        ]
    if film is None or not can.open_h264 or not can.jpeg or Codec.H264 not in encoders:
        return []
    return [Area(Kind(even(film), Codec.H264, video_quality(can), gop))]
