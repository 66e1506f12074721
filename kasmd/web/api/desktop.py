"""The desktop itself: /screenshot, /clipboard, and /settings that change while it runs."""

from __future__ import annotations

from typing import Mapping

from twisted.internet.defer import Deferred

from kasmd.http.server import Response
from kasmd.log import output
from kasmd.log.audit import audited
from kasmd.rights import Right
from kasmd.web.api.operations import Call, Operation, done, told
from kasmd.web.api.schemas import Schema, ref
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
        owner, settings = Right.MANAGE, ref("Settings")
        return (
            Operation("get_screenshot", "GET", "/screenshot", "The picture as it is now.",
                      owner, self.screenshot, answer={"type": "string", "format": "binary"},
                      query=_PICTURE, problems=(503,), kind="image/jpeg"),
            Operation("put_clipboard", "PUT", "/clipboard", "Let the desktop paste this text.",
                      Right.CLIPBOARD_IN, self.put_clipboard, ref("Clipboard"), status=204),
            Operation("delete_clipboard", "DELETE", "/clipboard",
                      "Forget what was copied, on the desktop and with everyone.",
                      owner, self.delete_clipboard, status=204),
            Operation("get_settings", "GET", "/settings", "What can be changed at run time.",
                      owner, self.get_settings, answer=settings),
            Operation("patch_settings", "PATCH", "/settings",
                      "Change it until the daemon ends.",
                      owner, self.patch_settings, ref("SettingsPatch"), settings),
        )

    def screenshot(self, call: Call) -> Deferred[Response]:
        """Answer with a JPEG."""
        return self._screenshots.get(call.request, call.request.query)

    def put_clipboard(self, call: Call) -> Response:
        """Put a text on the desktop's clipboard."""
        text = call.body["text"].replace("\r\n", "\n").encode()
        self._seat_of(call.request).offer_clipboard({"text/plain": text})
        return done()

    def delete_clipboard(self, call: Call) -> Response:
        """Clear it."""
        self._seat_of(call.request).clear_clipboard()
        return done()

    def get_settings(self, call: Call) -> Response:
        """Answer with what holds."""
        return told({"log_level": output.level()})

    def patch_settings(self, call: Call) -> Response:
        """Change what is named."""
        before = output.level()
        level = int(call.body.get("log_level", before))
        if level != before:
            output.set_level(level)
            audited("setting", "log_level", "changed", str(before), str(level))
        return self.get_settings(call)
