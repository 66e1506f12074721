"""Wrong passwords at an even pace, a process: python -m bench.storm PORT RATE.

Each try is of another name and from another address of 127.0.0.0/8, so that no
lock-out spares the server the work.
"""

from __future__ import annotations

import itertools
import re
import socket
import sys
import threading
import time
from collections import Counter
from typing import Sequence

from bench.child import answer, serve
from bench.stacks import basic

#: How many try at once; none waits for another's answer.
_THREADS = 24
_STATUS = re.compile(rb"HTTP/1\.1 (\d+) ")
_TIMEOUT = 10.0


class Storm:
    """Tries from `start` to `stop`; ``statuses`` has what came back."""

    def __init__(self, port: int, rate: float) -> None:
        self.statuses: Counter[int] = Counter()
        self._port, self._rate = port, rate
        self._numbers = itertools.count()
        self._running = threading.Event()
        for number in range(_THREADS):
            threading.Thread(target=self._try_on, args=(number,), daemon=True).start()

    def reply(self, words: Sequence[str]) -> None:
        """Answer ``count``, after ``start`` or ``stop`` have been obeyed."""
        if words[0] == "start":
            self._running.set()
        elif words[0] == "stop":
            self._running.clear()
        statuses = dict(self.statuses)
        checked, shed = statuses.pop(401, 0), statuses.pop(503, 0)
        answer({"checked": checked, "shed": shed, "odd": sum(statuses.values())})

    def _try_on(self, number: int) -> None:
        period = _THREADS / self._rate
        while True:
            self._running.wait()
            due = time.monotonic() + period * number / _THREADS
            while self._running.is_set():
                time.sleep(max(0.0, due - time.monotonic()))
                # It may have been stopped meanwhile, and the calm is measured without a try.
                if self._running.is_set():
                    self.statuses[self._try(next(self._numbers))] += 1
                due += period

    def _try(self, number: int) -> int:
        """Give the status of the answer; 0 where there was none."""
        source = f"127.{1 + number // 62500 % 250}.{number // 250 % 250}.{1 + number % 250}"
        head = f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: {basic(f'user{number}')}\r\n\r\n"
        target = ("127.0.0.1", self._port)
        try:
            with socket.create_connection(target, _TIMEOUT, (source, 0)) as connection:
                connection.sendall(head.encode())
                found = _STATUS.match(connection.recv(4096))
        except OSError:
            return 0
        return int(found[1]) if found else 0


def main(port: str, rate: str) -> None:
    """Try until the parent ends the conversation."""
    serve(Storm(int(port), float(rate)).reply)


if __name__ == "__main__":
    main(*sys.argv[1:])
