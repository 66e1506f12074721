"""Latency: a square that changes colour, and a viewer that sees it."""

from __future__ import annotations

import random
import select
import time
from typing import Callable, Optional

import numpy

from bench.child import Numbers
from bench.client import Viewer
from bench.processes import Failed
from bench.stacks import AUTHORIZATION, Stack
from bench.x11 import Desktop

#: The square that latency is measured with; clear of the pointer's first place.
_SQUARE = (640, 384, 32, 32)
#: Seconds after which a change that nobody saw counts as lost.
_LOST_AFTER = 2.0
#: Mean difference of a colour channel below which a decoded colour is the painted one.
SAME_COLOUR = 24
#: Seconds before measuring.
WARM_UP = 1.0


class Square:
    """A square that changes colour, and a viewer in this very process that sees it."""

    def __init__(self, stack: Stack) -> None:
        self._desktop = Desktop(stack.display, stack.authority)
        self._window = self._desktop.window(*_SQUARE)
        self._pen = self._desktop.pen(self._window, 0)
        self._desktop.sync()
        self._viewer = Viewer(stack.port, AUTHORIZATION, decode=True)
        self._chance = random.Random(9)

    def __enter__(self) -> Square:
        self._watch(WARM_UP)
        return self

    def __exit__(self, *_error: object) -> None:
        self._viewer.socket.close()
        self._desktop.close()

    def draw_often(
        self, draws: int, between: Callable[[int], None] = lambda number: None
    ) -> list[float]:
        """Draw with 30 to 60 ms of rest; gives seconds, infinite where it was lost."""
        taken = []
        for number in range(draws):
            between(number)
            self._watch(self._chance.uniform(0.03, 0.06))
            taken.append(self._draw(number))
        return taken

    def _draw(self, number: int) -> float:
        channels = [(number * step + start) % 3 * 120 for step, start in ((1, 0), (1, 1), (2, 2))]
        colour = numpy.array(channels)
        red, green, blue = channels
        self._desktop.recolour(self._pen, red << 16 | green << 8 | blue)
        self._desktop.fill(self._window, self._pen, *_SQUARE[2:])
        began = time.perf_counter()
        self._desktop.flush()
        seen = self._watch(_LOST_AFTER, colour)
        return time.perf_counter() - began if seen else float("inf")

    def _watch(self, seconds: float, colour: Optional[numpy.ndarray] = None) -> bool:
        """Receive until the square has ``colour``, or for ``seconds``."""
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            if not select.select([self._viewer.socket], [], [], left)[0]:
                break
            self._viewer.socket.receive()
            if colour is not None and self._shows(colour):
                return True
        return False

    def _shows(self, colour: numpy.ndarray) -> bool:
        assert self._viewer.screen is not None
        x, y, width, height = _SQUARE
        shown = self._viewer.screen[y : y + height, x : x + width]
        return bool(abs(shown - colour).max() < SAME_COLOUR)


def percentiles(taken: list[float]) -> Numbers:
    """Give the middle and the worst of ``taken``, seconds, and how many were lost."""
    seen = [seconds * 1000 for seconds in taken if seconds < float("inf")]
    if not seen:
        raise Failed("no draw was ever seen")
    p50, p99 = numpy.percentile(seen, (50, 99))
    return {"p50_ms": float(p50), "p99_ms": float(p99), "lost": len(taken) - len(seen)}
