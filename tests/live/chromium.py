"""A real Chromium for the live tests, behind browser/driver.mjs."""

from __future__ import annotations

import base64
import io
import json
import time
from typing import Any

import numpy as np
from PIL import Image

from tests.live.programs import PATIENCE, ROOT, Program

#: Where the page's desktop is painted.
CANVAS = "#screen canvas"
_WATCH = """(() => {
    const curtain = document.querySelector("#curtain");
    const parts = ["title", "text"].map((part) => document.querySelector(`#curtain-${part}`));
    window.curtains = [];
    const look = () => curtains.push(parts.map((part) => part.textContent).join(". "));
    new MutationObserver(look).observe(
        curtain, { subtree: true, childList: true, characterData: true, attributes: true },
    );
})()"""


class Chromium(Program):
    """One page at a time; each member waits for its answer.  ``flags`` are Chromium's."""

    def __init__(self, *flags: str) -> None:
        driver = str(ROOT / "tests" / "live" / "browser" / "driver.mjs")
        super().__init__("node", driver, *flags, cwd=ROOT)
        self._heard = 0

    def __enter__(self) -> Chromium:
        return self

    def __exit__(self, *exc: object) -> None:
        if self.process.poll() is None:
            self.do("close")
            self.wait()
        self.end()

    def do(self, verb: str, **arguments: Any) -> Any:
        """Give the driver's answer; its errors are AssertionErrors."""
        self.say(json.dumps({"do": verb, **arguments}))
        answer = json.loads(self._next_answer())
        assert "error" not in answer, f"{verb} {arguments}: {answer['error']}"
        return answer["ok"]

    def _next_answer(self) -> str:
        deadline = time.monotonic() + 2 * PATIENCE
        with self._news:
            while True:
                while len(self._said) > self._heard:
                    line = self._said[self._heard]
                    self._heard += 1
                    if line.startswith("{"):
                        return line
                    assert line, f"the driver ended:\n{self.output}"
                assert self._news.wait(deadline - time.monotonic()), "the driver does not answer"

    def open(self, url: str, user: str, **options: Any) -> None:
        """Open a page in a fresh profile."""
        status = self.do("open", url=url, user=user, password="password", **options)
        assert status == 200, f"{url}: {status}"

    def enter(self, url: str, user: str, **options: Any) -> None:
        """Open our page, and wait until it is connected."""
        self.open(url, user, **options)
        self.wait_connected()

    def eval(self, js: str) -> Any:
        """Give the value of an expression, or what its promise comes to."""
        return self.do("eval", js=f"() => ({js})")

    def wait_true(self, js: str) -> Any:
        """Wait until an expression is true; give its value."""
        try:
            return self.do("wait", js=f"() => ({js})", seconds=PATIENCE)
        except AssertionError as error:
            said = self.eval("document.body.innerText")
            raise AssertionError(f"{error}\n{self.errors()}\n{said}") from None

    def wait_connected(self) -> None:
        """Wait for the desktop, and until the page knows who it is and what it may."""
        self.wait_true("document.querySelector('#curtain')?.className === 'gone'"
                       " && document.querySelector('#here').children.length > 0")

    def wait_text(self, selector: str, text: str) -> None:
        """Wait until the text of an element holds ``text``."""
        element = f"document.querySelector({json.dumps(selector)})"
        self.wait_true(f"{element}.textContent.includes({json.dumps(text)})")

    def wait_pixel(self, x: int, y: int, colour: tuple[int, int, int]) -> None:
        """Wait until a pixel of the desktop has this colour, near enough."""
        wanted = json.dumps(colour)
        self.wait_true(
            f"((canvas) => canvas && [...canvas.getContext('2d').getImageData({x}, {y}, 1, 1).data]"
            f".slice(0, 3).every((value, i) => Math.abs(value - {wanted}[i]) < 8))"
            f"(document.querySelector('{CANVAS}'))"
        )

    def picture(self, canvas: str = CANVAS) -> np.ndarray:
        """Give the pixels of a canvas with a size, (height, width, 3), red first."""
        self.wait_true(f"document.querySelector({json.dumps(canvas)})?.width > 0")
        url = self.eval(f"document.querySelector({json.dumps(canvas)}).toDataURL()")
        png = base64.b64decode(url.partition(",")[2])
        return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))

    def watch_curtain(self) -> None:
        """Keep, from now on, all that the page says before the desktop; see `curtains`."""
        self.eval(_WATCH)

    def curtains(self) -> list[str]:
        """Give what was said there; empty while the connection stays."""
        said: list[str] = self.eval("window.curtains")
        return said

    def errors(self) -> list[str]:
        """Give every error that the page or its requests made."""
        errors: list[str] = self.do("console")
        return errors
