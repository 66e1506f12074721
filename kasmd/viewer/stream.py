"""One stream of video, encoded once for all who follow it.

A follower that wants a newer picture than it has asks for it: the newest there
is goes to the encoder, on a thread, and when it is done all are told.  So there
is never a queue: one picture is being encoded, and the display holds the next.
A few units are kept for those who could not take them at once; who missed more
needs a key picture, as one who joins does.

An encoder that falls behind real time has all of a processor.  Where there is
another kind of stream, this one ends then; H.264 is the last, and rests in between.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Callable, NamedTuple, Optional

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from kasmd.codec.video import Codec, Encoding, Unit, VideoEncoder, VideoFailed
from kasmd.permission.callbacks import isolated
from kasmd.screen.framebuffer import Identity, Snapshot
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import Pixels
from kasmd.viewer.encoders import Encoders

#: Units kept for followers that are late.
KEPT = 4
#: Seconds that a picture may take in real time, and by how many an encoder may be behind.
REAL_TIME = 1 / 30
TOO_LATE = 1.0
#: The kind of stream that is not given up.
LAST = Codec.H264

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
    """The pictures of one area, by one of the ``encoders``, which hear if it does not do."""

    _log = Logger()

    def __init__(self, kind: Kind, encoding: Encoding, encoders: Encoders) -> None:
        self.kind = kind
        #: Whether there will be no more pictures.
        self.over = False
        self.followers: dict[Follower, Callable[[], None]] = {}
        self.units: deque[Shown] = deque(maxlen=KEPT)
        self._encoding = encoding
        self._encoders = encoders
        self._worker = encoders.make_worker()
        self._encoder: Optional[VideoEncoder] = None
        self._busy = False
        self._number = 0
        self._key_due = True
        #: Whether what is being encoded is a key picture.
        self._key_coming = False
        self._key_at = 0
        self._seen: Optional[Identity] = None
        self._took = 0.0
        #: The seconds by which it is behind real time, as far as that counts.
        self._late = 0.0
        self._rest: Optional[IDelayedCall] = None

    def encode(self, look: Look, key: bool) -> None:
        """Have the newest picture encoded, unless one is being encoded, or after it there is rest.

        Where that is so, a ``key`` picture is that, or what comes next.
        """
        self._key_due = self._key_due or (key and not self._key_coming)
        if self._busy or self.over:
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
        self.over = True
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        closing: Deferred[None] = self._worker.do(self._close)
        return closing.addErrback(partial(self._log.failure, "a stream's end"))

    def _gop_is_over(self) -> bool:
        return 0 < self.kind.gop <= self._number - self._key_at

    def _encoded(self, identity: Identity, unit: Unit) -> None:
        self._key_coming = False
        if unit.key:
            self.units.clear()
            self._key_at = self._number
        self.units.append(Shown(self._number, identity, unit, self._took))
        self._number += 1
        behind = self._took - REAL_TIME
        self._late = min(max(0.0, self._late + behind), TOO_LATE)
        if self._late < TOO_LATE or self.over:
            self._busy = False
        elif self.kind.codec is LAST:
            self._rest = self._encoders.clock.callLater(max(0.0, behind), self._rested)
        else:
            self.over = True
            self._encoders.too_slow(self.kind.codec, self.kind.rect)
        self._tell()

    def _rested(self) -> None:
        self._rest, self._busy = None, False
        self._tell()

    def _broken(self, failure: Failure) -> None:
        self.over = True
        if failure.check(VideoFailed):
            self._log.error("video failed, pictures follow: {why}", why=failure.getErrorMessage())
        else:
            self._log.failure("video failed, pictures follow", failure)
        self._encoders.failed(self.kind.codec, self._encoding)
        self._tell()

    def _tell(self) -> None:
        for ready in list(self.followers.values()):
            isolated(ready)

    # On the worker.

    def _encode(self, pixels: Pixels, key: bool) -> Unit:
        kind, began = self.kind, self._encoders.elapsed()
        if self._encoder is None:
            quality = self._encoding.coarser(kind.quality, kind.coarser)
            self._encoder = VideoEncoder(
                kind.rect.width, kind.rect.height, self._encoding, quality
            )
        unit = self._encoder.encode(pixels, key)
        self._took = self._encoders.elapsed() - began
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


def same_view(one: Identity, other: Optional[Identity]) -> bool:
    """Tell whether two pictures are of one display through one mask."""
    return other is not None and one._replace(frame=other.frame) == other


def as_new(one: Optional[Identity], other: Optional[Identity]) -> bool:
    """Tell whether a picture shows what another does, or what came after."""
    return (
        one is not None and other is not None and same_view(one, other)
        and one.frame >= other.frame
    )
