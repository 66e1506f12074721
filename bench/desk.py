"""What people do: they come to a desktop full of text, and scroll a page in a browser."""

from __future__ import annotations

import base64
import html
import time
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Callable, Iterator

import numpy
import simplejpeg

from bench.child import Child, Numbers
from bench.client import LOSSLESS, Viewer
from bench.pictures import film
from bench.processes import PATIENCE, Failed, start, stop
from bench.square import WARM_UP
from bench.stacks import AUTHORIZATION, HEIGHT, WIDTH, Stack
from bench.steady import SETTLE, Scale, difference, painting, watching

_FRAMES = 7
_PARAGRAPHS, _PICTURE_EVERY, _PICTURES = 400, 12, 4
#: Scrolls by so many pixels, so many times a second, and begins anew at the end.
_STEP, _RATE = 48, 20
_PAGE = """\
<!doctype html><meta charset=utf-8><title>A page</title>
<style>body {{ font: 16px/1.5 sans-serif; max-width: 60em; margin: 2em auto }}
code {{ background: #eee }} img {{ float: right; margin: 1em }}</style>
{body}
<script>setInterval(() => {{
  scrollBy(0, {step});
  if (innerHeight + scrollY >= document.body.scrollHeight - {step}) scrollTo(0, 0);
}}, {pause});</script>
"""
_FLAGS = (
    "--no-sandbox --no-first-run --disable-gpu --disable-extensions --disable-sync --mute-audio"
    " --disable-background-networking --disable-component-update --password-store=basic"
    f" --window-position=0,0 --window-size={WIDTH},{HEIGHT}"
)


def first(stack: Stack, scale: Scale, painted: str = "text") -> Numbers:
    """From the request of one who comes, and will have no loss, to all of a text desktop."""
    taken, sizes = [], []
    with closing(painting(stack, painted, 1)) as painter:
        for _ in range(_FRAMES):
            painter.ask("once")
            time.sleep(SETTLE)
            viewer = Viewer(stack.port, AUTHORIZATION, encodings=LOSSLESS)
            with closing(viewer.socket):
                began, before = viewer.asked, viewer.bytes_received
                while viewer.counts.area < WIDTH * HEIGHT:
                    viewer.socket.receive()
                taken.append(viewer.counts.newest - began)
                sizes.append(viewer.bytes_received - before)
    return {
        "ms": median(taken) * 1000, "slowest_ms": max(taken) * 1000, "kib": median(sizes) / 1024,
    }  # fmt: skip


@contextmanager
def scrolling(stack: Stack, scale: Scale) -> Iterator[Child]:
    """Give a viewer of a page with pictures, which Chromium scrolls twenty times a second."""
    page = scale.folder / "page.html"
    if not page.exists():
        page.write_text(_page())
    with ExitStack() as ending:
        viewer = ending.enter_context(closing(watching(stack, 1)))
        profile = scale.folder / f"{stack.name}-{time.monotonic_ns()}"
        where = (f"--user-data-dir={profile}", f"--app={page.as_uri()}")
        environment = {"DISPLAY": stack.display, "XAUTHORITY": stack.authority}
        command = ("chromium", *_FLAGS.split(), *where)
        ending.callback(stop, start(command, scale.folder / "chromium.log", environment))
        _until_busy(viewer)
        yield viewer


def browser(stack: Stack, scale: Scale) -> Numbers:
    """A page that is scrolled; the CPU of Chromium is not counted."""
    with scrolling(stack, scale) as viewer:
        time.sleep(WARM_UP)
        before, began = {**viewer.ask("count"), "cpu": stack.cpu_seconds()}, time.monotonic()
        time.sleep(2 * scale.seconds)
        wall = time.monotonic() - began
        change = difference({**viewer.ask("count"), "cpu": stack.cpu_seconds()}, before)
    return {
        "updates_per_s": change["updates"] / wall,
        "kib_per_update": change["bytes"] / 1024 / max(1, change["updates"]),
        "kib_per_scroll": change["bytes"] / 1024 / wall / _RATE,
        "cpu": change["cpu"] / wall,
        "copies_per_scroll": change["copies"] / wall / _RATE,
    }


WORKLOADS: dict[str, Callable[[Stack, Scale], Numbers]] = {
    "first": first,
    "smooth": partial(first, painted="smooth"),
    "browser": browser,
}


def _until_busy(viewer: Child) -> None:
    """Wait until the page scrolls: a whole second with more than a few updates."""
    ends = time.monotonic() + 2 * PATIENCE
    while time.monotonic() < ends:
        before = viewer.ask("count")["updates"]
        time.sleep(WARM_UP)
        if viewer.ask("count")["updates"] - before > _RATE / 2:
            return
    raise Failed("the browser does not scroll")


def _page() -> str:
    """Make a page of our own sources' text, with photograph-like pictures."""
    pieces = [
        f"<p>{html.escape(piece)}"
        for file in sorted(Path(__file__).parent.glob("*.py"))
        for piece in file.read_text().split("\n\n")
    ]
    pictures = film(480, 320, _PICTURES)[..., 2::-1]
    for number in range(0, _PARAGRAPHS, _PICTURE_EVERY):
        picture = numpy.ascontiguousarray(pictures[number // _PICTURE_EVERY % _PICTURES])
        data = base64.b64encode(simplejpeg.encode_jpeg(picture, 90)).decode()
        pieces.insert(number, f'<img src="data:image/jpeg;base64,{data}">')
    body = "\n".join(pieces[:_PARAGRAPHS])
    return _PAGE.format(body=body, step=_STEP, pause=1000 // _RATE)
