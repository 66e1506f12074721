"""The desktop itself: /screenshot, /screens and /clipboard."""

from __future__ import annotations

from typing import Mapping

from twisted.internet.defer import Deferred

from kasmd.http.server import Response
from kasmd.rights import Right
from kasmd.web.api.operations import Call, Operation, done, told
from kasmd.web.api.problems import Refused
from kasmd.web.api.schemas import MAX_TEXT, Schema, ref
from kasmd.web.screenshot import MAX_QUALITY, QUALITY, SIDE, Screenshots, SeatOf

_SIDE: Schema = {"type": "integer", "minimum": 1, "maximum": 65535, "default": SIDE,
                 "description": "At most this many pixels; the sides stay in proportion."}
_PICTURE: Mapping[str, Schema] = {
    "width": _SIDE,
    "height": _SIDE,
    "quality": {"type": "integer", "minimum": 0, "maximum": MAX_QUALITY, "default": QUALITY,
                "description": "KasmVNC's level."},
}


class Desktop:
    """What ``seat_of`` gives of it to each who asks."""

    def __init__(self, seat_of: SeatOf, screenshots: Screenshots) -> None:
        self._seat_of = seat_of
        self._screenshots = screenshots

    def operations(self) -> tuple[Operation, ...]:
        """Give what is offered."""
        owner, clipboard = Right.MANAGE, ref("Clipboard")
        return (
            Operation("get_screenshot", "GET", "/screenshot", "The picture as it is now.",
                      owner, self.screenshot, answer={"type": "string", "format": "binary"},
                      query=_PICTURE, problems=(503,), kind="image/jpeg"),
            Operation("get_screens", "GET", "/screens",
                      "The desktop's size, and the screens that viewers arranged on it.",
                      Right.VIEW, self.get_screens, answer=ref("Layout")),
            Operation("get_clipboard", "GET", "/clipboard",
                      "The text that was copied last on the desktop; empty where none was.",
                      Right.CLIPBOARD_OUT, self.get_clipboard, answer=clipboard,
                      problems=(409,)),
            Operation("put_clipboard", "PUT", "/clipboard", "Let the desktop paste this text.",
                      Right.CLIPBOARD_IN, self.put_clipboard, clipboard, status=204),
            Operation("delete_clipboard", "DELETE", "/clipboard",
                      "Forget what was copied, on the desktop and with everyone.",
                      owner, self.delete_clipboard, status=204),
        )

    def screenshot(self, call: Call) -> Deferred[Response]:
        """Answer with a JPEG."""
        return self._screenshots.get(call.request, call.request.query)

    def get_screens(self, call: Call) -> Response:
        """Answer with the layout that there is."""
        seat = self._seat_of(call.request)
        width, height = seat.size
        screens = [
            {"id": screen.ident, **screen.rect._asdict()} for screen in seat.screens
        ]
        return told({"width": width, "height": height, "screens": screens})

    def get_clipboard(self, call: Call) -> Response:
        """Answer with what a program copied."""
        text = self._seat_of(call.request).copied().get("text/plain", b"")
        if len(text) > MAX_TEXT:
            raise Refused(409, f"What was copied has {len(text)} bytes, more than {MAX_TEXT}.")
        return told({"text": text.decode("utf-8", "replace")})

    def put_clipboard(self, call: Call) -> Response:
        """Put a text on the desktop's clipboard."""
        text = call.body["text"].replace("\r\n", "\n").encode()
        self._seat_of(call.request).offer_clipboard({"text/plain": text})
        return done()

    def delete_clipboard(self, call: Call) -> Response:
        """Clear it."""
        self._seat_of(call.request).clear_clipboard()
        return done()
