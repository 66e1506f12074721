"""Streams of video, each encoded once for all who follow it.

A follower that wants a newer picture than it has asks for it: the newest there
is goes to the encoder, on a thread, and when it is done all are told.  So there
is never a queue: one picture is being encoded, and the display holds the next.
A few units are kept for those who could not take them at once; who missed more
needs a key picture, as one who joins does.
"""

from __future__ import annotations

import os
from collections import deque
from functools import partial
from time import perf_counter
from typing import Callable, Collection, Mapping, NamedTuple, Optional

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from kasmd.codec.kasmvideo import FAMILIES, MODES, SOFTWARE, StreamMode
from kasmd.codec.video import (
    Codec,
    Encoding,
    Unit,
    VideoEncoder,
    VideoFailed,
    available,
)
from kasmd.interfaces import IWorker
from kasmd.permission.callbacks import isolated
from kasmd.rfb.kasm import VideoEncoder as Offer
from kasmd.screen.framebuffer import Identity, Snapshot
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import Pixels
from kasmd.viewer.worker import InlineWorker

#: Units kept for followers that are late.
KEPT = 4
#: Streams of one desktop; an encoder of 1080p takes about 30 MB and most of a core.
MAX_STREAMS = 4
#: A larger picture takes too long to copy on the reactor, and to encode.
MAX_PIXELS = 2560 * 1440

#: KasmVNC's, for its clients that name none.
QUALITY = 17

#: Gives the pixels of a rectangle, or None where they may not be seen.
Look = Callable[[Rect], Optional[Snapshot]]


class Kind(NamedTuple):
    """What a stream is: one serves all who want the same.

    ``quality`` is the encoder's own; ``gop`` is how many pictures there are from
    one key picture to the next, 0 for key pictures only where they are needed;
    ``slow`` is for those who cannot keep up with the others, and ``coarser`` the
    steps of quality that links are too thin for.
    """

    rect: Rect
    codec: Codec
    quality: int
    gop: int = 0
    slow: bool = False
    coarser: int = 0


class Shown(NamedTuple):
    """One picture of a stream, where it came from, and the seconds that encoding it took."""

    number: int
    identity: Identity
    unit: Unit
    took: float = 0.0


class Stream:
    """The pictures of one area; ``over`` is called, once, when the encoder fails."""

    _log = Logger()

    def __init__(self, kind: Kind, encoding: Encoding, worker: IWorker,
                 over: Callable[[], None]) -> None:
        self.kind = kind
        self.failed = False
        self.followers: dict[Follower, Callable[[], None]] = {}
        self.units: deque[Shown] = deque(maxlen=KEPT)
        self._encoding = encoding
        self._worker = worker
        self._over = over
        self._encoder: Optional[VideoEncoder] = None
        self._busy = False
        self._number = 0
        self._key_due = True
        #: Whether what is being encoded is a key picture.
        self._key_coming = False
        self._key_at = 0
        self._seen: Optional[Identity] = None
        self._took = 0.0

    def encode(self, look: Look, key: bool) -> None:
        """Have the newest picture encoded, unless one is being encoded.

        Where that is so, a ``key`` picture is that, or what comes next.
        """
        self._key_due = self._key_due or (key and not self._key_coming)
        if self._busy or self.failed:
            return
        snapshot = look(self.kind.rect)
        if snapshot is None:
            return
        self._busy = True
        key = self._key_due or self._gop_is_over() or not same_view(snapshot.identity, self._seen)
        self._key_due, self._key_coming, self._seen = False, key, snapshot.identity
        done: Deferred[Unit] = self._worker.do(self._encode, snapshot.pixels, key)
        done.addCallback(partial(self._encoded, snapshot.identity))
        done.addErrback(self._broken)

    def close(self) -> Deferred[None]:
        """End the stream, after what is being encoded."""
        closing: Deferred[None] = self._worker.do(self._close)
        return closing.addErrback(partial(self._log.failure, "a stream's end"))

    def _gop_is_over(self) -> bool:
        return 0 < self.kind.gop <= self._number - self._key_at

    def _encoded(self, identity: Identity, unit: Unit) -> None:
        self._busy = self._key_coming = False
        if unit.key:
            self.units.clear()
            self._key_at = self._number
        self.units.append(Shown(self._number, identity, unit, self._took))
        self._number += 1
        self._tell()

    def _broken(self, failure: Failure) -> None:
        self._busy, self.failed = False, True
        if failure.check(VideoFailed):
            self._log.error("video failed, pictures follow: {why}", why=failure.getErrorMessage())
        else:
            self._log.failure("video failed, pictures follow", failure)
        self._over()
        self._tell()

    def _tell(self) -> None:
        for ready in list(self.followers.values()):
            isolated(ready)

    # On the worker.

    def _encode(self, pixels: Pixels, key: bool) -> Unit:
        kind, began = self.kind, perf_counter()
        if self._encoder is None:
            quality = self._encoding.coarser(kind.quality, kind.coarser)
            self._encoder = VideoEncoder(
                kind.rect.width, kind.rect.height, self._encoding, quality
            )
        unit = self._encoder.encode(pixels, key)
        self._took = perf_counter() - began
        return unit

    def _close(self) -> None:
        encoder, self._encoder = self._encoder, None
        if encoder is not None:
            encoder.close()


class Follower:
    """One viewer's place in a stream."""

    def __init__(self, stream: Stream, leave: Callable[[Follower], None]) -> None:
        self.stream = stream
        self._leave = leave
        self._last: Optional[int] = None

    @property
    def behind(self) -> bool:
        """Tell whether this one missed pictures without which the later ones are of no use."""
        units = self.stream.units
        return (
            self._last is not None and bool(units) and not units[0].unit.key
            and units[0].number > self._last + 1
        )

    @property
    def waiting(self) -> bool:
        """Tell whether there are pictures that this one did not take yet."""
        return bool(self._following())

    def take(self, now: Identity) -> list[Shown]:
        """Give the pictures that follow what this one has, oldest first.

        ``now`` is how the display is to be seen: nothing that was seen through
        another mask is given.
        """
        units = self._following()
        if not all(same_view(shown.identity, now) for shown in units):
            return []
        if units:
            self._last = units[-1].number
        return units

    def ask(self, look: Look) -> None:
        """Want a newer picture than those that `take` gave; ``look`` gives the newest."""
        units = self.stream.units
        self.stream.encode(look, not units or units[-1].number != self._last)

    def start_anew(self) -> None:
        """Have forgotten all pictures: none but a key picture is of use."""
        self._last = None

    def leave(self) -> None:
        """Follow no more."""
        self._leave(self)

    def _following(self) -> list[Shown]:
        units = self.stream.units
        if not units:
            return []
        if self.behind or (self._last is None and not units[0].unit.key):
            return []
        return [shown for shown in units if self._last is None or shown.number > self._last]


class Streams:
    """Every stream of one desktop.

    ``codecs`` are those that may be used, ``quality`` (Kasm's, 0 to 63, the higher the
    better) and ``gop`` are for viewers that name none.
    """

    _log = Logger()

    def __init__(self, make_worker: Callable[[], IWorker] = InlineWorker,
                 codecs: Collection[Codec] = tuple(Codec), quality: int = QUALITY,
                 gop: int = 0) -> None:
        self.quality = quality
        self.gop = gop
        self._make_worker = make_worker
        self._codecs = codecs
        self._streams: dict[Kind, Stream] = {}
        #: What encodes each kind of stream here; empty before `find_encoders`.
        self.encodings: Mapping[Codec, Encoding] = {}
        self._failed: frozenset[str] = frozenset()

    @property
    def modes(self) -> dict[int, StreamMode]:
        """Give the stream modes that Kasm's client may ask for.

        It has no names for some encoders: these go by that of the processor's.
        """
        names = {codec: encoding.name for codec, encoding in self.encodings.items()}
        known = {mode.encoder for mode in MODES.values()}
        return {
            number: mode for number, mode in MODES.items()
            if mode.encoder == names.get(mode.codec)
            or (mode.encoder in SOFTWARE and names.get(mode.codec, mode.encoder) not in known)
        }

    def find_encoders(self) -> Deferred[None]:
        """Try which encoders work here; until then, and without, there is no video."""
        if not self._codecs:
            return succeed(None)
        # SVT-AV1 would tell the terminal of every stream.
        os.environ.setdefault("SVT_LOG", "0")
        finding: Deferred[Mapping[Codec, Encoding]]
        finding = self._make_worker().do(available, self._failed)
        found = finding.addCallback(self._found)
        return found.addErrback(partial(self._log.failure, "no video"))

    def _found(self, encodings: Mapping[Codec, Encoding]) -> None:
        self.encodings = {
            codec: encodings[codec] for codec in Codec
            if codec in encodings and codec in self._codecs
        }
        if self.encodings:
            names = (f"{codec.name} by {each.name}" for codec, each in self.encodings.items())
            self._log.info("films go as streams: {streams}", streams=", ".join(names))
        else:
            self._log.info("films go as images: no encoder works here (kasmd[video] has some)")

    def offers(self, families: Collection[int]) -> list[Offer]:
        """Give what Kasm's client may choose from that reads these families."""
        codecs = {FAMILIES[family] for family in families if family in FAMILIES}
        return [
            Offer(number, mode.best, mode.worst, mode.presets)
            for number, mode in self.modes.items() if mode.codec in codecs
        ]

    def __len__(self) -> int:
        return len(self._streams)

    def follow(self, kind: Kind, ready: Callable[[], None]) -> Optional[Follower]:
        """Give a place in the stream of this kind, or None where there can be none.

        ``ready`` is called after each picture, and if the stream fails.
        """
        stream = self._streams.get(kind) or self._open(kind)
        if stream is None:
            return None
        follower = Follower(stream, self._left)
        stream.followers[follower] = ready
        return follower

    def _open(self, kind: Kind) -> Optional[Stream]:
        encoding = self.encodings.get(kind.codec)
        if (encoding is None or len(self._streams) >= MAX_STREAMS
                or not 0 < kind.rect.area <= MAX_PIXELS):
            return None
        over = partial(self._do_without, kind.codec, encoding)
        stream = self._streams[kind] = Stream(kind, encoding, self._make_worker(), over)
        return stream

    def _do_without(self, codec: Codec, failed: Encoding) -> None:
        """Have the next best encoder: where one in hardware fails, the processor's."""
        if self.encodings.get(codec) is failed:
            self.encodings = {
                other: encoding for other, encoding in self.encodings.items() if other is not codec
            }
            self._failed |= {failed.name}
            self.find_encoders()

    def _left(self, follower: Follower) -> None:
        stream = follower.stream
        if stream.followers.pop(follower, None) is not None and not stream.followers:
            del self._streams[stream.kind]
            stream.close()


def same_view(one: Identity, other: Optional[Identity]) -> bool:
    """Tell whether two pictures are of one display through one mask."""
    return other is not None and one._replace(frame=other.frame) == other


def as_new(one: Optional[Identity], other: Optional[Identity]) -> bool:
    """Tell whether a picture shows what another does, or what came after."""
    return (
        one is not None and other is not None and same_view(one, other)
        and one.frame >= other.frame
    )
