"""Keys and pointer on a real Xvfb, as real programs receive them."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from typing import Any

import xcffib.xproto
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.endpoints import UNIXServerEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from xcffib.xproto import EventMask, KeyPressEvent, KeyReleaseEvent

from kasmd.display.keysyms import keysym_of
from kasmd.display.service import DesktopService, DesktopSettings
from kasmd.display.x11 import X11Display
from kasmd.display.x11_connect import open_connection
from kasmd.display.x11_connection import XConnection
from kasmd.display.x11_input import REST_SECONDS

SECONDS = 60
#: Fewer than there are spare keys.
FEW = 5
SHIFT, CONTROL, CAPS_LOCK, ALTGR = 0xFFE1, 0xFFE3, 0xFFE5, 0xFE03

#: What the program in the terminal does: send all that is typed to a socket.
_FORWARD = (
    "import os, socket, sys, tty; tty.setraw(0); "
    "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.send(b'>')\n"
    "while True: s.sendall(os.read(0, 9999))"
)


class Typed(Protocol):
    """What arrived in the terminal."""

    def __init__(self) -> None:
        self.data = b""
        self._waiting: list[tuple[int, Deferred[bytes]]] = []
        self._lost: Deferred[None] = Deferred()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell whoever waits for the end."""
        self._lost.callback(None)

    async def end(self) -> None:
        """Wait until the terminal's program, which ends with it, is gone."""
        if self.transport is not None:
            await self._lost

    def dataReceived(self, data: bytes) -> None:
        """Collect."""
        self.data += data
        while self._waiting and len(self.data) >= self._waiting[0][0]:
            length, deferred = self._waiting.pop(0)
            taken, self.data = self.data[:length], self.data[length:]
            deferred.callback(taken)

    def take(self, length: int) -> Deferred[bytes]:
        """Wait for so many bytes."""
        deferred: Deferred[bytes] = Deferred()
        self._waiting.append((length, deferred))
        self.dataReceived(b"")
        return deferred.addTimeout(SECONDS, reactor)


class TerminalTests(TestCase):
    """Characters typed into an xterm, in a UTF-8 locale."""

    timeout = 120

    async def setUp(self) -> None:
        """Start Xvfb and an xterm whose program tells us what it reads."""
        self.patch(os, "environ", {**os.environ, "LC_ALL": "C.UTF-8"})
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory, True)
        typed = Typed()
        factory = Factory.forProtocol(lambda: typed)
        path = os.path.join(directory, "typed")
        port = await UNIXServerEndpoint(reactor, path).listen(factory)
        self.addCleanup(port.stopListening)
        self.addCleanup(typed.end)
        self.typed = typed
        program = ("xterm", "-u8", "-e", sys.executable, "-c", _FORWARD, path)
        self.display = X11Display(reactor, "")
        service = DesktopService(
            reactor,
            DesktopSettings(directory, 640, 480, 640, 480, window_manager=(), terminal=program),
            self.display,
        )
        service.startService()
        self.addCleanup(service.stopService)
        await service.ready
        self.display.pointer(60, 60, 0)
        self.assertEqual(await typed.take(1), b">")

    def type(self, keysyms: Any) -> None:
        """Press and release."""
        for keysym in keysyms:
            self.display.key(keysym, 0, True)
            self.display.key(keysym, 0, False)

    async def expect(self, text: str) -> None:
        """Compare with what arrived."""
        wanted = text.encode()
        try:
            typed = await self.typed.take(len(wanted))
        except DeferredTimeout:
            typed = self.typed.data
        self.assertEqual(typed.decode("utf-8", "replace"), text)

    async def test_every_kind_of_character(self) -> None:
        """On the map and off it, more than there are spare keys, with Caps Lock or without."""
        text = (
            "aZ09 ~!@#$%^&*()_+{}|:\"<>?-=[]\\;',./`"
            "äÖß€éñ¿中文字😀жЖяЯλΩđŁőאبกあ½µ"
            "→∀ěŠčŘžŽ"
        )
        await self.written(text)
        self.type([CAPS_LOCK])
        await self.written(text)
        self.type([CAPS_LOCK, keysym_of("q")])
        await self.expect("q")

    async def written(self, text: str) -> None:
        """Type it, few characters at a time: xterm looks up a key when it has the time."""
        for start in range(0, len(text), FEW):
            part = text[start:start + FEW]
            self.type(map(keysym_of, part))
            await self.expect(part)

    async def test_old_keysyms(self) -> None:
        """Keysyms of the old character sets type what the new ones do."""
        self.type([0x20AC, 0x6C1, 0x7E1, 0x1B1, 0xCE0])
        await self.expect("€аαąא")

    async def test_keys_that_are_not_characters(self) -> None:
        """Return, Escape, cursor and function keys; Control and a letter; back tab."""
        self.type([0xFF0D, 0xFF1B, 0xFF51, 0xFFBE])
        await self.expect("\r\x1b\x1b[D\x1bOP")
        self.display.key(CONTROL, 0, True)
        self.type([0x63])
        self.display.key(CONTROL, 0, False)
        self.display.key(SHIFT, 0, True)
        self.type([0xFF09])
        self.display.key(SHIFT, 0, False)
        self.type([0xFE20])
        await self.expect("\x03\x1b[Z\x1b[Z")

    async def test_the_keypad_types_digits_with_and_without_num_lock(self) -> None:
        """KP_7 is a 7 whatever the lamp says."""
        self.type([0xFFB7, 0xFF7F, 0xFFB7, 0xFF7F])
        await self.expect("77")

    async def test_repeated_presses_repeat(self) -> None:
        """A key down that is down already types again."""
        for _ in range(3):
            self.display.key(0x61, 0, True)
        self.display.key(0x61, 0, False)
        await self.expect("aaa")

    async def test_a_place_on_the_keyboard(self) -> None:
        """Without a keysym the XT number finds the key: 16 is Q."""
        self.display.key(0, 16, True)
        self.display.key(0, 16, False)
        await self.expect("q")


class WindowTests(TestCase):
    """Events as a window receives them."""

    timeout = 120

    async def setUp(self) -> None:
        """Start Xvfb, a display and a client with the focus."""
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory, True)
        self.display = X11Display(reactor, "")
        service = DesktopService(
            reactor,
            DesktopSettings(directory, 640, 480, 640, 480, window_manager=(), terminal=()),
            self.display,
        )
        service.startService()
        self.addCleanup(service.stopService)
        await service.ready
        xcb, _ = await open_connection(
            reactor, self.display.where, service.authority, lambda xcb: None
        )
        self.connection = XConnection(reactor, xcb)
        self.addCleanup(self.connection.close)
        self.events: list[Any] = []
        self.enough: tuple[int, Deferred[Any]] = (0, Deferred())
        self.connection.on_event = self.heard
        screen = xcb.setup.roots[0]
        window = xcb.generate_id()
        masks = (
            EventMask.KeyPress | EventMask.KeyRelease | EventMask.ButtonPress
            | EventMask.ButtonRelease | EventMask.PointerMotion
        )
        xcb.core.CreateWindow(
            24, window, screen.root, 0, 0, 640, 480, 0, 1, screen.root_visual,
            xcffib.xproto.CW.EventMask, [masks],
        )
        xcb.core.MapWindow(window)
        xcb.core.SetInputFocus(0, window, 0)
        await self.connection.sync()

    def heard(self, event: Any) -> None:
        """Collect input events."""
        if not isinstance(event, xcffib.xproto.MappingNotifyEvent):
            self.events.append(event)
        count, deferred = self.enough
        if len(self.events) >= count > 0:
            self.enough = 0, Deferred()
            deferred.callback(None)

    async def take(self, count: int) -> list[Any]:
        """Wait for so many events."""
        if len(self.events) < count:
            self.enough = count, Deferred()
            await self.enough[1].addTimeout(SECONDS, reactor)
        taken, self.events[:count] = self.events[:count], []
        return taken

    async def test_held_modifiers_survive(self) -> None:
        """Shift held: 'a' lets go of it for the press alone; 'A' does not touch it."""
        for keysym in (SHIFT, 0x61, 0x41):
            self.display.key(keysym, 0, True)
        self.display.key(0x61, 0, False)
        shift, *events = await self.take(6)
        letter = events[1].detail
        self.assertEqual(
            [(type(event), event.detail, event.state & 1) for event in events],
            [
                (KeyReleaseEvent, shift.detail, 1),
                (KeyPressEvent, letter, 0),
                (KeyPressEvent, shift.detail, 0),
                (KeyReleaseEvent, letter, 1),
                (KeyPressEvent, letter, 1),
            ],
        )

    async def test_releases_go_to_the_key_that_was_pressed(self) -> None:
        """Whatever the modifiers are by then; a release of nothing is nothing."""
        self.display.key(0x62, 0, False)
        self.display.key(0x41, 0, True)
        self.display.key(0x41, 0, False)
        self.display.key(0x41, 0, False)
        self.display.key(0x7A, 0, True)
        events = await self.take(5)
        self.assertEqual(events[1].detail, events[3].detail)
        self.assertIsInstance(events[3], KeyReleaseEvent)
        self.assertIsInstance(events[4], KeyPressEvent)

    async def test_a_held_spare_key_is_not_lent_again(self) -> None:
        """Thirty others are typed meanwhile; the release is of the key that was pressed."""
        self.display.key(keysym_of("中"), 0, True)
        (pressed,) = await self.take(1)
        began = reactor.seconds()
        for code in range(30):
            self.display.key(0x01003042 + code, 0, True)
            self.display.key(0x01003042 + code, 0, False)
        self.display.key(keysym_of("中"), 0, False)
        events = await self.take(61)
        self.assertGreaterEqual(reactor.seconds() - began, REST_SECONDS, "a key has its rest")
        self.assertNotIn(pressed.detail, [event.detail for event in events[:-1]])
        self.assertEqual(events[-1].detail, pressed.detail)

    async def test_the_pointer(self) -> None:
        """Places are exact and inside; each bit is its button; presses keep their place."""
        self.display.pointer(10, 20, 0)
        self.display.pointer(30, 40, 0b1)
        self.display.pointer(50, 60, 0b1)
        self.display.pointer(9999, -5, 0b1000000000 | 0b110001010)
        events = await self.take(9)
        places = [(event.event_x, event.event_y) for event in events]
        buttons = [
            (event.detail, isinstance(event, xcffib.xproto.ButtonPressEvent))
            for event in events
            if not isinstance(event, xcffib.xproto.MotionNotifyEvent)
        ]
        self.assertEqual(places[:4], [(10, 20), (30, 40), (30, 40), (50, 60)])
        self.assertEqual(places[-1], (639, 0))
        self.assertEqual(buttons[0], (1, True))
        self.assertEqual(
            buttons[1:], [(1, False), (2, True), (4, True), (8, True)]
        )

    async def test_leaving_lets_go(self) -> None:
        """Keys and buttons that are held are released by disconnect."""
        self.display.pointer(5, 5, 1)
        self.display.key(0x61, 0, True)
        await self.take(3)
        await self.display.disconnect()
        released = [(type(event), event.detail) for event in await self.take(2)]
        self.assertEqual(released[0][0], KeyReleaseEvent)
        self.assertEqual(released[1], (xcffib.xproto.ButtonReleaseEvent, 1))
