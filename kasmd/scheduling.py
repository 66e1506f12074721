"""What keeps a library from making the daemon's threads more urgent than the machine's."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import Iterator

_TASKS = "/proc/self/task"


@contextmanager
def unchanged() -> Iterator[None]:
    """Undo what the block does to the scheduling of the process's threads, old and new.

    SVT-AV1, run as root, makes the thread that opens an encoder and all of its own
    SCHED_FIFO of the highest priority; every program that is started later
    inherits that, and two of them that compute leave the machine no processor.
    """
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if policy != os.SCHED_FIFO:
            for task in map(int, os.listdir(_TASKS)):
                with suppress(ProcessLookupError):
                    if os.sched_getscheduler(task) == os.SCHED_FIFO:
                        os.sched_setscheduler(task, policy, parameters)
