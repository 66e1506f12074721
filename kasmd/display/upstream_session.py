"""One conversation with an upstream: what is asked of it, and what becomes of its answers."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import Any, Callable, NamedTuple, Optional, Sequence

from twisted.internet.base import DelayedCall
from twisted.internet.defer import Deferred

from kasmd.display.layout import DONE, INVALID_LAYOUT, MAX_WAITING, NO_RESOURCES
from kasmd.display.paced import Paced
from kasmd.display.upstream_clipboard import UpstreamClipboard
from kasmd.display.upstream_picture import Picture
from kasmd.display.upstream_wire import UpstreamWire
from kasmd.display.watched import Patch
from kasmd.interfaces import ClipboardContent, IWorker
from kasmd.rfb.client import PICTURES, ClientSession
from kasmd.rfb.numbers import DesktopSizeReason, Encoding
from kasmd.rfb.said import (
    BellRung,
    Connected,
    ContinuousUpdatesEnded,
    CutTextSent,
    Received,
    RectangleReceived,
    Said,
    UpdateReceived,
)
from kasmd.rfb.shape import cursor_of, name_of, screens_of
from kasmd.rfb.standard import MORE_BUTTONS
from kasmd.screen.cursor import Cursor
from kasmd.screen.geometry import Move, Rect, Screen
from kasmd.screen.pixels import BGRX

#: Seconds between two bells, cursors, names or lamps that are told, and between two sizes.
PACE = 0.1
SIZE_PACE = 0.05

#: What is asked for, dearest first; the quality goes before.
ENCODINGS = (
    Encoding.COPY_RECT,
    Encoding.COLUMNS,
    Encoding.TIGHT,
    Encoding.ZRLE,
    Encoding.HEXTILE,
    Encoding.RAW,
    Encoding.CURSOR_WITH_ALPHA,
    Encoding.VMWARE_CURSOR,
    Encoding.CURSOR,
    Encoding.DESKTOP_SIZE,
    Encoding.EXTENDED_DESKTOP_SIZE,
    Encoding.LAST_RECT,
    Encoding.DESKTOP_NAME,
    Encoding.LED_STATE,
    Encoding.FENCE,
    Encoding.CONTINUOUS_UPDATES,
    Encoding.EXTENDED_MOUSE_BUTTONS,
    Encoding.QEMU_EXTENDED_KEY_EVENT,
    Encoding.EXTENDED_CLIPBOARD,
)
#: The pseudo-encoding of JPEG quality 0 (RFC 6143 section 7.8; rfbproto).
_QUALITY = -32
#: A pixel that comes only where it changed, or is asked for.
_ORIGIN = Rect(0, 0, 1, 1)


class Face(NamedTuple):
    """The display: what it is told, and what it says about itself."""

    show: Callable[[Sequence[Patch]], None]
    move: Callable[[Move], None]
    shown: Callable[[], None]
    sized: Callable[[int, int, Sequence[Screen]], None]
    ended: Callable[[bool], None]
    cursor: Callable[[Cursor], None]
    leds: Callable[[int], None]
    named: Callable[[str], None]
    bell: Callable[[], None]
    copied: Callable[[ClipboardContent], None]
    watched: Callable[[], bool]
    interval: Callable[[], float]


class UpstreamSession:
    """What lives as long as a connection."""

    def __init__(self, reactor: Any, face: Face, wire: UpstreamWire, worker: IWorker,
                 clipboard_bytes: int, quality: Optional[int]) -> None:
        self.wire = wire
        self.clipboard = UpstreamClipboard(reactor, wire.session, clipboard_bytes, face.copied)
        self._reactor = reactor
        self._face = face
        self._session: ClientSession = wire.session
        self._quality = quality
        self._picture = Picture(reactor, worker, wire, face.show, face.move, face.shown)
        self._sizes = Paced(reactor, SIZE_PACE, self._sized)
        self._paced = {
            what: Paced(reactor, PACE, told)
            for what, told in (("bell", face.bell), ("cursor", face.cursor),
                               ("name", face.named), ("leds", face.leds))
        }
        self._blocked: Optional[Received] = None
        self._origin_came = False
        self._began: Optional[float] = None
        self._asked_at = 0.0
        self._asked = False
        self._asking: Optional[DelayedCall] = None
        self._continuous: Optional[bool] = None
        self._keycodes = self._more_buttons = False
        self._resizable = False
        self._size: Optional[tuple[int, int]] = None
        self._resizes: deque[Deferred[int]] = deque()

    @property
    def lasted(self) -> float:
        """Seconds since the first picture."""
        return 0.0 if self._began is None else float(self._reactor.seconds() - self._began)

    @property
    def sizing(self) -> bool:
        """Whether a size is known that is not shown yet."""
        return self._sizes.waiting

    # Inward: dropped before ServerInit.

    def key(self, keysym: int, keycode: int, down: bool) -> None:
        """Press or release a key."""
        self._say(self._session.send_key, down, keysym, keycode if self._keycodes and keycode
                  else None)

    def pointer(self, x: int, y: int, buttons: int) -> None:
        """Put the pointer; buttons that the upstream cannot have are not pressed."""
        most = 0x1FF if self._more_buttons else MORE_BUTTONS - 1
        self._say(self._session.send_pointer, x, y, buttons & most)

    def offer(self, content: ClipboardContent) -> None:
        """Own the upstream's clipboard."""
        self._say(self.clipboard.offer, content)

    def resize(self, width: int, height: int,
               screens: Sequence[Screen]) -> Optional[Deferred[int]]:
        """Ask for a size and layout; fires with rfbproto's answer.  None: it cannot be asked."""
        if not self._resizable or len(self._resizes) >= MAX_WAITING:
            return None
        self._say(self._session.send_desktop_size, width, height, screens)
        self._say(self._session.send_update_request, True, self._whole)
        answer: Deferred[int] = Deferred()
        self._resizes.append(answer)
        return answer

    def ask_for_all(self) -> None:
        """Have an update come that has all there is by now; it has the origin in it."""
        self._say(self._session.send_update_request, True, self._whole)
        self._say(self._session.send_update_request, False, _ORIGIN)

    def audience_changed(self) -> None:
        """Ask for pictures while they are wanted."""
        if self._began is not None:
            self._set_continuous()
            self._ask_again()
            self.wire.flush()

    def close(self) -> None:
        """Tell and ask nothing more."""
        for paced in (self._sizes, *self._paced.values()):
            paced.close()
        self.clipboard.close()
        if self._asking is not None:
            self._asking.cancel()
            self._asking = None
        while self._resizes:
            self._resizes.popleft().callback(NO_RESOURCES)

    # Outward.

    def heard(self, event: Said) -> None:
        """Take what the upstream said (ProtocolError)."""
        if isinstance(event, RectangleReceived):
            self._rectangle(event.received)
        elif isinstance(event, UpdateReceived):
            self._picture.finish(self._update_shown)
        elif isinstance(event, CutTextSent):
            self.clipboard.heard(event)
        elif isinstance(event, BellRung):
            self._paced["bell"]()
        elif isinstance(event, ContinuousUpdatesEnded):
            # Once more than asked for: it wants to be asked each time.
            self._continuous = None if self._continuous else False
            self._set_continuous()
        elif isinstance(event, Connected):
            self._connected(event)

    def _connected(self, event: Connected) -> None:
        self._began = self._reactor.seconds()
        self._session.send_pixel_format(BGRX)
        quality = () if self._quality is None else (_QUALITY + self._quality,)
        self._session.send_encodings([*ENCODINGS, *quality])
        self._paced["name"](event.name)
        self._sizes(event.width, event.height, ())

    def _rectangle(self, received: Received) -> None:
        encoding = received.encoding
        if encoding in PICTURES:
            self._origin_came |= received.rect.contains(_ORIGIN)
            if self._sizes.waiting:
                # Its size is told in a moment; so long the upstream has to wait.
                self._blocked = received
                self.wire.hold()
            else:
                self._picture.received(received)
        elif encoding in (Encoding.DESKTOP_SIZE, Encoding.EXTENDED_DESKTOP_SIZE):
            self._picture.finish(partial(self._size_came, received))
        else:
            self._said_aside(received)

    def _said_aside(self, received: Received) -> None:
        encoding = received.encoding
        if encoding == Encoding.DESKTOP_NAME:
            self._paced["name"](name_of(received))
        elif encoding == Encoding.LED_STATE:
            self._paced["leds"](received.payload[0] & 7)
        elif encoding == Encoding.QEMU_EXTENDED_KEY_EVENT:
            self._keycodes = True
        elif encoding == Encoding.EXTENDED_MOUSE_BUTTONS:
            self._more_buttons = True
        else:
            self._paced["cursor"](cursor_of(received, self._session.format))

    def _size_came(self, received: Received) -> None:
        rect = received.rect
        result = DONE
        if received.encoding == Encoding.EXTENDED_DESKTOP_SIZE:
            ours = rect.x == DesktopSizeReason.THIS_CLIENT
            result = rect.y if ours else DONE
            if result == DONE:
                self._resizable = True
                self._sizes(rect.width, rect.height, screens_of(received))
            if ours and self._resizes:
                known = result <= INVALID_LAYOUT
                self._resizes.popleft().callback(result if known else NO_RESOURCES)
        else:
            self._sizes(rect.width, rect.height, ())

    def _sized(self, width: int, height: int, screens: Sequence[Screen]) -> None:
        self._face.sized(width, height, screens)
        if self._size != (width, height):
            self._size = width, height
            if self._continuous:
                self._session.send_continuous_updates(True, self._whole)
            self._session.send_update_request(False, self._whole)
            self._asked, self._asked_at = True, self._reactor.seconds()
            self.wire.flush()
        if self._blocked is not None:
            received, self._blocked = self._blocked, None
            self._picture.received(received)
            self.wire.release()

    def _update_shown(self) -> None:
        self._asked = False
        answer, self._origin_came = self._origin_came, False
        self._face.ended(answer)
        self._ask_again()

    # Asking.

    @property
    def _whole(self) -> Rect:
        return Rect(0, 0, *self._session.size)

    def _say(self, send: Callable[..., None], *details: Any) -> None:
        if self._began is not None and not self.wire.ended:
            send(*details)
            self.wire.flush()

    def _set_continuous(self) -> None:
        wanted = self._face.watched()
        if self._continuous is not None and self._continuous != wanted:
            self._continuous = wanted
            self._session.send_continuous_updates(wanted, self._whole)

    def _ask_again(self) -> None:
        """Ask for the next update when it is time."""
        if self._asked or self._asking is not None or self._continuous:
            return
        if self._face.watched():
            due = self._asked_at + self._face.interval() - self._reactor.seconds()
            self._asking = self._reactor.callLater(max(0.0, due), self._ask)

    def _ask(self) -> None:
        self._asking = None
        if not self._asked and self._face.watched():
            self._asked, self._asked_at = True, self._reactor.seconds()
            self._say(self._session.send_update_request, True, self._whole)
