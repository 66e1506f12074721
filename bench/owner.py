"""What is measured of the owner's API, of changing rights and of logging in."""

from __future__ import annotations

import re
import select
import socket
import time
from contextlib import ExitStack, closing
from typing import Callable, Optional, Union

import numpy

from bench.child import Child, Numbers
from bench.client import Viewer
from bench.processes import PATIENCE, Failed
from bench.square import WARM_UP, Square, percentiles
from bench.stacks import AUTHORIZATION, WATCHER, Stack, basic
from bench.steady import Scale, painting
from bench.websocket import WebSocket
from bench.workloads import gets
from kasmd.interfaces import Account
from kasmd.permission.accounts import MemoryAccounts
from kasmd.permission.checkers import Authenticator
from kasmd.permission.kasmpasswd import hash_password
from kasmd.permission.lockout import Lockout
from kasmd.rights import Right
from kasmd.viewer.worker import InlineWorker

#: Seconds after the answer in which what was sent before it may still arrive.
_ON_ITS_WAY = 0.02
#: Seconds after the answer for which the viewer is listened to.
_SILENCE = 0.04
#: Seconds between looks whether the picture is back.
_LOOK = 0.005
_STORM_RATE = 200
#: Draws in a storm and in the calm by turns.
_DRAWS_AT_ONCE = 20
_TRIES = 2000

Source = Union[WebSocket, socket.socket]


def users(stack: Stack, scale: Scale) -> Numbers:
    """The list of users, with Basic authentication, over sixteen connections."""
    return gets(stack, scale, "api/get_users")


def revoke(stack: Stack, scale: Scale) -> Numbers:
    """From the answer to ``read=false`` to the last piece of a picture: video, then stillness."""
    with ExitStack() as ending:
        rights = ending.enter_context(closing(_Rights(stack)))
        video = ending.enter_context(closing(painting(stack, "video", 30, str(scale.film))))
        video.ask("start")
        taken = [rights.change() for _ in range(scale.draws // 2)]
        video.ask("stop")
        taken += [rights.change() for _ in range(scale.draws // 2)]
    late = sum(seconds > _ON_ITS_WAY for seconds in taken)
    return {**percentiles(taken), "changes": len(taken), "late": late}


def storm(stack: Stack, scale: Scale) -> Numbers:
    """The latency with and without 200 wrong passwords a second, by turns."""
    calm: list[float] = []
    stormy: list[float] = []
    with ExitStack() as ending:
        square = ending.enter_context(Square(stack))
        tries = Child("bench.storm", str(stack.port), str(_STORM_RATE))
        ending.enter_context(closing(tries))
        seconds = 0.0
        while len(stormy) < scale.draws:
            calm += square.draw_often(_DRAWS_AT_ONCE)
            tries.ask("start")
            began = time.monotonic()
            stormy += square.draw_often(_DRAWS_AT_ONCE)
            seconds += time.monotonic() - began
            tries.ask("stop")
        found = tries.ask("count")
    if found["odd"]:
        raise Failed(f"{found['odd']:.0f} wrong passwords had no 401 or 503 for an answer")
    return {
        **{f"calm_{name}": value for name, value in percentiles(calm).items()},
        **{f"storm_{name}": value for name, value in percentiles(stormy).items()},
        "tries_per_s": (found["checked"] + found["shed"]) / seconds,
        "checked_per_s": found["checked"] / seconds,
    }


def timing(stack: Stack, scale: Scale) -> Numbers:
    """CPU time of a wrong password for an account that is there, and for none, by turns."""
    accounts = MemoryAccounts([Account("known", hash_password("right"), Right.ENTER)])
    checker = Authenticator(accounts, Lockout(0, 0), InlineWorker(), time.monotonic)
    known: list[float] = []
    unknown: list[float] = []
    for number in range(_TRIES):
        for taken, name in ((known, "known"), (unknown, f"other{number}")):
            began = time.process_time()
            checker.authenticate(name, f"wrong{number}", "192.0.2.1").addErrback(lambda _: None)
            taken.append(time.process_time() - began)
    one, other = numpy.mean(known), numpy.mean(unknown)
    return {
        "known_ms": float(one) * 1000,
        "unknown_ms": float(other) * 1000,
        "difference": float(abs(one - other) / one),
    }


WORKLOADS: dict[str, Callable[[Stack, Scale], Numbers]] = {
    "users": users,
    "revoke": revoke,
    "storm": storm,
    "timing": timing,
}


class _Rights:
    """One who watches, and the owner who takes and gives the right to."""

    def __init__(self, stack: Stack) -> None:
        self._viewer = Viewer(stack.port, basic(WATCHER))
        self._owner = socket.create_connection(("127.0.0.1", stack.port), PATIENCE)
        self._listen(WARM_UP)

    def close(self) -> None:
        """Leave."""
        self._viewer.socket.close()
        self._owner.close()

    def change(self) -> float:
        """Take the right and give it back; gives seconds from answer to last picture."""
        counts = self._viewer.counts
        answered = self._update("false")
        self._viewer.request(incremental=False)
        self._listen(_SILENCE)
        taken = max(0.0, counts.newest - answered)
        before = counts.updates
        self._update("true")
        deadline = time.perf_counter() + PATIENCE
        while counts.updates == before:
            if time.perf_counter() > deadline:
                raise Failed("no picture came when the right came back")
            self._listen(_LOOK)
        return taken

    def _update(self, read: str) -> float:
        """Say whether the viewer may read, and give when that was answered."""
        target = f"/api/update_user?name={WATCHER}&read={read}"
        self._owner.sendall(
            f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: {AUTHORIZATION}\r\n\r\n".encode()
        )
        answer = b""
        deadline = time.perf_counter() + PATIENCE
        while not _whole(answer):
            answer += self._listen(deadline - time.perf_counter(), answer_ends=True)
            if time.perf_counter() > deadline:
                raise Failed(f"no answer to {target}: {answer!r}")
        answered = time.perf_counter()
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise Failed(f"{target}: {answer!r}")
        return answered

    def _listen(self, seconds: float, answer_ends: bool = False) -> bytes:
        """Receive for ``seconds``, or until something came of an answer, and give it."""
        deadline = time.perf_counter() + seconds
        sources: list[Source] = [self._viewer.socket]
        if answer_ends:
            sources.append(self._owner)
        while (left := deadline - time.perf_counter()) > 0:
            ready = select.select(sources, [], [], left)[0]
            if self._owner in ready:
                return self._owner.recv(4096)
            if ready:
                self._viewer.socket.receive()
        return b""


def _whole(answer: bytes) -> Optional[re.Match[bytes]]:
    """Tell whether all of an HTTP answer is there."""
    head, _, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)^content-length: (\d+)", head, re.MULTILINE)
    return length if length and body and len(body) >= int(length[1]) else None
