"""Rectangles of an upstream become pixels of a display, in order, a part at a time.

Payloads are collected up to the end of an update, or as many as `BATCH` allows;
then the wire is held, they are decoded by a worker, and shown in turns.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Callable, Iterator, Sequence, Union

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from kasmd.codec.decode import Streams, decode
from kasmd.display.upstream_wire import TURN, UpstreamWire
from kasmd.display.watched import Patch
from kasmd.errors import ProtocolError
from kasmd.interfaces import IWorker
from kasmd.rfb.said import Received
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.pixels import PixelFormat

#: Pixels that are decoded at a time; a rectangle that has more comes alone.
BATCH = 1 << 21
#: Pixels, and patches, that are compared and put in before everybody else has a turn: 3 ms.
BAND, PATCHES = 1 << 19, 32
#: Pixels that are moved at a time: 1 ms.
MOVED = 1 << 20
#: Seconds after which they have it in any case.
_TURN = TURN / 2
#: Rectangles, and bytes of their payloads, of which the same is true.
BATCH_RECTANGLES, BATCH_BYTES = 1024, 16 << 20

#: What to show: patches at once, or a move.
Part = Union[list[Patch], Move]


class Picture:
    """What comes over one wire.

    ``show`` takes patches, ``move`` takes a move, and ``shown`` is told when that
    was all for now.
    """

    log = Logger()

    def __init__(
        self,
        reactor: Any,
        worker: IWorker,
        wire: UpstreamWire,
        show: Callable[[Sequence[Patch]], None],
        move: Callable[[Move], None],
        shown: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._worker = worker
        self._wire = wire
        self._show = show
        self._move = move
        self._shown = shown
        self._streams = Streams()
        self._batch: list[Received] = []
        self._area = self._bytes = 0
        self._parts: deque[Part] = deque()

    def received(self, received: Received) -> None:
        """Take one rectangle."""
        self._batch.append(received)
        self._area += received.rect.area
        self._bytes += len(received.payload)
        many = len(self._batch) >= BATCH_RECTANGLES or self._bytes >= BATCH_BYTES
        if many or self._area >= BATCH:
            self.finish(_nothing)

    def finish(self, then: Callable[[], None]) -> None:
        """Show all that was taken, then call ``then``; the wire is held meanwhile."""
        if not self._batch:
            then()
            return
        batch, self._batch, self._area, self._bytes = self._batch, [], 0, 0
        self._wire.hold()
        session = self._wire.session
        bounds = Rect(0, 0, *session.size)
        done: Deferred[Any] = self._worker.do(
            decoded, batch, session.format, self._streams, bounds
        )
        done.addCallback(self._decoded, then)
        done.addErrback(self._failed)

    def _decoded(self, parts: list[Part], then: Callable[[], None]) -> None:
        self._parts.extend(parts)
        self._show_parts(then)

    def _show_parts(self, then: Callable[[], None]) -> None:
        until = self._reactor.seconds() + _TURN
        while self._parts and not self._wire.ended:
            part = self._parts.popleft()
            if isinstance(part, Move):
                self._move(part)
            else:
                self._show(part)
            if self._parts and self._reactor.seconds() >= until:
                self._reactor.callLater(0, self._go_on, then)
                return
        if not self._wire.ended:
            self._shown()
            then()
            self._wire.release()

    def _go_on(self, then: Callable[[], None]) -> None:
        maybeDeferred(self._show_parts, then).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        reason = "its picture cannot be decoded"
        if failure.check(ProtocolError):
            reason = failure.getErrorMessage()
        else:
            self.log.failure("decoding an upstream's picture failed", failure)
        self._wire.fail(reason)


def decoded(
    batch: Sequence[Received], pixel_format: PixelFormat, streams: Streams, bounds: Rect
) -> list[Part]:
    """Decode rectangles in order (ProtocolError)."""
    parts: list[Part] = []
    area = 0
    for rect, encoding, payload in batch:
        found = decode(rect, encoding, payload, pixel_format, streams, bounds)
        if not rect.area:
            continue
        if isinstance(found, Move):
            parts += _cut_move(found)
            continue
        for patch in _cut((rect, found)):
            last = parts[-1] if parts else None
            if (not isinstance(last, list) or len(last) >= PATCHES
                    or area + patch[0].area > BAND):
                last = []
                parts.append(last)
                area = 0
            last.append(patch)
            area += patch[0].area
    return parts


def _cut(patch: Patch) -> Iterator[Patch]:
    """Give a patch in bands that are no more than is shown at a time."""
    rect, pixels = patch
    rows = max(1, BAND // rect.width)
    for top in range(0, rect.height, rows):
        band = pixels[top:top + rows]
        yield Rect(rect.x, rect.y + top, rect.width, len(band)), band


def _cut_move(move: Move) -> list[Move]:
    """Give a move in bands that are no more than is moved at a time, in the order to make them."""
    target = move.target
    rows = max(1, MOVED // target.width)
    bands = [
        move._replace(target=target._replace(y=top, height=min(rows, target.bottom - top)))
        for top in range(target.y, target.bottom, rows)
    ]
    return bands[::-1] if move.dy > 0 else bands


def _nothing() -> None:
    """The update goes on."""
