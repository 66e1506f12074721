"""Latency: a square that changes colour, and a viewer that sees it."""

from __future__ import annotations

import random
import select
import time
from typing import Callable, Self, Sequence, Union

import numpy

from bench.child import Numbers
from bench.client import ENCODINGS, Viewer
from bench.processes import Failed
from bench.stacks import AUTHORIZATION, Stack
from bench.tight import Picture
from bench.websocket import WebSocket
from bench.x11 import Desktop

Source = Union[WebSocket, Desktop]
#: Left, top, width, height.
Area = tuple[int, int, int, int]

#: The square that latency is measured with; clear of the pointer's first place, and one
#: that is clear of the video and of the text, too.
_SQUARE, BESIDE = (640, 384, 32, 32), (1700, 950, 32, 32)
#: Seconds after which a change that nobody saw counts as lost.
_LOST_AFTER = 2.0
#: Difference of a colour channel's mean below which a decoded colour is the painted one.
SAME_COLOUR = 24
#: Seconds before measuring.
WARM_UP = 1.0


class Square:
    """A square that changes colour, and a viewer in this very process that sees it."""

    def __init__(self, stack: Stack, place: Area = _SQUARE,
                 encodings: Sequence[int] = ENCODINGS) -> None:
        self._place = place
        self._desktop = Desktop(stack.display, stack.authority)
        self._window = self._desktop.window(*place)
        self._pen = self._desktop.pen(self._window, 0)
        self._desktop.sync()
        self.viewer = Viewer(stack.port, AUTHORIZATION, decode=True, encodings=encodings)
        self._chance = random.Random(9)
        self._sources: list[Source] = [self.viewer.socket]

    def __enter__(self) -> Self:
        self.watch(WARM_UP)
        return self

    def __exit__(self, *_error: object) -> None:
        self.viewer.socket.close()
        self._desktop.close()

    def draw_often(
        self, draws: int, between: Callable[[int], None] = lambda number: None
    ) -> list[float]:
        """Draw with 30 to 60 ms of rest; gives seconds, infinite where it was lost."""
        taken = []
        for number in range(draws):
            between(number)
            self.watch(self._chance.uniform(0.03, 0.06))
            taken.append(self._draw(number))
        return taken

    def _draw(self, number: int) -> float:
        self._next(number)
        self._paint()
        began = time.perf_counter()
        self._desktop.flush()
        seen = self.watch(_LOST_AFTER, self._shows)
        return time.perf_counter() - began if seen else float("inf")

    def _next(self, number: int) -> None:
        """Choose what is painted next."""
        channels = [(number * step + start) % 3 * 120 for step, start in ((1, 0), (1, 1), (2, 2))]
        self._colour = numpy.array(channels)

    def _paint(self) -> None:
        red, green, blue = self._colour.tolist()
        self._desktop.recolour(self._pen, red << 16 | green << 8 | blue)
        self._desktop.fill(self._window, self._pen, *self._place[2:])

    def watch(self, seconds: float, seen: Callable[[], bool] = lambda: False) -> bool:
        """Receive until something is ``seen``, or for ``seconds``; tells which."""
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            ready = select.select(self._sources, [], [], left)[0]
            if self._desktop in ready:
                self._answer()
            if self.viewer.socket not in ready:
                continue
            self.viewer.socket.receive()
            if seen():
                return True
        return False

    def _answer(self) -> None:
        """Act on what the X server said; nothing, unless it was asked for."""

    def _shows(self) -> bool:
        """Tell whether the viewer holds what was painted last."""
        away = abs(self.held(self._place).mean(axis=(0, 1)) - self._colour)
        return bool(away.max() < SAME_COLOUR)

    def held(self, area: Area) -> Picture:
        """Give a part of what the viewer holds."""
        assert self.viewer.screen is not None
        x, y, width, height = area
        return self.viewer.screen[y : y + height, x : x + width]


def percentiles(taken: list[float]) -> Numbers:
    """Give the middle and the worst of ``taken``, seconds, and how many were lost."""
    seen = [seconds * 1000 for seconds in taken if seconds < float("inf")]
    if not seen:
        raise Failed("no draw was ever seen")
    p50, p99 = numpy.percentile(seen, (50, 99))
    return {"p50_ms": float(p50), "p99_ms": float(p99), "lost": len(taken) - len(seen)}
