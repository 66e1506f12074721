"""Safari's engine for the live tests: WebKitGTK, driven by W3C WebDriver."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Optional

import requests

from tests.live.chromium import CANVAS
from tests.live.programs import PATIENCE, Program, eventually
from tests.live.proxies import free_port

_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
_BROWSER = next(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))


class WebKit(Program):
    """One window of WebKitGTK's MiniBrowser, on an X server of its own.

    What the driver cannot do is an AssertionError.
    """

    def __init__(self, folder: Path) -> None:
        self._screen = Program(
            "Xvfb", "-displayfd", "1", "-screen", "0", "1280x900x24", "-nolisten", "tcp",
        )
        display = ":" + self._screen.wait_for(r"^(\d+)$")[1]
        home = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "DISPLAY": display}
        port = free_port()
        super().__init__("WebKitWebDriver", f"--port={port}", env=home)
        self._driver = f"http://127.0.0.1:{port}"
        self._window: Optional[str] = None

    def __enter__(self) -> WebKit:
        eventually(self._is_ready, "the driver is ready")
        options = {"binary": str(_BROWSER), "args": ["--automation"]}
        wanted = {"acceptInsecureCerts": True, "webkitgtk:browserOptions": options}
        said = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._window = f"/session/{said['sessionId']}"
        return self

    def __exit__(self, *exc: object) -> None:
        if self._window is not None:
            self._ask("DELETE", self._window)
        self.end()
        self._screen.end()

    def _is_ready(self) -> bool:
        try:
            return bool(self._ask("GET", "/status")["ready"])
        except requests.ConnectionError:
            return False

    def _ask(self, method: str, path: str, body: Optional[dict[str, Any]] = None) -> Any:
        answer = requests.request(method, self._driver + path, json=body, timeout=PATIENCE)
        assert answer.ok, f"{method} {path}: {answer.text}"
        return answer.json()["value"]

    def _do(self, path: str, **body: Any) -> Any:
        return self._ask("POST", f"{self._window}/{path}", body)

    def open(self, url: str) -> None:
        """Open a page."""
        self._do("url", url=url)

    def eval(self, js: str) -> Any:
        """Give the value of an expression."""
        return self._do("execute/sync", script=f"return ({js})", args=[])

    def wait_true(self, js: str) -> None:
        """Wait until an expression is true."""
        def is_true() -> bool:
            try:
                return bool(self.eval(js))
            except AssertionError:
                # What is not there yet, and a page on its way to another one, have no value yet.
                return False

        eventually(is_true, js)

    def wait_text(self, selector: str, text: str) -> None:
        """Wait until the text of an element holds ``text``."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.wait_true(f"{element}?.textContent.includes({json.dumps(text)})")

    def wait_pixel(self, x: int, y: int, colour: tuple[int, int, int]) -> None:
        """Wait until a pixel of the desktop has this colour, near enough."""
        pixel = f"getContext('2d').getImageData({x}, {y}, 1, 1).data.slice(0, 3)"
        self.wait_true(
            f"[...document.querySelector('{CANVAS}')?.{pixel} ?? [NaN]]"
            f".every((value, i) => Math.abs(value - {json.dumps(colour)}[i]) < 8)"
        )

    def type(self, selector: str, text: str) -> None:
        """Click on an element, and type."""
        found = self._do("element", using="css selector", value=selector)[_ELEMENT]
        self._do(f"element/{found}/click")
        self.press(text)

    def click(self, x: int, y: int) -> None:
        """Click on a place of the page."""
        steps = [
            {"type": "pointerMove", "x": x, "y": y}, {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]
        self._do("actions", actions=[{"type": "pointer", "id": "mouse", "actions": steps}])

    def press(self, text: str) -> None:
        """Press keys, one after the other; see WebDriver's section 17.4.2 for special ones."""
        steps = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        self._do("actions", actions=[{"type": "key", "id": "keyboard", "actions": steps}])
