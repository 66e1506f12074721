"""What is measured: each workload takes a stack and gives numbers by their names."""

from __future__ import annotations

import random
import re
import select
import subprocess
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

import numpy

from bench.child import Child, Numbers
from bench.client import ONLY_RAW, Viewer
from bench.painters import VIDEO
from bench.pictures import film, psnr
from bench.processes import Failed
from bench.stacks import AUTHORIZATION, HEIGHT, STATIC_FILE, WIDTH, Stack
from bench.x11 import Desktop

#: The square that latency is measured with; clear of the pointer's first place.
_SQUARE = (640, 384, 32, 32)
#: Seconds after which a change that nobody saw counts as lost.
_LOST_AFTER = 2.0
#: Mean difference of a colour channel below which a decoded colour is the painted one.
_SAME_COLOUR = 24
#: Seconds before measuring, and for what is owed to arrive.
_WARM_UP, _SETTLE = 1.0, 0.5
_IDLE_VIEWERS = 4
_FILM_FRAMES = 30
_STALLED_REQUESTS_EVERY = 5


@dataclass(frozen=True)
class Scale:
    """How long to measure, and where files may be put."""

    seconds: float
    draws: int
    folder: Path

    @property
    def film(self) -> Path:
        """The frames of the video; made at the first use."""
        path = self.folder / "film.npy"
        if not path.exists():
            numpy.save(path, film(*VIDEO[2:], _FILM_FRAMES))
        return path


def memory(stack: Stack, scale: Scale) -> Numbers:
    """The memory of the stack with nobody there, and of each idle viewer."""
    time.sleep(_WARM_UP)
    alone = stack.pss_mib()
    with closing(_viewers(stack, _IDLE_VIEWERS)):
        time.sleep(_WARM_UP)
        watched = stack.pss_mib()
    return {"pss_mib": alone, "viewer_mib": (watched - alone) / _IDLE_VIEWERS}


def latency(stack: Stack, scale: Scale) -> Numbers:
    """From a draw to the decoded pixels, on an idle desktop."""
    with _Square(stack) as square:
        return _percentiles(square.draw_often(scale.draws))


def stalled(stack: Stack, scale: Scale) -> Numbers:
    """The latency beside a viewer that asks for Raw full frames and reads nothing."""
    with _Square(stack) as square, ExitStack() as ending:
        square.draw_often(20)
        before, most = stack.pss_mib(), 0.0
        dead = Viewer(stack.port, AUTHORIZATION, encodings=ONLY_RAW)
        ending.callback(dead.socket.close)

        def ask_again(number: int) -> None:
            nonlocal most
            if number % _STALLED_REQUESTS_EVERY == 0:
                dead.request(incremental=False)
                most = max(most, stack.pss_mib())

        numbers = _percentiles(square.draw_often(scale.draws, ask_again))
        return {**numbers, "growth_mib": max(most, stack.pss_mib()) - before}


def video(stack: Stack, scale: Scale) -> Numbers:
    """720p at 30 frames a second to one viewer."""
    return _steady(stack, scale, "video", 30, str(scale.film))


def eight(stack: Stack, scale: Scale) -> Numbers:
    """The same video to eight viewers."""
    return _steady(stack, scale, "video", 30, str(scale.film), viewers=8)


def scroll(stack: Stack, scale: Scale) -> Numbers:
    """A text scrolled by a line twenty times a second."""
    return _steady(stack, scale, "scroll", 20, decode=True)


def typing(stack: Stack, scale: Scale) -> Numbers:
    """Fifteen letters a second."""
    return _steady(stack, scale, "typing", 15, decode=True)


def drag(stack: Stack, scale: Scale) -> Numbers:
    """A window with a picture, dragged at 30 frames a second."""
    return _steady(stack, scale, "drag", 30, decode=True)


def picture(stack: Stack, scale: Scale) -> Numbers:
    """How well a frame of the playing video is shown, against the nearest painted one."""
    x, y, width, height = VIDEO
    frames = numpy.load(scale.film, mmap_mode="r")
    kept = scale.folder / "kept.npy"
    with closing(_viewers(stack, 1, decode=True)) as viewers:
        with closing(_painter(stack, "video", 30, str(scale.film))) as painter:
            painter.ask("start")
            time.sleep(_WARM_UP)
            viewers.ask("keep", str(kept))
            time.sleep(_SETTLE)
            if not viewers.ask("count")["kept"]:
                raise Failed(f"{stack.name} sends no update of a video")
    shown = numpy.load(kept)[y : y + height, x : x + width]
    return {"psnr_db": max(psnr(shown, frame[..., 2::-1]) for frame in frames)}


def static(stack: Stack, scale: Scale) -> Numbers:
    """GETs of a file of 4 KiB with Basic authentication, over sixteen connections."""
    before, began = stack.cpu_seconds(), time.monotonic()
    command = ["wrk", "-t1", "-c16", f"-d{max(1, round(scale.seconds))}s"]
    header = ["-H", f"Authorization: {AUTHORIZATION}"]
    url = f"http://127.0.0.1:{stack.port}/{STATIC_FILE}"
    output = subprocess.run([*command, *header, url], capture_output=True, text=True).stdout
    wall, cpu = time.monotonic() - began, stack.cpu_seconds() - before
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if rate is None or "Non-2xx" in output:
        raise Failed(f"{stack.name} does not serve {url}:\n{output}")
    per_second = float(rate[1])
    return {
        "requests_per_s": per_second,
        "cpu": cpu / wall,
        "requests_per_cpu_s": per_second * wall / cpu,
    }


WORKLOADS: dict[str, Callable[[Stack, Scale], Numbers]] = {
    "memory": memory,
    "latency": latency,
    "stalled": stalled,
    "video": video,
    "picture": picture,
    "eight": eight,
    "scroll": scroll,
    "typing": typing,
    "drag": drag,
    "static": static,
}
#: Workloads that only some stacks can do; the rest are for all.
ONLY = {"static": ("kasmd",), "stalled": ("kasmd", "tigervnc")}
#: Workloads whose figure does not differ between runs.
ONCE = {"picture"}


class _Square:
    """A square that changes colour, and a viewer in this very process that sees it."""

    def __init__(self, stack: Stack) -> None:
        self._desktop = Desktop(stack.display, stack.authority)
        self._window = self._desktop.window(*_SQUARE)
        self._pen = self._desktop.pen(self._window, 0)
        self._desktop.sync()
        self._viewer = Viewer(stack.port, AUTHORIZATION, decode=True)
        self._chance = random.Random(9)

    def __enter__(self) -> _Square:
        self._watch(_WARM_UP)
        return self

    def __exit__(self, *_error: object) -> None:
        self._viewer.socket.close()
        self._desktop.close()

    def draw_often(
        self, draws: int, between: Callable[[int], None] = lambda number: None
    ) -> list[float]:
        """Draw with 30 to 60 ms of rest; gives seconds, infinite where it was lost."""
        taken = []
        for number in range(draws):
            between(number)
            self._watch(self._chance.uniform(0.03, 0.06))
            taken.append(self._draw(number))
        return taken

    def _draw(self, number: int) -> float:
        channels = [(number * step + start) % 3 * 120 for step, start in ((1, 0), (1, 1), (2, 2))]
        colour = numpy.array(channels)
        red, green, blue = channels
        self._desktop.recolour(self._pen, red << 16 | green << 8 | blue)
        self._desktop.fill(self._window, self._pen, *_SQUARE[2:])
        began = time.perf_counter()
        self._desktop.flush()
        seen = self._watch(_LOST_AFTER, colour)
        return time.perf_counter() - began if seen else float("inf")

    def _watch(self, seconds: float, colour: Optional[numpy.ndarray] = None) -> bool:
        """Receive until the square has ``colour``, or for ``seconds``."""
        deadline = time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            if not select.select([self._viewer.socket], [], [], left)[0]:
                break
            self._viewer.socket.receive()
            if colour is not None and self._shows(colour):
                return True
        return False

    def _shows(self, colour: numpy.ndarray) -> bool:
        assert self._viewer.screen is not None
        x, y, width, height = _SQUARE
        shown = self._viewer.screen[y : y + height, x : x + width]
        return bool(abs(shown - colour).max() < _SAME_COLOUR)


def _percentiles(taken: list[float]) -> Numbers:
    seen = [seconds * 1000 for seconds in taken if seconds < float("inf")]
    if not seen:
        raise Failed("no draw was ever seen")
    p50, p99 = numpy.percentile(seen, (50, 99))
    return {"p50_ms": float(p50), "p99_ms": float(p99), "lost": len(taken) - len(seen)}


def _viewers(stack: Stack, count: int, decode: bool = False) -> Child:
    mode = "decode" if decode else "count"
    return Child("bench.viewers", str(stack.port), AUTHORIZATION, str(count), mode)


def _painter(stack: Stack, name: str, rate: float, *arguments: str) -> Child:
    where = (stack.display, stack.authority)
    return Child("bench.painters", name, str(rate), *where, *arguments)


def _steady(
    stack: Stack,
    scale: Scale,
    painter_name: str,
    rate: float,
    *arguments: str,
    viewers: int = 1,
    decode: bool = False,
) -> Numbers:
    """Measure between two moments of a workload that goes on evenly."""
    with ExitStack() as ending:
        audience = ending.enter_context(closing(_viewers(stack, viewers, decode)))
        painter = ending.enter_context(closing(_painter(stack, painter_name, rate, *arguments)))
        time.sleep(_SETTLE)
        silence = _sample(stack, audience, painter)
        painter.ask("start")
        time.sleep(_WARM_UP)
        began, first = time.monotonic(), _sample(stack, audience, painter)
        time.sleep(scale.seconds)
        wall, last = time.monotonic() - began, _sample(stack, audience, painter)
        painter.ask("stop")
        time.sleep(_SETTLE)
        whole = _difference(_sample(stack, audience, painter), silence)
        numbers = _rates(_difference(last, first), wall, viewers)
        numbers["lost"] = max(0.0, whole["painted"] - whole["fewest"])
        numbers["copies_per_paint"] = whole["copies"] / viewers / whole["painted"]
        if decode:
            numbers["wrong_pixels"] = _wrong_pixels(stack, audience, scale.folder / "shown.npy")
        return numbers


def _sample(stack: Stack, audience: Child, painter: Child) -> Numbers:
    return {**painter.ask("count"), **audience.ask("count"), "cpu": stack.cpu_seconds()}


def _difference(last: Numbers, first: Numbers) -> Numbers:
    return {name: last[name] - first[name] for name in last}


def _rates(change: Numbers, wall: float, viewers: int) -> Numbers:
    updates, painted = change["updates"] / viewers, change["painted"]
    if not updates:
        raise Failed("no update came")
    kib = change["bytes"] / viewers / 1024
    return {
        "updates_per_s": updates / wall,
        "fewest_updates_per_s": change["fewest"] / wall,
        "paints_per_s": painted / wall,
        "kib_per_update": kib / updates,
        "kib_per_paint": kib / painted,
        "cpu": change["cpu"] / wall,
        "cpu_ms_per_update": change["cpu"] / updates * 1000,
    }


def _wrong_pixels(stack: Stack, audience: Child, file: Path) -> float:
    """Count the pixels in which the viewer's last picture is not the desktop's."""
    audience.ask("save", str(file))
    with closing(Desktop(stack.display, stack.authority)) as desktop:
        truth = desktop.grab(0, 0, WIDTH, HEIGHT)[..., 2::-1]
    wrong = abs(numpy.load(file).astype(int) - truth).max(axis=-1) > 2 * _SAME_COLOUR
    return float(numpy.count_nonzero(wrong))
