"""A desktop in memory and people who watch it, each with a whole viewer's side.

Nothing moves by itself: `Watcher.exchange` carries what was sent both ways,
and an update's later slices wait for `Scene.tick`.
"""

from __future__ import annotations

from typing import Any, Optional, Sequence, TypeVar

import numpy as np
import simplejpeg
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from zope.interface import implementer

from kasmd.codec import copyrect, h264, hextile, kasmvideo, raw, tight, zlib, zrle
from kasmd.codec.base import Reading, complete
from kasmd.codec.compact import read_counted
from kasmd.codec.deflate import Inflater
from kasmd.codec.jpeg21 import JpegDecoder
from kasmd.codec.video import VideoDecoder
from kasmd.display.memory import MemoryDisplay
from kasmd.interfaces import IViewerTransport, Principal
from kasmd.permission.held import Hold
from kasmd.permission.registry import MemoryRegistry
from kasmd.permission.seat import Seat
from kasmd.rfb.client import (
    ClientSession,
    Connected,
    FenceSent,
    KasmMessageSent,
    Received,
    Said,
    UpdateReceived,
)
from kasmd.rfb.limits import Limits
from kasmd.rfb.numbers import ClientMessage, Encoding, FenceFlag
from kasmd.rights import READ, WRITE, Right
from kasmd.screen.geometry import Move, Rect, Screen
from kasmd.screen.pixels import PixelFormat, Pixels, from_format, to_format
from kasmd.screen.region import Region
from kasmd.screen.steps import finished
from kasmd.viewer.encoders import Encoders
from kasmd.viewer.protocol import Viewer
from kasmd.viewer.roster import Roster
from kasmd.viewer.sharing import Encodings
from kasmd.viewer.streams import Streams
from kasmd.viewer.surroundings import Surroundings
from kasmd.viewer.turns import Turns

Event = TypeVar("Event", bound=Said)

HANDSHAKE, PATIENCE, MAX_VIEWERS = 10.0, 30.0, 20

#: Zlib's slowest level makes small slices: 2 ** 15 pixels of ZRLE and Zlib, 2 ** 18 of Tight.
SMALL_SLICES = -247
#: What marks a client as Kasm's.
KASM = Encoding.KASM_DISCONNECT_NOTICE

PIXELS = {
    Encoding.RAW, Encoding.HEXTILE, Encoding.TIGHT, Encoding.ZRLE, Encoding.ZLIB,
    Encoding.JPEG, Encoding.COPY_RECT,
}
_TIGHT_JPEG = 0x90
VIDEO = {Encoding.OPEN_H264, Encoding.KASM_VIDEO}

RIGHTS = {"writer": WRITE, "reader": READ, "nobody": Right.ENTER}


class Display(MemoryDisplay):
    """A display in memory that counts its ``audience``.

    ``broken`` is what it raises, ``resizing`` what it answers to a resize.
    """

    audience = 0
    broken: Optional[Exception] = None
    resizing: Optional[Deferred[int]] = None

    def _audience_changed(self) -> None:
        self.audience = len(self._observers)

    def snapshot(self, rect: Rect) -> Any:
        """Copy ``rect``, unless broken."""
        if self.broken is not None:
            raise self.broken
        return super().snapshot(rect)

    def key(self, keysym: int, keycode: int, down: bool) -> None:
        """Record the key, unless broken."""
        if self.broken is not None:
            raise self.broken
        super().key(keysym, keycode, down)

    def resize(self, width: int, height: int, screens: Sequence[Screen]) -> Deferred[int]:
        """Obey, or answer ``resizing``."""
        return self.resizing or super().resize(width, height, screens)

    @property
    def picture(self) -> Pixels:
        """All pixels."""
        return super().snapshot(Rect(0, 0, *self.size)).pixels

    def noise(self, rect: Rect, seed: int) -> None:
        """Paint pixels of which no two are alike."""
        random = np.random.default_rng(seed)
        self.paint(rect, random.integers(0, 256, (rect.height, rect.width, 4), np.uint8))

    def scroll(self, dy: int) -> None:
        """Move all rows; those that come in are new."""
        picture = np.roll(self.picture, dy, axis=0)
        new = slice(0, dy) if dy > 0 else slice(dy, None)
        picture[new] = np.random.default_rng(abs(dy)).integers(0, 256, picture[new].shape)
        self.paint(Rect(0, 0, *self.size), picture)

    def drag(self, rect: Rect, pixels: Pixels, move: Move) -> None:
        """Show pixels, of which some moved with a window."""
        finished(self._showing([(rect, pixels)], [move]))

    def move(self, move: Move) -> None:
        """Move pixels, and nothing else."""
        source, target = move.source, move.target
        pixels = self.picture[source.y:source.bottom, source.x:source.right]
        self._framebuffer.update([(target, pixels)])
        self._next_frame()
        self._tell("changed", Region(), (move,))


@implementer(IViewerTransport)
class Line:
    """A transport in memory that asks for a pause when ``room`` more items were sent."""

    peer = "192.0.2.1"
    page = ""

    def __init__(self) -> None:
        self.items: list[bytes] = []
        self.closed: Optional[tuple[int, str]] = None
        self.aborted = False
        self.tls: list[bool] = []
        self.producer: Optional[IPushProducer] = None
        self.room = -1

    def send(self, data: bytes) -> None:
        """Keep ``data`` for `take`."""
        if self.closed is None and not self.aborted:
            self.items.append(data)
        self.room -= 1
        if self.room == 0:
            self.pause()

    def register_producer(self, producer: IPushProducer) -> None:
        """Keep ``producer``."""
        self.producer = producer

    def start_tls(self, certificate: bool) -> None:
        """Note that it was asked for."""
        self.tls.append(certificate)

    def close(self, code: int, reason: str) -> None:
        """Note the end."""
        self.closed = code, reason

    def abort(self) -> None:
        """Note the end."""
        self.aborted = True

    def pause(self) -> None:
        """Be full."""
        self.room = -1
        if self.producer is not None:
            self.producer.pauseProducing()

    def resume(self) -> None:
        """Have room."""
        self.room = -1
        if self.producer is not None:
            self.producer.resumeProducing()

    def take(self) -> list[bytes]:
        """Give what was sent since."""
        items, self.items = self.items, []
        return items


class Watcher:
    """One person's viewer program; ``picture`` is what it shows."""

    def __init__(self, around: Surroundings, name: str, encodings: Sequence[int],
                 kasm: bool) -> None:
        self.line = Line()
        self.client = ClientSession(kasm=kasm)
        self.heard: list[Said] = []
        self.picture: Pixels = np.zeros((0, 0, 4), np.uint8)
        self._kasm = kasm
        self._formats: dict[bytes, PixelFormat] = {}
        self._tight, self._inflater = tight.TightDecoder(), Inflater()
        self._jpeg = JpegDecoder()
        #: Sizes of the pictures that came smaller than they are shown.
        self.shrunk: list[tuple[int, int]] = []
        self._h264 = h264.H264Decoder()
        self._videos: dict[int, VideoDecoder] = {}
        self.viewer = Viewer(self.line, Principal(name), around)
        self.exchange()
        if encodings:
            self.client.send_encodings(encodings)
            self.exchange()

    def exchange(self) -> None:
        """Carry all that was said, both ways, until nobody says more."""
        quiet = False
        while not quiet:
            asked, told = self.client.data_to_send(), self.line.take()
            quiet = not asked and not told
            for item in asked:
                self.viewer.received(item)
            for item in told:
                self.hear(item)

    def hear(self, item: bytes) -> None:
        """Take what was sent."""
        self.client.receive_data(item)
        for event in self.client.events_received():
            self._hear(event)

    def request(self, incremental: bool = False, rect: Optional[Rect] = None) -> None:
        """Ask for an update of ``rect``, or of all."""
        self.client.send_update_request(incremental, rect or Rect(0, 0, *self.size))
        self.exchange()

    def change_format(self, pixel_format: PixelFormat) -> None:
        """Ask for other pixels; the answer to a fence says from where on they come."""
        mark = bytes([len(self._formats) + 100])
        self._formats[mark] = pixel_format
        self.client.send_fence(FenceFlag.REQUEST | FenceFlag.SYNC_NEXT, mark)
        self.client.send(bytes([ClientMessage.SET_PIXEL_FORMAT, 0, 0, 0]) + pixel_format.pack())
        self.exchange()

    def leave(self) -> None:
        """Hang up."""
        self.line.producer = None
        self.viewer.lost("hung up")

    @property
    def size(self) -> tuple[int, int]:
        """The picture's width and height."""
        return self.picture.shape[1], self.picture.shape[0]

    def told(self, kind: type[Event]) -> list[Event]:
        """Give what was heard of one kind."""
        return [event for event in self.heard if isinstance(event, kind)]

    def kasm_told(self, number: int) -> list[bytes]:
        """Give the bodies of Kasm's messages of one type."""
        return [event.body for event in self.told(KasmMessageSent) if event.number == number]

    @property
    def rectangles(self) -> list[Received]:
        """Every rectangle that came."""
        return [rect for update in self.told(UpdateReceived) for rect in update.rectangles]

    def encodings(self) -> list[int]:
        """Give the encodings of all rectangles that came since, and forget all."""
        found = [rectangle.encoding for rectangle in self.rectangles]
        self.heard.clear()
        return found

    def shows(self, picture: Pixels) -> bool:
        """Tell whether all pixels are as this viewer's format can say them."""
        height, width = picture.shape[:2]
        if self.size != (width, height):
            return False
        form = self.client.format
        said = from_format(to_format(picture, form), form, height, width)
        return bool((self.picture[..., :3] == said[..., :3]).all())

    def _hear(self, event: Said) -> None:
        self.heard.append(event)
        if isinstance(event, Connected):
            self._resize(event.width, event.height)
        elif isinstance(event, FenceSent) and event.payload in self._formats:
            self.client.format = self._formats[event.payload]
        elif isinstance(event, UpdateReceived):
            assert event.rectangles or not event.counted, "an update of nothing"
            drawn = (PIXELS | VIDEO) & {rectangle.encoding for rectangle in event.rectangles}
            assert not (self._kasm and drawn and event.counted), "Kasm's client would not show it"
            for rectangle in event.rectangles:
                self._draw(*rectangle)

    def _resize(self, width: int, height: int) -> None:
        # What was there is lost, says the protocol; so no rest of it may be counted on.
        self.picture = np.full((height, width, 4), 77, np.uint8)

    def _draw(self, rect: Rect, encoding: int, payload: bytes) -> None:
        if encoding == Encoding.DESKTOP_SIZE:
            self._resize(rect.width, rect.height)
        elif encoding == Encoding.EXTENDED_DESKTOP_SIZE:
            if rect.y == 0 and self.size != (rect.width, rect.height):
                self._resize(rect.width, rect.height)
        elif encoding == Encoding.COPY_RECT:
            (x, y), _ = complete(copyrect.decode(), payload)
            source = self.picture[y:y + rect.height, x:x + rect.width].copy()
            self._put(rect, source)
        elif encoding in VIDEO:
            seen = self._picture_of(rect, encoding, payload)
            assert seen is not None
            self._put(rect, seen)
        elif self._kasm and encoding == Encoding.TIGHT and payload[0] == _TIGHT_JPEG:
            self._put(rect, self._enlarged(rect, payload))
        elif encoding in PIXELS:
            pixels, end = complete(self._decoder(encoding, rect), payload)
            assert end == len(payload)
            self._put(rect, pixels)

    def _enlarged(self, rect: Rect, payload: bytes) -> Pixels:
        """Show a JPEG as large as its rectangle, as Kasm's client does."""
        data, end = complete(read_counted(), payload, 1)
        assert end == len(payload)
        pixels = simplejpeg.decode_jpeg(data, "BGRX")
        height, width = pixels.shape[:2]
        if (width, height) != rect[2:]:
            self.shrunk.append((width, height))
        rows, columns = np.arange(rect.height), np.arange(rect.width)
        shown: Pixels = pixels[rows * height // rect.height][:, columns * width // rect.width]
        return shown

    def _picture_of(self, rect: Rect, encoding: int, payload: bytes) -> Optional[Pixels]:
        if encoding == Encoding.OPEN_H264:
            part, _ = complete(h264.decode(), payload)
            return self._h264.show(rect, part)
        picture, _ = complete(kasmvideo.decode(), payload)
        assert picture.unit is not None and picture.codec is not None
        if picture.unit.key:
            self._videos[picture.screen] = VideoDecoder(rect.width, rect.height, picture.codec)
        return self._videos[picture.screen].decode(picture.unit.data)

    def _put(self, rect: Rect, pixels: Pixels) -> None:
        assert Rect(0, 0, *self.size).contains(rect), f"{rect} is outside of {self.size}"
        self.picture[rect.y:rect.bottom, rect.x:rect.right] = pixels

    def _decoder(self, encoding: int, rect: Rect) -> Reading[Pixels]:
        form = self.client.format
        if encoding == Encoding.ZLIB:
            return zlib.decode(rect.width, rect.height, form, self._inflater)
        if encoding == Encoding.ZRLE:
            return zrle.decode(rect.width, rect.height, form, self._inflater)
        if encoding == Encoding.JPEG:
            return self._jpeg.decode(rect.width, rect.height)
        if encoding == Encoding.TIGHT:
            return self._tight.decode(rect.width, rect.height, form)
        decoder = {Encoding.RAW: raw.decode, Encoding.HEXTILE: hextile.decode}[Encoding(encoding)]
        return decoder(rect.width, rect.height, form)


class Scene:
    """A desktop and what its viewers share."""

    def __init__(self, width: int = 320, height: int = 240) -> None:
        self.clock = Clock()
        self._spent = 0.0
        self.display = Display(width, height)
        self.registry = MemoryRegistry(RIGHTS)
        self.roster = Roster()
        self.encodings = Encodings()
        #: Seconds that encoding a picture of a stream takes.
        self.encoding = 0.0
        self.encoders = Encoders(self.clock, elapsed=self._elapsed)
        self.streams = Streams(self.encoders)
        self.logins: list[tuple[str, str, str]] = []
        self.login: Deferred[str] = Deferred()
        hold = Hold()
        self.around = Surroundings(
            admit=lambda who: Seat(self.display, self.registry.admit(who, "desktop"), hold),
            authenticate=self._authenticate,
            roster=self.roster,
            encodings=self.encodings,
            streams=self.streams,
            turns=Turns(self.clock, elapsed=lambda: 0.0),
            clock=self.clock,
            limits=Limits(),
            handshake_time=HANDSHAKE,
            patience=PATIENCE,
            max_viewers=MAX_VIEWERS,
        )

    def watch(self, *encodings: int, name: str = "writer", kasm: bool = False) -> Watcher:
        """Let somebody in."""
        return Watcher(self.around, name, (*encodings, KASM) if kasm else encodings, kasm)

    def tick(self, *watchers: Watcher) -> None:
        """Let all slices leave that may, and carry them."""
        self.clock.advance(0)
        for watcher in watchers:
            watcher.exchange()

    def settle(self, watcher: Watcher) -> None:
        """Let ``watcher`` ask until there is nothing more for it."""
        before = -1
        while len(watcher.told(UpdateReceived)) != before:
            before = len(watcher.told(UpdateReceived))
            watcher.request(incremental=True)
            self.tick(watcher)

    def left_behind(self) -> tuple[int, int, int, int]:
        """Count delayed calls, observers, grants and viewers."""
        self.clock.advance(0)
        calls = len(self.clock.getDelayedCalls())
        return calls, self.display.audience, len(self.registry), len(self.roster.viewers())

    def _elapsed(self) -> float:
        self._spent += self.encoding
        return self._spent

    def _authenticate(self, name: str, password: str, address: str) -> Deferred[str]:
        self.logins.append((name, password, address))
        return self.login
