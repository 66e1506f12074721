"""What happens on the desktop, each a process: python -m bench.painters NAME RATE ..."""

from __future__ import annotations

import math
import random
import sys
import time
from functools import cache
from pathlib import Path
from typing import Callable, Iterator, Sequence

import numpy
from PIL import Image, ImageDraw, ImageFont

from bench.child import answer, serve
from bench.pictures import film
from bench.stacks import HEIGHT, WIDTH
from bench.x11 import Desktop, Film

#: Where the video plays, and the size of its frames.
VIDEO = (320, 180, 1280, 720)
#: Where text is written; a line's height, how far above the base line it begins, and a letter's
#: width; the font and its colour.
TEXT = (200, 200, 800, 608)
LINE, ASCENT, ADVANCE = 16, 12, 6
FONT, WHITE = "fixed", 0xF0F0F0
_LETTERS = "etaoin shrdlu cmfwyp vbgkjq ETAOIN 0123456789 .,;(){}=+"
SMOOTH_FONT, SMOOTH_SIZE, _PAGES = "DejaVuSansMono.ttf", 12, 3
_GREY, _GAP = 0x405060, 20
_TERMINAL = WIDTH // 2 - 2 * _GAP, HEIGHT // 2 - 2 * _GAP
_TERMINALS = [(x, y) for x in (_GAP, WIDTH // 2 + _GAP) for y in (_GAP, HEIGHT // 2 + _GAP)]
#: Seconds between looks at a metronome that does not run.
_LONG = 3600.0

#: Paints once more; is given how often it painted before.
Paint = Callable[[int], None]


def video(desktop: Desktop, frames: str) -> Paint:
    """Play the frames of a .npy file over and over."""
    window = desktop.window(*VIDEO)
    reel = Film(desktop, window, numpy.load(frames, mmap_mode="r"))
    return lambda number: reel.show(number % reel.count)


def scroll(desktop: Desktop) -> Paint:
    """Scroll a text by one line, as a terminal does."""
    x, y, width, height = TEXT
    window = desktop.window(x, y, width, height)
    pen, blank = desktop.pen(window, WHITE, FONT), desktop.pen(window, 0)
    chance = random.Random(20)

    def paint(number: int) -> None:
        desktop.scroll(window, blank, width, height, LINE)
        desktop.core.ClearArea(False, window, 0, height - LINE, width, LINE)
        text = f"{number:6} " + "".join(chance.choices(_LETTERS, k=chance.randint(30, 120)))
        desktop.write(window, pen, 2, height - 4, text)

    for number in range(height // LINE):
        paint(number)
    return paint


def typing(desktop: Desktop) -> Paint:
    """Write one more letter."""
    window = desktop.window(*TEXT)
    pen = desktop.pen(window, WHITE, FONT)
    chance = random.Random(15)

    def paint(number: int) -> None:
        left, top = corner(number)
        letter = chance.choice(_LETTERS.replace(" ", ""))
        desktop.write(window, pen, left, top + ASCENT, letter)

    return paint


def corner(number: int) -> tuple[int, int]:
    """Give the left and the top, in the text, of a letter's place."""
    columns, lines = TEXT[2] // ADVANCE - 1, TEXT[3] // LINE
    line, column = divmod(number, columns)
    return 2 + column * ADVANCE, line % lines * LINE


def full(desktop: Desktop, frames: str) -> Paint:
    """Play the frames of a .npy file on all of the desktop."""
    window = desktop.window(0, 0, WIDTH, HEIGHT)
    reel = Film(desktop, window, numpy.load(frames, mmap_mode="r"))
    return lambda number: reel.show(number % reel.count)


def text(desktop: Desktop) -> Paint:
    """Fill four terminals with lines that are made of words, other ones each time."""
    desktop.window(0, 0, WIDTH, HEIGHT, _GREY)
    windows = [desktop.window(x, y, *_TERMINAL) for x, y in _TERMINALS]
    pens = [desktop.pen(window, WHITE, FONT) for window in windows]
    chance = random.Random(40)

    def paint(number: int) -> None:
        for window, pen in zip(windows, pens):
            desktop.core.ClearArea(False, window, 0, 0, 0, 0)
            for base, line in _lines(chance):
                desktop.write(window, pen, 2, base, line[: _TERMINAL[0] // ADVANCE])

    return paint


def smooth(desktop: Desktop) -> Paint:
    """Fill them with the same in a font with smooth edges, as desktops do nowadays."""
    font, chance = ImageFont.truetype(SMOOTH_FONT, SMOOTH_SIZE), random.Random(40)
    frames = numpy.empty((_PAGES, HEIGHT, WIDTH, 4), numpy.uint8)
    for frame in frames:
        page = Image.new("RGBX", (WIDTH, HEIGHT), _bgr(_GREY))
        for place in _TERMINALS:
            terminal = Image.new("RGBX", _TERMINAL, _bgr(0))
            pen = ImageDraw.Draw(terminal)
            for base, line in _lines(chance):
                pen.text((2, base), line, _bgr(WHITE), font, "ls")
            page.paste(terminal, place)
        frame[...] = numpy.asarray(page)
    reel = Film(desktop, desktop.window(0, 0, WIDTH, HEIGHT), frames)
    return lambda number: reel.show(number % reel.count)


@cache
def _words() -> Sequence[str]:
    return Path(__file__).read_text().split()


def _lines(chance: random.Random) -> Iterator[tuple[int, str]]:
    """Give a terminal's lines, and where each has its base."""
    words = _words()
    for base in range(12, _TERMINAL[1], LINE):
        yield base, " ".join(chance.choices(words, k=chance.randint(0, 16)))


def _bgr(colour: int) -> tuple[int, ...]:
    return tuple(colour.to_bytes(4, "little"))


def drag(desktop: Desktop) -> Paint:
    """Move a window with a picture along a curve, over a wallpaper."""
    desktop.picture_window(0, 0, film(WIDTH, HEIGHT, 1, seed=3)[0])
    window = desktop.picture_window(700, 300, film(480, 360, 1)[0])

    def paint(number: int) -> None:
        angle = number / 30
        x, y = 700 + 500 * math.sin(angle), 300 + 200 * math.sin(2 * angle)
        desktop.move(window, int(x), int(y))

    return paint


PAINTERS: dict[str, Callable[..., Paint]] = {
    "video": video,
    "full": full,
    "text": text,
    "smooth": smooth,
    "scroll": scroll,
    "typing": typing,
    "drag": drag,
}


class Metronome:
    """Paints at an even pace between start and stop; never two at once to catch up."""

    def __init__(self, desktop: Desktop, paint: Paint, rate: float) -> None:
        self.painted = 0
        self._desktop, self._paint, self._period = desktop, paint, 1 / rate
        self._due = 0.0
        self._running = False

    def wait(self) -> float:
        """Paint if it is time, and say how long until the next."""
        now = time.monotonic()
        if not self._running:
            return _LONG
        if now >= self._due:
            self._paint(self.painted)
            self._desktop.flush()
            self.painted += 1
            self._due = max(self._due + self._period, now)
        return max(0.0, self._due - time.monotonic())

    def reply(self, words: Sequence[str]) -> None:
        """Answer ``count``, after ``start``, ``stop`` or ``once`` have been obeyed."""
        if words[0] == "once":
            self._paint(self.painted)
            self._desktop.sync()
            self.painted += 1
        if words[0] in ("start", "stop"):
            self._running = words[0] == "start"
            self._due = time.monotonic()
            self._desktop.sync()
        answer({"painted": self.painted})


def main(name: str, rate: str, display: str, authority: str, *arguments: str) -> None:
    """Paint until the parent ends the conversation."""
    desktop = Desktop(display, authority)
    paint = PAINTERS[name](desktop, *arguments)
    desktop.sync()
    metronome = Metronome(desktop, paint, float(rate))
    serve(metronome.reply, wait=metronome.wait)


if __name__ == "__main__":
    main(*sys.argv[1:])
