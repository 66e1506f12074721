"""Which encoders there are for streams, and what Kasm's client may choose from.

What an encoder manages depends on the processor, the size, the quality and the film, so
nobody is asked before: a `Stream` sees it, and where its encoder falls behind real time,
streams of that kind are given up, of that size and larger, for a while.  Nor is the
library loaded before somebody could be shown a stream: it takes as much memory as all
the rest of the daemon's libraries.
"""

from __future__ import annotations

import os
from time import perf_counter
from typing import Callable, Collection, Mapping, NamedTuple, Optional

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from kasmd.codec.kasmvideo import FAMILIES, MODES, SOFTWARE, StreamMode
from kasmd.codec.video import Codec, Encoding, available
from kasmd.interfaces import IWorker
from kasmd.libraries import installed, link
from kasmd.permission.callbacks import Callbacks
from kasmd.rfb.kasm import VideoEncoder as Offer
from kasmd.screen.geometry import Rect
from kasmd.viewer.worker import InlineWorker

#: What encodes, if it is installed (PyAV).
LIBRARY = "av"
#: Seconds after which a kind of stream that was too slow is tried again, if it is asked for.
AGAIN = 600.0


class _Slow(NamedTuple):
    """Pictures of so many pixels, and larger ones, take too long; that holds until then."""

    area: int
    until: float


class Encoders:
    """The encoders of one desktop.

    ``codecs`` are the kinds that may be used; ``elapsed`` is a clock for short times, in
    seconds, that threads may read.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, make_worker: Callable[[], IWorker] = InlineWorker,
                 codecs: Collection[Codec] = tuple(Codec),
                 elapsed: Callable[[], float] = perf_counter) -> None:
        self.clock = clock
        self.make_worker = make_worker
        self.elapsed = elapsed
        #: What encodes each kind of stream here; empty until it is `known`.
        self.found: Mapping[Codec, Encoding] = {}
        self._codecs = codecs
        self._looking = False
        self._tried = not codecs
        self._failed: frozenset[str] = frozenset()
        self._slow: dict[Codec, _Slow] = {}
        self._changed = Callbacks()

    @property
    def known(self) -> bool:
        """Tell whether it was tried which encoders work; until then there is no video."""
        return self._tried or bool(self.found)

    def begin(self) -> None:
        """Tell the log if there will be no video, for the library is not installed."""
        if not self.known and not installed(LIBRARY):
            self._take({})

    def look(self) -> None:
        """Find out which encoders work, unless it is known; who watches is told then."""
        if not self._looking and not self.known:
            self.find()

    def find(self) -> Deferred[None]:
        """Try which encoders work here."""
        if not self._codecs:
            return succeed(None)
        self._looking = True
        # SVT-AV1 would tell the terminal of every stream.
        os.environ.setdefault("SVT_LOG", "0")
        finding: Deferred[Mapping[Codec, Encoding]]
        finding = self.make_worker().do(_available, self._failed)
        finding.addErrback(self._broken)
        return finding.addCallback(self._take)

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have ``changed`` called when there are others, until the answer is called."""
        return self._changed.add(changed)

    def best(self, codec: Codec, area: int) -> Optional[Encoding]:
        """Give what encodes pictures of so many pixels, None where nothing does in time."""
        slow = self._slow.get(codec)
        if slow is not None and area >= slow.area and self.clock.seconds() < slow.until:
            return None
        return self.found.get(codec)

    @property
    def modes(self) -> dict[int, StreamMode]:
        """Give the stream modes that Kasm's client may ask for.

        It has no names for some encoders: these go by that of the processor's.
        """
        names = {codec: encoding.name for codec, encoding in self.found.items()}
        known = {mode.encoder for mode in MODES.values()}
        return {
            number: mode for number, mode in MODES.items()
            if mode.encoder == names.get(mode.codec)
            or (mode.encoder in SOFTWARE and names.get(mode.codec, mode.encoder) not in known)
        }

    def offers(self, families: Collection[int], area: int) -> list[Offer]:
        """Give what Kasm's client may choose from that reads these families.

        ``area`` is that of its largest screen, in pixels.
        """
        codecs = {FAMILIES[family] for family in families if family in FAMILIES}
        return [
            Offer(number, mode.best, mode.worst, mode.presets)
            for number, mode in self.modes.items()
            if mode.codec in codecs and self.best(mode.codec, area) is not None
        ]

    def failed(self, codec: Codec, encoding: Encoding) -> None:
        """Have the next best encoder: where one in hardware fails, the processor's."""
        if self.found.get(codec) is encoding:
            self.found = {
                other: found for other, found in self.found.items() if other is not codec
            }
            self._failed |= {encoding.name}
            self.find()

    def too_slow(self, codec: Codec, rect: Rect) -> None:
        """Give up this kind of stream for pictures as large as ``rect``."""
        self._log.warn(
            "{codec} falls behind at {rect.width} x {rect.height}: H.264 or images follow",
            codec=codec.name, rect=rect,
        )
        self._slow[codec] = _Slow(rect.area, self.clock.seconds() + AGAIN)
        self._changed.call()

    def _broken(self, failure: Failure) -> Mapping[Codec, Encoding]:
        self._log.failure("no video", failure)
        return {}

    def _take(self, found: Mapping[Codec, Encoding]) -> None:
        self._looking, self._tried = False, True
        self.found = {
            codec: found[codec] for codec in Codec if codec in found and codec in self._codecs
        }
        if self.found:
            names = (f"{codec.name} by {each.name}" for codec, each in self.found.items())
            self._log.info("films go as streams: {streams}", streams=", ".join(names))
        else:
            self._log.info("films go as images: no encoder works here (kasmd[video] has some)")
        self._changed.call()


def _available(failed: frozenset[str]) -> Mapping[Codec, Encoding]:
    link(LIBRARY)
    return available(failed)
