"""Keys that a viewer presses, and what it sees of them."""

from __future__ import annotations

import time
from typing import Sequence

from bench.client import ENCODINGS
from bench.painters import ADVANCE, ASCENT, FONT, LINE, TEXT, WHITE, corner
from bench.square import BESIDE, Area, Square
from bench.stacks import Stack
from bench.tight import Picture

#: Seconds after which one gives up on a key press, or on the next update.
UNSEEN_AFTER = 5.0
#: Seconds of rest before a press, as chance has it.
_REST = (0.05, 0.2)
_LETTER = 0x61
#: A colour channel's value above which a pixel belongs to a letter.
_LIT = (WHITE & 0xFF) // 2


class Keys(Square):
    """A square that changes its colour when the viewer presses a key."""

    def __init__(self, stack: Stack, encodings: Sequence[int] = ENCODINGS,
                 place: Area = BESIDE, patience: float = UNSEEN_AFTER) -> None:
        super().__init__(stack, place, encodings)
        self._patience = patience
        self._desktop.hear_keys(self._window)
        self._sources.append(self._desktop)

    def press_often(self, seconds: float) -> list[float]:
        """Press, and rest once it shows; gives seconds, and where nothing does all it waited."""
        taken: list[float] = []
        ends = time.perf_counter() + seconds
        while time.perf_counter() < ends:
            self.watch(self._chance.uniform(*_REST))
            self._next(len(taken))
            began = time.perf_counter()
            self.viewer.press(_LETTER)
            seen = self.watch(self._patience, self._shows)
            taken.append(time.perf_counter() - began if seen else self._patience)
        return taken

    def picture(self) -> Picture:
        """Give what the viewer holds after the next update, or where none ends for long."""
        kept: list[Picture] = []
        self.viewer.when_updated = lambda: kept.append(self.viewer.held())
        self.watch(self._patience, lambda: bool(kept))
        self.viewer.when_updated = lambda: None
        return kept[0] if kept else self.viewer.held()

    def _answer(self) -> None:
        if self._desktop.key_pressed():
            self._paint()
            self._desktop.flush()


class Letters(Keys):
    """A text that gets one more letter when the viewer presses a key."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(stack, place=TEXT)
        self._pen = self._desktop.pen(self._window, WHITE, FONT)

    def _next(self, number: int) -> None:
        self._corner = corner(number)

    def _paint(self) -> None:
        left, top = self._corner
        self._desktop.write(self._window, self._pen, left, top + ASCENT, chr(_LETTER))

    def _shows(self) -> bool:
        left, top = self._corner
        letter = (TEXT[0] + left, TEXT[1] + top, ADVANCE, LINE)
        return bool((self.held(letter) > _LIT).any())
