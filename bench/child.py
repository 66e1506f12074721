"""A process of our own that works at its own pace and answers questions.

-> a line of words    <- a line of JSON    the end of the input ends it
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from typing import Callable, Mapping, Optional, Protocol, Sequence

from bench.processes import Failed, read_line, stop

#: Numbers by their names.
Numbers = dict[str, float]


class Child:
    """The parent's side; the child's first line says that it is ``ready``."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._name = f"{module} {' '.join(arguments)}"
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self.ready = self._answer()
        except Failed:
            self.close()
            raise

    def ask(self, *words: str) -> Numbers:
        """Ask for the numbers as they are now."""
        assert self._process.stdin is not None
        self._process.stdin.write((" ".join(words) + "\n").encode())
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the child."""
        stop(self._process)

    def _answer(self) -> Numbers:
        assert self._process.stdout is not None
        answer: Numbers = json.loads(read_line(self._process.stdout.fileno(), self._name))
        return answer


class Readable(Protocol):
    """Something to wait for besides questions."""

    def fileno(self) -> int:
        """Give the descriptor to wait for."""

    def receive(self) -> None:
        """Act on what can be read."""


def answer(numbers: Mapping[str, float]) -> None:
    """Write one answer to the parent."""
    print(json.dumps(numbers), flush=True)


def serve(
    reply: Callable[[Sequence[str]], None],
    readables: Sequence[Readable] = (),
    wait: Optional[Callable[[], float]] = None,
) -> None:
    """Answer questions until the parent ends the conversation.

    ``wait`` does what is due and says how many seconds until more is.
    """
    answer({})
    by_fd = {readable.fileno(): readable for readable in readables}
    poll = select.poll()
    for fd in (sys.stdin.fileno(), *by_fd):
        poll.register(fd, select.POLLIN)
    while True:
        timeout = None if wait is None else wait() * 1000
        for fd, _event in poll.poll(timeout):
            if fd in by_fd:
                by_fd[fd].receive()
                continue
            words = os.read(fd, 4096).decode()
            if not words:
                return
            reply(words.split())
