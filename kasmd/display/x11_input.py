"""Keys and pointer by XTEST, in the order in which they came."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any, Iterator, NamedTuple, Optional, Union

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from kasmd.display.keysyms import MAX_KEYSYM, is_modifier
from kasmd.display.x11_connection import XConnection, XError
from kasmd.display.x11_keymap import Keymap, Stroke, lend_key, parse_keymap, request_keymap
from kasmd.display.x11_server import CORE_KEYBOARD, Server
from kasmd.errors import DisplayLost

#: Keys and pointer places that wait for the X server; with more all are dropped.
MAX_QUEUE = 8192
#: A spare key keeps its keysym for this long, until slow clients have looked it up.
REST_SECONDS = 0.1
BUTTONS = 9
#: evdev keycodes are Linux key numbers plus 8; XT set 1 agrees with Linux below this.
_XT_LIKE_LINUX = range(1, 0x59)
_EVDEV_OFFSET = 8

_KEY_PRESS, _KEY_RELEASE, _BUTTON_PRESS, _BUTTON_RELEASE, _MOTION = 2, 3, 4, 5, 6


class _Key(NamedTuple):
    keysym: int
    keycode: int
    down: bool


class _Pointer(NamedTuple):
    x: int
    y: int
    buttons: int
    #: Only the place changed, so that a later place may take its place.
    moved_only: bool


class Input:
    """What is typed and pointed, kept in order and bounded.

    Each item waits for the X server to have taken the one before, so a server
    that stopped has only a few requests of ours unread.
    """

    log = Logger()

    def __init__(self, reactor: Any, connection: XConnection, server: Server) -> None:
        self._reactor = reactor
        self._connection = connection
        self._server = server
        self._queue: deque[Union[_Key, _Pointer]] = deque()
        self._busy = False
        self._deaf = False
        self._keymap: Optional[Keymap] = None
        self._held: dict[int, int] = {}
        self._buttons = self._last_buttons = 0
        self._resting: Optional[Deferred[None]] = None
        self._spares: OrderedDict[int, float] = OrderedDict()

    def key(self, keysym: int, keycode: int, down: bool) -> None:
        """Press or release a key (see IDisplay)."""
        self._put(_Key(keysym, keycode, down))

    def pointer(self, x: int, y: int, buttons: int) -> None:
        """Move the pointer; a place not yet sent gives way to a later one."""
        moved_only = buttons == self._last_buttons
        last = self._queue[-1] if self._queue else None
        if moved_only and isinstance(last, _Pointer) and last.moved_only:
            self._queue.pop()
        self._last_buttons = buttons
        self._put(_Pointer(x, y, buttons, moved_only))

    def keymap_changed(self) -> None:
        """Hear that the X server has another map."""
        self._keymap = None

    def deafen(self, deaf: bool) -> None:
        """Drop all input while the X server does not answer; then let go of all."""
        self._deaf = deaf
        self._queue.clear()
        if not deaf:
            self.release_all()

    def close(self) -> None:
        """End; the connection must be closed already."""
        self._deaf = True
        self._queue.clear()
        if self._resting is not None:
            self._resting.cancel()

    def release_all(self) -> None:
        """Release all that is held down."""
        for keycode in self._held.values():
            self._fake(_KEY_RELEASE, keycode)
        self._held.clear()
        self._press_buttons(0)
        self._connection.flush()

    def _put(self, item: Union[_Key, _Pointer]) -> None:
        if self._deaf:
            return
        if len(self._queue) >= MAX_QUEUE:
            self._queue.clear()
            self.release_all()
        self._queue.append(item)
        if not self._busy:
            self._busy = True
            Deferred.fromCoroutine(self._work())

    async def _work(self) -> None:
        try:
            while self._queue:
                item = self._queue.popleft()
                if isinstance(item, _Key):
                    await self._type(item)
                else:
                    self._point(item)
                await self._connection.sync()
        except (DisplayLost, CancelledError):
            self._queue.clear()
        except XError as error:
            self.log.warn("the X server refused a key: {error}", error=error)
        finally:
            self._busy = False

    def _point(self, place: _Pointer) -> None:
        self._fake(_MOTION, 0, place.x, place.y)
        self._press_buttons(place.buttons)

    def _press_buttons(self, buttons: int) -> None:
        changed, self._buttons = self._buttons ^ buttons, buttons
        for index in range(BUTTONS):
            if changed >> index & 1:
                down = buttons >> index & 1
                self._fake(_BUTTON_PRESS if down else _BUTTON_RELEASE, index + 1)

    async def _type(self, key: _Key) -> None:
        name = -key.keycode or key.keysym  # the place stays when Shift changes the keysym
        held = self._held.get(name)
        if not key.down:
            if held is not None:
                del self._held[name]
                self._fake(_KEY_RELEASE, held)
        elif held is None:
            await self._press(name, key)
        elif not is_modifier(key.keysym):
            self._fake(_KEY_RELEASE, held)
            self._fake(_KEY_PRESS, held)

    async def _press(self, name: int, key: _Key) -> None:
        state = await self._connection.request(self._server.xkb.GetState(CORE_KEYBOARD))
        keymap = await self._current_keymap()
        mods, group = state.mods, state.group
        stroke = _by_number(keymap, key) if not key.keysym else None
        if stroke is None and key.keysym:
            stroke = keymap.stroke(key.keysym, mods, group)
            if stroke is None and await self._lend_spare(key.keysym):
                stroke = (await self._current_keymap()).stroke(key.keysym, mods, group)
        if stroke is None:
            self.log.info("no key for keysym {keysym:#x}", keysym=key.keysym)
            return
        turned = list(self._turn_over(keymap, stroke.toggles, mods))
        for keycode, down in turned:
            self._fake(_KEY_PRESS if down else _KEY_RELEASE, keycode)
        if stroke.keycode in self._held.values():
            self._fake(_KEY_RELEASE, stroke.keycode)
            self._held = {k: v for k, v in self._held.items() if v != stroke.keycode}
        self._fake(_KEY_PRESS, stroke.keycode)
        self._held[name] = stroke.keycode
        for keycode, down in reversed(turned):
            self._fake(_KEY_RELEASE if down else _KEY_PRESS, keycode)

    def _turn_over(self, keymap: Keymap, toggles: int, mods: int) -> Iterator[tuple[int, bool]]:
        """Give the keys that turn modifiers over: those held are let go, others pressed."""
        for bit in (1 << index for index in range(8)):
            if toggles & mods & bit:
                for keycode in set(self._held.values()):
                    if keymap.modifiers.get(keycode, 0) & bit:
                        yield keycode, False
            elif toggles & bit:
                keycode_or_none = keymap.keycode_of_modifier(bit)
                if keycode_or_none is not None:
                    yield keycode_or_none, True

    async def _current_keymap(self) -> Keymap:
        while self._keymap is None:
            reply = await self._connection.request(request_keymap(self._server.xkb))
            keymap = parse_keymap(reply)
            if not self._spares:
                self._spares.update((code, 0.0) for code in keymap.spare_keycodes())
            self._keymap = keymap
        return self._keymap

    async def _lend_spare(self, keysym: int) -> bool:
        """Put ``keysym`` on the spare key that was used longest ago; False if none is free."""
        if keysym > MAX_KEYSYM:
            return False
        held = set(self._held.values())
        keycode = next((code for code in self._spares if code not in held), None)
        if keycode is None:
            return False
        rest = self._spares[keycode] + REST_SECONDS - self._reactor.seconds()
        if rest > 0:
            self._resting = deferLater(self._reactor, rest)
            await self._resting
            self._resting = None
        lend_key(self._server, keycode, keysym)
        self._spares[keycode] = self._reactor.seconds()
        self._spares.move_to_end(keycode)
        self._keymap = None
        return True

    def _fake(self, kind: int, detail: int, x: int = 0, y: int = 0) -> None:
        self._server.xtest.FakeInput(kind, detail, 0, self._server.root, x, y, 0)


def _by_number(keymap: Keymap, key: _Key) -> Optional[Stroke]:
    """Find the key by its place, for evdev keycodes."""
    keycode = key.keycode + _EVDEV_OFFSET
    known = key.keycode in _XT_LIKE_LINUX and keycode in keymap.keys
    return Stroke(keycode, 0) if known else None
