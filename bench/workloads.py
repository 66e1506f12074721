"""What is measured: each workload takes a stack and gives numbers by their names."""

from __future__ import annotations

import re
import subprocess
import time
from contextlib import ExitStack, closing
from typing import Callable, Mapping

import numpy

from bench.child import Numbers
from bench.client import LOSSLESS, ONLY_RAW, Viewer
from bench.processes import Failed
from bench.square import BESIDE, WARM_UP, Square, percentiles
from bench.stacks import AUTHORIZATION, STATIC_FILE, Stack
from bench.steady import Scale, painting, steady, watching

#: The stacks that are made for this; x11vnc looks at another's screen now and then.
RIVALRY = ("kasmd", "kasmvnc", "tigervnc")
#: Those who come first make what all share, and leave room that is used again: there must
#: be many more of the others, as far as a process for each allows it.
_FIRST_VIEWERS, _IDLE_VIEWERS, _FEW = 16, 180, 16
#: As many paints a second, or a little more where so many updates are asked for.
_FULL_RATE = 31
_COPIED = 64 << 20
_COPIES = 5
_STALLED_REQUESTS_EVERY = 5


def memcpy(stack: Stack, scale: Scale) -> Numbers:
    """How fast the machine copies memory, while this stack is measured."""
    source = numpy.ones(_COPIED, numpy.uint8)
    target = numpy.zeros_like(source)
    taken = []
    for _ in range(_COPIES):
        began = time.perf_counter()
        numpy.copyto(target, source)
        taken.append(time.perf_counter() - began)
    return {"gb_per_s": _COPIED / min(taken) / 1e9}


def memory(stack: Stack, scale: Scale) -> Numbers:
    """The memory of the stack with nobody there, and of each idle viewer."""
    time.sleep(WARM_UP)
    alone, count = stack.pss_mib(), _IDLE_VIEWERS if stack.name == "kasmd" else _FEW
    with closing(watching(stack, _FIRST_VIEWERS)):
        time.sleep(WARM_UP)
        first = stack.private_mib()
        with closing(watching(stack, count)):
            time.sleep(WARM_UP)
            more = stack.private_mib() - first
    return {"pss_mib": alone, "viewer_kib": more * 1024 / count}


def idle(stack: Stack, scale: Scale) -> Numbers:
    """The CPU of a desktop on which nothing happens, with one viewer."""
    with closing(watching(stack, 1)):
        time.sleep(WARM_UP)
        before, began = stack.cpu_seconds(), time.monotonic()
        time.sleep(scale.seconds)
        return {"cpu": (stack.cpu_seconds() - before) / (time.monotonic() - began)}


def latency(stack: Stack, scale: Scale) -> Numbers:
    """From a draw to the decoded pixels, on an idle desktop."""
    with Square(stack) as square:
        return percentiles(square.draw_often(scale.draws))


def busy(stack: Stack, scale: Scale) -> Numbers:
    """The same beside the video."""
    with closing(painting(stack, "video", 30, str(scale.film))) as painter:
        painter.ask("start")
        with Square(stack, BESIDE) as square:
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
    return steady(stack, scale, "video", 30, str(scale.film))


def eight(stack: Stack, scale: Scale) -> Numbers:
    """The same video to eight viewers."""
    return steady(stack, scale, "video", 30, str(scale.film), viewers=8)


def fifty(stack: Stack, scale: Scale) -> Numbers:
    """The same video to fifty viewers."""
    return steady(stack, scale, "video", 30, str(scale.film), viewers=50)


def six(stack: Stack, scale: Scale) -> Numbers:
    """1080p at 30 frames a second to six viewers, each of a quality of his own, 4:4:4."""
    return steady(stack, scale, "full", 30, str(scale.reel), viewers=6, encodings=())


def lossless(stack: Stack, scale: Scale) -> Numbers:
    """The same video to a viewer that names no quality."""
    return steady(stack, scale, "video", 30, str(scale.film), encodings=LOSSLESS)


def full(stack: Stack, scale: Scale) -> Numbers:
    """1080p, all of the desktop, at a little more than 30 frames a second."""
    return steady(stack, scale, "full", _FULL_RATE, str(scale.reel))


def scroll(stack: Stack, scale: Scale) -> Numbers:
    """A text scrolled by a line twenty times a second."""
    return steady(stack, scale, "scroll", 20, decode=True)


def typing(stack: Stack, scale: Scale) -> Numbers:
    """Fifteen letters a second."""
    return steady(stack, scale, "typing", 15, decode=True)


def drag(stack: Stack, scale: Scale) -> Numbers:
    """A window with a picture, dragged at a little more than 30 frames a second."""
    return steady(stack, scale, "drag", _FULL_RATE, decode=True)


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
    "memcpy": memcpy,
    "memory": memory,
    "idle": idle,
    "latency": latency,
    "busy": busy,
    "stalled": stalled,
    "video": video,
    "lossless": lossless,
    "full": full,
    "eight": eight,
    "fifty": fifty,
    "six": six,
    "scroll": scroll,
    "typing": typing,
    "drag": drag,
    "static": static,
}
#: Workloads that only some stacks can do; the rest are for all.
ONLY = {
    **dict.fromkeys(("static", "fifty"), ("kasmd",)),
    **dict.fromkeys(("memory", "idle", "stalled", "busy", "lossless", "full", "six"), RIVALRY),
}
