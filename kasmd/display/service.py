"""A desktop of our own: an X server without a monitor, a window manager, a terminal."""

from __future__ import annotations

import os
import re
import secrets
import socket
from dataclasses import dataclass
from typing import Any, Optional, Sequence

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from kasmd.display.programs import Program, check_installed
from kasmd.display.x11 import X11Display
from kasmd.display.x11_authority import COOKIE_NAME, FAMILY_WILD, Entry, format_entry
from kasmd.display.x11_memory import ScreenMemory
from kasmd.errors import DisplayLost
from kasmd.screen.geometry import Screen

_SOCKET = "/tmp/.X11-unix/X{}"
_COOKIE_BYTES = 16
#: How long a window manager may take to be there, and between two looks.
_WINDOW_MANAGER_SECONDS = 3.0
_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class DesktopSettings:
    """What to start: sizes in pixels, commands as argument lists.

    The X server is started with the largest size that it may ever have; an
    empty command leaves that program out.  ``runtime_dir`` must be ours alone.
    """

    runtime_dir: str
    width: int = 1280
    height: int = 720
    max_width: int = 3840
    max_height: int = 2160
    xvfb: tuple[str, ...] = ("Xvfb",)
    window_manager: tuple[str, ...] = ("openbox",)
    terminal: tuple[str, ...] = ("xterm", "-fa", "Monospace", "-fs", "11")


class DesktopService(Service):
    """Keeps a desktop running for ``display``, and ends it with itself.

    ``ready`` fires when the desktop runs for the first time.
    """

    log = Logger()

    def __init__(self, reactor: Any, settings: DesktopSettings, display: X11Display) -> None:
        self.ready: Deferred[None] = Deferred()
        self._reactor = reactor
        self._settings = settings
        self._display = display
        self._size = settings.width, settings.height
        self._screens: Sequence[Screen] = ()
        self._number = b""
        self._memory = ScreenMemory(os.path.abspath(os.path.join(settings.runtime_dir, "screen")))
        self._xvfb = Program(
            reactor, self._xvfb_command(), self._xvfb_ended, self._xvfb_said,
            lend=self._memory.lend,
        )
        manager, terminal = settings.window_manager, settings.terminal
        self._window_manager = Program(reactor, manager) if manager else None
        self._terminal = Program(reactor, terminal) if terminal else None
        self._clients = [each for each in (self._window_manager, self._terminal) if each]

    @property
    def authority(self) -> str:
        """The path of the Xauthority file."""
        # Absolute, for programs may change their directory; openbox does.
        return os.path.abspath(os.path.join(self._settings.runtime_dir, "Xauthority"))

    @property
    def pids(self) -> dict[str, Optional[int]]:
        """The programs' names and process ids."""
        return {program.name: program.pid for program in (self._xvfb, *self._clients)}

    def startService(self) -> None:
        """Start all; raises ConfigError where a program is not installed."""
        for program in (self._xvfb, *self._clients):
            check_installed(program.argv)
        super().startService()
        self._write_authority()
        self._xvfb.start(_environment())

    def stopService(self) -> Deferred[None]:
        """End all; fires when the last process is reaped."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        leaving = self._display.disconnect()
        await gatherResults([client.stop() for client in self._clients])
        await self._xvfb.stop()
        self._memory.close()
        await leaving
        if os.path.exists(self.authority):
            os.unlink(self.authority)

    def _xvfb_command(self) -> tuple[str, ...]:
        settings = self._settings
        screen = f"{settings.max_width}x{settings.max_height}x24"
        return (
            *settings.xvfb, "-displayfd", "3", "-screen", "0", screen, "-auth", self.authority,
            "-nolisten", "tcp", "-noreset", "-r", *self._memory.options,
        )

    def _write_authority(self) -> None:
        """Make a new secret, in a file that nobody else could ever read."""
        secret = secrets.token_bytes(_COOKIE_BYTES)
        temporary = f"{self.authority}.{os.getpid()}"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(format_entry(Entry(FAMILY_WILD, b"", b"", COOKIE_NAME, secret)))
        os.rename(temporary, self.authority)

    def _xvfb_said(self, data: bytes) -> None:
        """Hear the display's number, a line of its own."""
        self._number += data
        if re.fullmatch(rb"\d{1,5}\n", self._number) and self.running:
            Deferred.fromCoroutine(self._open_desktop(int(self._number)))

    async def _open_desktop(self, number: int) -> None:
        display = self._display
        display.where, display.authority = f":{number}", self.authority
        display.memory = self._memory.view()
        try:
            await display.connect(self._size, self._screens)
        except DisplayLost:
            self._xvfb.end()
            return
        await self._trim()
        environment = _environment(DISPLAY=display.where, XAUTHORITY=self.authority)
        if not self.running or not self._number:
            return
        self.log.info("desktop {where}, XAUTHORITY={authority}",
                      where=display.where, authority=self.authority)
        if self._window_manager is not None:
            self._window_manager.start(environment)
            await self._managed()
        if self._terminal is not None and display.where == f":{number}" and self.running:
            self._terminal.start(environment)
        if not self.ready.called:
            self.ready.callback(None)

    async def _trim(self) -> None:
        """Give back what the X server took for a larger screen, while nobody draws there."""
        trim = self._memory.trimming(*self._display.size)
        self._memory.close()
        await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), trim)

    async def _managed(self) -> None:
        """Wait until windows are managed: one opened meanwhile might never be."""
        try:
            for _ in range(int(_WINDOW_MANAGER_SECONDS / _LOOK_SECONDS)):
                if await self._display.is_managed():
                    return
                await deferLater(self._reactor, _LOOK_SECONDS)
        except DisplayLost:
            return
        self.log.warn("no window manager is there after {seconds:.0f} s; going on without",
                      seconds=_WINDOW_MANAGER_SECONDS)

    def _xvfb_ended(self) -> None:
        """The screen is gone: so are the programs on it, and what Xvfb may have left."""
        if self.ready.called:
            self._size, self._screens = self._display.size, self._display.screens
        self._display.disconnect()
        for client in self._clients:
            client.stop()
        if self._number:
            _remove_socket(int(self._number))
        self._number = b""


def _environment(**more: str) -> dict[str, str]:
    """Give our environment without other displays."""
    foreign = ("DISPLAY", "XAUTHORITY", "WAYLAND_DISPLAY")
    return {key: value for key, value in os.environ.items() if key not in foreign} | more


def _remove_socket(number: int) -> None:
    """Remove a display's socket if nobody listens there (a killed Xvfb leaves it)."""
    path = _SOCKET.format(number)
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
        except OSError:
            pass  # there is none, or somebody else is there already
