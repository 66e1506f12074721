"""What is measured: each workload takes a stack and gives numbers by their names."""

from __future__ import annotations

import re
import subprocess
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Mapping

import numpy

from bench.child import Child, Numbers
from bench.client import ONLY_RAW, Viewer
from bench.painters import VIDEO
from bench.pictures import film, psnr
from bench.processes import Failed
from bench.square import SAME_COLOUR, WARM_UP, Square, percentiles
from bench.stacks import AUTHORIZATION, HEIGHT, STATIC_FILE, WIDTH, Stack
from bench.x11 import Desktop

#: Seconds for what is owed to arrive.
_SETTLE = 0.5
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
    time.sleep(WARM_UP)
    alone = stack.pss_mib()
    with closing(_viewers(stack, _IDLE_VIEWERS)):
        time.sleep(WARM_UP)
        watched = stack.pss_mib()
    return {"pss_mib": alone, "viewer_mib": (watched - alone) / _IDLE_VIEWERS}


def latency(stack: Stack, scale: Scale) -> Numbers:
    """From a draw to the decoded pixels, on an idle desktop."""
    with Square(stack) as square:
        return percentiles(square.draw_often(scale.draws))


def stalled(stack: Stack, scale: Scale) -> Numbers:
    """The latency beside a viewer that asks for Raw full frames and reads nothing."""
    with Square(stack) as square, ExitStack() as ending:
        square.draw_often(20)
        before, most = stack.pss_mib(), 0.0
        dead = Viewer(stack.port, AUTHORIZATION, encodings=ONLY_RAW)
        ending.callback(dead.socket.close)

        def ask_again(number: int) -> None:
            nonlocal most
            if number % _STALLED_REQUESTS_EVERY == 0:
                dead.request(incremental=False)
                most = max(most, stack.pss_mib())

        numbers = percentiles(square.draw_often(scale.draws, ask_again))
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
        with closing(painting(stack, "video", 30, str(scale.film))) as painter:
            painter.ask("start")
            time.sleep(WARM_UP)
            viewers.ask("keep", str(kept))
            time.sleep(_SETTLE)
            if not viewers.ask("count")["kept"]:
                raise Failed(f"{stack.name} sends no update of a video")
    shown = numpy.load(kept)[y : y + height, x : x + width]
    return {"psnr_db": max(psnr(shown, frame[..., 2::-1]) for frame in frames)}


def static(stack: Stack, scale: Scale) -> Numbers:
    """GETs of a file of 4 KiB with Basic authentication, over sixteen connections."""
    return gets(stack, scale, STATIC_FILE)


def gets(stack: Stack, scale: Scale, path: str) -> Numbers:
    """Get ``path`` as the account of the benchmark, as often as the stack can."""
    fields = {"Authorization": AUTHORIZATION}
    return requests(stack.name, stack.cpu_seconds, stack.port, path, fields, scale.seconds)


def requests(name: str, cpu_seconds: Callable[[], float], port: int, path: str,
             fields: Mapping[str, str], seconds: float) -> Numbers:
    """Get ``path`` with these fields over sixteen connections, as often as ``name`` can."""
    before, began = cpu_seconds(), time.monotonic()
    command = ["wrk", "-t1", "-c16", f"-d{max(1, round(seconds))}s"]
    header = [word for key, value in fields.items() for word in ("-H", f"{key}: {value}")]
    url = f"http://127.0.0.1:{port}/{path}"
    output = subprocess.run([*command, *header, url], capture_output=True, text=True).stdout
    wall, cpu = time.monotonic() - began, cpu_seconds() - before
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if rate is None or "Non-2xx" in output:
        raise Failed(f"{name} does not serve {url}:\n{output}")
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


def _viewers(stack: Stack, count: int, decode: bool = False) -> Child:
    mode = "decode" if decode else "count"
    return Child("bench.viewers", str(stack.port), AUTHORIZATION, str(count), mode)


def painting(stack: Stack, name: str, rate: float, *arguments: str) -> Child:
    """Give what paints on the desktop once it is started."""
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
        painter = ending.enter_context(closing(painting(stack, painter_name, rate, *arguments)))
        time.sleep(_SETTLE)
        silence = _sample(stack, audience, painter)
        painter.ask("start")
        time.sleep(WARM_UP)
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
    wrong = abs(numpy.load(file).astype(int) - truth).max(axis=-1) > 2 * SAME_COLOUR
    return float(numpy.count_nonzero(wrong))
