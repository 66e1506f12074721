"""As much of an X client as the painters need (xcffib, MIT-SHM)."""

from __future__ import annotations

import ctypes
import os
from typing import Any, Optional

import numpy
import xcffib
import xcffib.shm
import xcffib.xproto
from numpy.typing import NDArray
from xcffib.xproto import CW, GC, ConfigWindow, EventMask, InputFocus

#: Height x width x 4, uint8: blue, green, red, pad.
Pixels = NDArray[numpy.uint8]

_ZPIXMAP = 2
_ALL_PLANES = 0xFFFFFFFF
_IPC_PRIVATE, _IPC_CREAT, _IPC_RMID = 0, 0o1000, 0
_SHMAT_FAILED = ctypes.c_void_p(-1).value

_libc = ctypes.CDLL(None, use_errno=True)
_libc.shmat.restype = ctypes.c_void_p
_libc.shmget.argtypes = (ctypes.c_int, ctypes.c_size_t, ctypes.c_int)
_libc.shmat.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int)


class Desktop:
    """A connection to the X server of a stack."""

    def __init__(self, display: str, authority: str) -> None:
        os.environ["XAUTHORITY"] = authority
        connection: Any = xcffib.connect(display=display)
        self.x, self.core = connection, connection.core
        self.root = connection.get_screen_pointers()[0]

    def window(self, x: int, y: int, width: int, height: int, background: int = 0) -> int:
        """Map a window that no window manager touches."""
        window: int = self.x.generate_id()
        self.core.CreateWindow(
            self.root.root_depth,
            window,
            self.root.root,
            x,
            y,
            width,
            height,
            0,
            xcffib.xproto.WindowClass.InputOutput,
            self.root.root_visual,
            CW.BackPixel | CW.OverrideRedirect,
            [background, 1],
        )
        self.core.MapWindow(window)
        return window

    def picture_window(self, x: int, y: int, picture: Pixels) -> int:
        """Map a window that shows ``picture`` without further painting."""
        height, width = picture.shape[:2]
        pixmap = self.x.generate_id()
        self.core.CreatePixmap(self.root.root_depth, pixmap, self.root.root, width, height)
        Film(self, pixmap, picture[numpy.newaxis]).show(0)
        window = self.window(x, y, width, height)
        self.core.ChangeWindowAttributes(window, CW.BackPixmap, [pixmap])
        self.core.ClearArea(False, window, 0, 0, 0, 0)
        self.sync()
        return window

    def pen(self, drawable: int, colour: int, font: Optional[str] = None) -> int:
        """Make a graphics context of one colour, with a core font if it writes."""
        gc: int = self.x.generate_id()
        mask, values = GC.Foreground | GC.Background | GC.GraphicsExposures, [colour, 0, 0]
        if font is not None:
            name = font.encode()
            identity = self.x.generate_id()
            self.core.OpenFont(identity, len(name), name)
            mask, values = mask | GC.Font, [colour, 0, identity, 0]
        self.core.CreateGC(gc, drawable, mask, values)
        return gc

    def recolour(self, pen: int, colour: int) -> None:
        """Change what colour ``pen`` draws."""
        self.core.ChangeGC(pen, GC.Foreground, [colour])

    def fill(self, window: int, pen: int, width: int, height: int) -> None:
        """Fill the top left corner of ``window``."""
        area = xcffib.xproto.RECTANGLE.synthetic(0, 0, width, height)
        self.core.PolyFillRectangle(window, pen, 1, [area])

    def write(self, window: int, pen: int, x: int, y: int, text: str) -> None:
        """Write ASCII text with its base line at ``y``."""
        self.core.ImageText8(len(text), window, pen, x, y, text)

    def move(self, window: int, x: int, y: int) -> None:
        """Move a window."""
        self.core.ConfigureWindow(window, ConfigWindow.X | ConfigWindow.Y, [x, y])

    def scroll(self, window: int, pen: int, width: int, height: int, by: int) -> None:
        """Move the content of a window up."""
        self.core.CopyArea(window, window, pen, 0, by, 0, 0, width, height - by)

    def grab(self, x: int, y: int, width: int, height: int) -> Pixels:
        """Read what the desktop shows."""
        reply = self.core.GetImage(
            _ZPIXMAP, self.root.root, x, y, width, height, _ALL_PLANES
        ).reply()
        return numpy.frombuffer(bytes(reply.data), numpy.uint8).reshape(height, width, 4)

    def hear_keys(self, window: int) -> None:
        """Give ``window`` the keyboard, and be told of its keys."""
        self.core.ChangeWindowAttributes(window, CW.EventMask, [EventMask.KeyPress])
        self.core.SetInputFocus(InputFocus.PointerRoot, window, xcffib.xproto.Time.CurrentTime)
        self.sync()

    def key_pressed(self) -> bool:
        """Take what the X server has told, and tell whether a key was among it."""
        pressed = False
        while (event := self.x.poll_for_event()) is not None:
            pressed |= isinstance(event, xcffib.xproto.KeyPressEvent)
        return pressed

    def fileno(self) -> int:
        """Give the connection's descriptor, for select."""
        descriptor: int = self.x.get_file_descriptor()
        return descriptor

    def flush(self) -> None:
        """Send what is buffered."""
        self.x.flush()

    def sync(self) -> None:
        """Wait until the X server has done all that was asked."""
        self.core.GetInputFocus().reply()

    def close(self) -> None:
        """End the connection; its windows go with it."""
        self.x.disconnect()


class Film:
    """Pictures in memory shared with the X server: to show one costs no copy here."""

    def __init__(self, desktop: Desktop, drawable: int, frames: NDArray[numpy.uint8]) -> None:
        self.count, self._height, self._width = frames.shape[:3]
        self._desktop, self._drawable = desktop, drawable
        self._size = frames[0].nbytes
        identity, address = _shared_memory(frames.nbytes)
        self._segment = desktop.x.generate_id()
        self._extension = desktop.x(xcffib.shm.key)
        try:
            self._extension.Attach(self._segment, identity, False, is_checked=True).check()
        finally:
            _libc.shmctl(identity, _IPC_RMID, None)
        ctypes.memmove(address, frames.ctypes.data, frames.nbytes)
        self._pen = desktop.pen(drawable, 0)

    def show(self, number: int) -> None:
        """Put one frame at the top left of the drawable."""
        width, height = self._width, self._height
        self._extension.PutImage(
            self._drawable,
            self._pen,
            width,
            height,
            0,
            0,
            width,
            height,
            0,
            0,
            self._desktop.root.root_depth,
            _ZPIXMAP,
            False,
            self._segment,
            number * self._size,
        )


def _shared_memory(size: int) -> tuple[int, int]:
    identity = _libc.shmget(_IPC_PRIVATE, size, _IPC_CREAT | 0o600)
    if identity < 0:
        raise OSError(ctypes.get_errno(), "shmget")
    address = _libc.shmat(identity, None, 0)
    if address == _SHMAT_FAILED:
        raise OSError(ctypes.get_errno(), "shmat")
    return identity, address
