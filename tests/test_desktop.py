"""The desktop, with no X server behind it: who may change its size."""

from __future__ import annotations

import socket
from typing import Any, Callable, Optional

from twisted.internet.threads import deferToThread

from kasmd.rfb.client import ClientSession, Connected, Said, UpdateReceived
from kasmd.rfb.numbers import Encoding
from kasmd.screen.geometry import Rect, Screen
from tests.composed import Case


class ResizeTests(Case):
    """desktop.allow_resize is a right that nobody has, whatever the account says."""

    def answer(self) -> int:
        """Ask for another size over the unix socket; give the result."""
        viewer = Native(str(self.folder / "viewers"))
        try:
            viewer.until(Connected)
            viewer.session.send_encodings([Encoding.RAW, Encoding.EXTENDED_DESKTOP_SIZE])
            viewer.session.send_desktop_size(640, 480, [Screen(0, 0, 0, 640, 480)])
            viewer.session.send_update_request(True, Rect(0, 0, 1, 1))
            told = viewer.until(UpdateReceived, lambda update: any(
                rectangle.encoding == -308 and rectangle.rect.x == 1
                for rectangle in update.rectangles
            ))
            return told.rectangles[-1].rect.y
        finally:
            viewer.close()

    async def test_forbidden(self) -> None:
        self.compose("desktop:\n  allow_resize: false\n")
        self.assertEqual(await deferToThread(self.answer), 1)

    async def test_allowed_but_there_is_no_display(self) -> None:
        self.compose()
        self.assertEqual(await deferToThread(self.answer), 2)


class Native:
    """A viewer program on a unix socket, that blocks."""

    def __init__(self, path: str) -> None:
        self.session = ClientSession()
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(path)

    def until(self, kind: type, wanted: Callable[[Any], bool] = lambda event: True) -> Any:
        """Talk until the server says this, and give it."""
        found: Optional[Said] = None
        while found is None:
            self._socket.sendall(b"".join(self.session.data_to_send()))
            data = self._socket.recv(65536)
            assert data, "the server hung up"
            self.session.receive_data(data)
            for event in self.session.events_received():
                if isinstance(event, kind) and wanted(event):
                    found = event
        return found

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
