"""A small X client for the live tests, in a process of its own.

It is told a line and answers with one:

    show FILE X Y     a window with the picture in FILE (.npy; BGRX) lies at X, Y
    play FILE X Y     the pictures in FILE follow one another until the next line
    blink X Y         a window of 64 x 64 changes its colour until the next line
    cursor GLYPH      the pointer has this shape of the cursor font over the window
    size              <- the size of the screen, "WIDTH HEIGHT"
    held              <- how many keys are down, and the mask of buttons and modifiers
"""

from __future__ import annotations

import os
import select
import sys
from functools import partial
from pathlib import Path
from typing import Any, Callable, Mapping, Optional

import numpy as np
import xcffib
from xcffib import xproto

from tests.live.programs import ROOT, Program

_BLINK = 64
#: Between two colours, in seconds.
_PAUSE = 0.02


class Painter(Program):
    """The client, seen from a test."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        command = (sys.executable, "-u", "-m", "tests.live.painter")
        super().__init__(*command, env=environment, cwd=ROOT)
        self._asked = 0

    def __enter__(self) -> Painter:
        return self

    def do(self, line: str) -> str:
        """Have it done; give the answer."""
        self._asked += 1
        self.say(line)
        return self.wait_for(rf"^{self._asked}: (.*)$")[1]

    def show(self, pixels: np.ndarray, path: Path, x: int = 0, y: int = 0) -> None:
        """Show a picture of (height, width, 4) bytes, BGRX."""
        np.save(path, pixels)
        self.do(f"show {path} {x} {y}")

    def play(self, pictures: np.ndarray, path: Path, x: int = 0, y: int = 0) -> None:
        """Play pictures, of (number, height, width, 4) bytes, until the next deed."""
        np.save(path, pictures)
        self.do(f"play {path} {x} {y}")

    @property
    def size(self) -> tuple[int, int]:
        width, height = self.do("size").split()
        return int(width), int(height)


class _Client:
    def __init__(self) -> None:
        self._x: Any = xcffib.connect()
        self._screen = self._x.get_setup().roots[self._x.pref_screen]
        self._window = self._x.generate_id()
        self._there = False
        self._move: Optional[Callable[[], None]] = None
        self._number = 0

    def run(self) -> None:
        """Do what the lines say until they end."""
        count, pending = 0, b""
        while True:
            if self._move and not select.select([0], [], [], _PAUSE)[0]:
                self._move()
                continue
            data = os.read(0, 4096)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                verb, *words = line.decode().split()
                self._move = None
                count += 1
                print(f"{count}: {getattr(self, '_do_' + verb)(*words)}")

    def _do_show(self, path: str, x: str, y: str) -> str:
        pixels = np.load(path)
        height, width = pixels.shape[:2]
        pixmap = self._pixmap(pixels)
        # As a background it is painted by the server, whatever uncovers the window.
        self._open(int(x), int(y), width, height, xproto.CW.BackPixmap, pixmap)
        self._x.core.FreePixmap(pixmap)
        return self._done()

    def _do_play(self, path: str, x: str, y: str) -> str:
        film = [self._pixmap(pixels) for pixels in np.load(path)]
        height, width = np.load(path, mmap_mode="r").shape[1:3]
        self._open(int(x), int(y), width, height, xproto.CW.BackPixmap, film[0])
        self._move = partial(self._play, film)
        return self._done()

    def _pixmap(self, pixels: np.ndarray) -> int:
        height, width = pixels.shape[:2]
        pixmap, gc = self._x.generate_id(), self._x.generate_id()
        core, depth = self._x.core, self._screen.root_depth
        core.CreatePixmap(depth, pixmap, self._screen.root, width, height)
        core.CreateGC(gc, pixmap, 0, [])
        for top in range(0, height, 16):
            band = pixels[top:top + 16]
            data = band.tobytes()
            core.PutImage(xproto.ImageFormat.ZPixmap, pixmap, gc, width, len(band), 0, top, 0,
                          depth, len(data), data)
        core.FreeGC(gc)
        return pixmap

    def _do_blink(self, x: str, y: str) -> str:
        self._open(int(x), int(y), _BLINK, _BLINK, xproto.CW.BackPixel, 0)
        self._move = self._blink
        return self._done()

    def _do_cursor(self, glyph: str) -> str:
        font, cursor, core = self._x.generate_id(), self._x.generate_id(), self._x.core
        core.OpenFont(font, len("cursor"), "cursor")
        core.CreateGlyphCursor(cursor, font, font, int(glyph), int(glyph) + 1, 0, 0, 0, 65535, 0, 0)
        core.ChangeWindowAttributes(self._window, xproto.CW.Cursor, [cursor])
        core.FreeCursor(cursor)
        core.CloseFont(font)
        return self._done()

    def _do_size(self) -> str:
        geometry = self._x.core.GetGeometry(self._screen.root).reply()
        return f"{geometry.width} {geometry.height}"

    def _do_held(self) -> str:
        keys = sum(byte.bit_count() for byte in self._x.core.QueryKeymap().reply().keys)
        return f"{keys} {self._x.core.QueryPointer(self._screen.root).reply().mask}"

    def _open(self, x: int, y: int, width: int, height: int, mask: int, value: int) -> None:
        core = self._x.core
        if self._there:
            core.DestroyWindow(self._window)
        self._there = True
        core.CreateWindow(
            self._screen.root_depth, self._window, self._screen.root, x, y, width, height, 0,
            xproto.WindowClass.InputOutput, self._screen.root_visual,
            mask | xproto.CW.OverrideRedirect, [value, 1],
        )
        core.MapWindow(self._window)

    def _blink(self) -> None:
        self._number = (self._number + 0x50301) & 0xFFFFFF
        self._repaint(xproto.CW.BackPixel, self._number)

    def _play(self, film: list[int]) -> None:
        self._number += 1
        self._repaint(xproto.CW.BackPixmap, film[self._number % len(film)])

    def _repaint(self, kind: int, value: int) -> None:
        self._x.core.ChangeWindowAttributes(self._window, kind, [value])
        self._x.core.ClearArea(False, self._window, 0, 0, 0, 0)
        self._done()

    def _done(self) -> str:
        self._x.core.GetInputFocus().reply()
        return "done"


if __name__ == "__main__":
    _Client().run()
