"""The rules against the loss of data as they stand over one display, for all its seats."""

from __future__ import annotations

import time
from itertools import count
from typing import Any, Callable, Optional

from twisted.internet.defer import Deferred, maybeDeferred, succeed

from kasmd.interfaces import IWorker
from kasmd.permission.callbacks import Callbacks
from kasmd.permission.dlp import Input, Output, Pause, Rules
from kasmd.permission.dlp_log import Witness
from kasmd.permission.watermark import Drawing
from kasmd.screen.framebuffer import Snapshot
from kasmd.screen.geometry import Rect
from kasmd.screen.mask import Mask, Stamp
from kasmd.screen.region import EMPTY, Region

#: Bytes of one frame that are kept covered, for the next seat that looks at the same.
COVERED_BYTES = 8 << 20

#: Never 0, which is the mask of those who see all.
_idents = count(1)


class Prevention:
    """``rules`` (ConfigError where the watermark's files are wrong), and the mask they make.

    ``worker`` draws what takes long, if there is one; ``wall`` is seconds since
    the epoch, ``now`` seconds that never jump.
    """

    def __init__(self, rules: Rules = Rules(), worker: Optional[IWorker] = None,
                 wall: Callable[[], float] = time.time,
                 now: Callable[[], float] = time.monotonic) -> None:
        self._rules = rules
        self._worker = worker
        self._wall = wall
        self._now = now
        self._drawing = Drawing(rules.watermark) if rules.watermark is not None else None
        self._text = self._drawing.text(wall()) if self._drawing is not None else ""
        self._stamp = self._drawing.stamp(self._text) if self._drawing is not None else None
        self._mask: Optional[Mask] = None
        self._reading = Pause(rules.seconds_between_copies, now)
        self._covered: dict[Rect, Snapshot] = {}
        self._covered_bytes = 0
        self._callbacks = Callbacks()
        #: Where the watermark was and is that changed last.
        self.redrawn: Region = EMPTY

    def input(self, name: str) -> Input:
        """Give what is asked before ``name`` does something."""
        return Input(self._rules, Witness(self._rules.log_level, name, self._now), self._now)

    def output(self, name: str) -> Output:
        """Give what is asked before ``name`` is offered something."""
        pause = Pause(self._rules.seconds_between_copies, self._now)
        return Output(self._rules, Witness(self._rules.log_level, name, self._now), pause)

    def reading(self, name: str) -> Output:
        """Give what is asked before ``name`` reads something; all who read share one pause."""
        witness = Witness(self._rules.log_level, name, self._now)
        return Output(self._rules, witness, self._reading)

    def mask(self, size: tuple[int, int]) -> Optional[Mask]:
        """Give what lies over a display of this size, None for nothing."""
        if self._rules.visible_region is None and self._stamp is None:
            return None
        if self._mask is None or self._mask.size != size:
            self._mask = self._new_mask(size)
        return self._mask

    def look(self, snapshot: Snapshot, size: tuple[int, int]) -> Snapshot:
        """Give what may be seen of a part of a display of ``size``, the same to all."""
        mask = self.mask(size)
        if mask is None:
            return snapshot
        identity = snapshot.identity._replace(mask=mask.ident)
        covered = self._covered.get(snapshot.rect)
        if covered is None or covered.identity != identity:
            covered = mask.cover(snapshot)
            self._keep(covered)
        return covered

    def visible(self, size: tuple[int, int]) -> Rect:
        """Give what is not concealed."""
        region = self._rules.visible_region
        return region.on(*size) if region is not None else Rect(0, 0, *size)

    def cover(self, snapshot: Snapshot) -> Deferred[Snapshot]:
        """Give what may be seen of all of a picture; drawn by the worker."""
        mask = self.mask((snapshot.rect.width, snapshot.rect.height))
        return succeed(snapshot) if mask is None else self._do(mask.cover, snapshot)

    def refresh(self) -> Optional[Deferred[None]]:
        """Draw the watermark anew if it tells another time now; may be called each second."""
        if self._drawing is None:
            return None
        text = self._drawing.text(self._wall())
        if text == self._text:
            return None
        self._text = text
        return self._do(self._drawing.stamp, text).addCallback(self._redraw)

    def when_redrawn(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each change of the watermark, until the answer is called."""
        return self._callbacks.add(callback)

    def _do(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        do = self._worker.do if self._worker is not None else maybeDeferred
        done: Deferred[Any] = do(work, *args)
        return done

    def _keep(self, covered: Snapshot) -> None:
        """Keep what was covered as long as the picture stays what it is."""
        kept = next(iter(self._covered.values()), None)
        if kept is not None and kept.identity != covered.identity:
            self._covered.clear()
            self._covered_bytes = 0
        if self._covered_bytes + covered.pixels.nbytes <= COVERED_BYTES:
            self._covered[covered.rect] = covered
            self._covered_bytes += covered.pixels.nbytes

    def _redraw(self, stamp: Stamp) -> None:
        self._stamp, before = stamp, self._mask
        if before is not None:
            self._mask = self._new_mask(before.size)
            self.redrawn = before.stamped.union(self._mask.stamped)
            self._callbacks.call()

    def _new_mask(self, size: tuple[int, int]) -> Mask:
        return Mask(next(_idents), size, self.visible(size), self._stamp)
