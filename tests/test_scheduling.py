"""kasmd.scheduling: the threads of the process stay as they were."""

from __future__ import annotations

import os
import threading

import pytest

from kasmd import scheduling
from kasmd.codec.video import Codec, VideoEncoder, available

URGENT = os.sched_param(1)


def policies() -> set[int]:
    """Give the policies of the process's threads."""
    return {os.sched_getscheduler(int(task)) for task in os.listdir("/proc/self/task")}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a thread urgent")
def test_what_a_block_makes_urgent_is_ordinary_afterwards() -> None:
    end = threading.Event()
    with scheduling.unchanged():
        os.sched_setscheduler(0, os.SCHED_FIFO, URGENT)
        inheriting = threading.Thread(target=end.wait)
        inheriting.start()
        assert os.SCHED_FIFO in policies()
    assert policies() == {os.SCHED_OTHER}
    end.set()
    inheriting.join()


@pytest.mark.parametrize("codec", Codec)
def test_no_encoder_makes_the_process_urgent(codec: Codec) -> None:
    if codec in available():
        encoder = VideoEncoder(320, 192, available()[codec])
        assert policies() == {os.SCHED_OTHER}
        encoder.close()
    assert policies() == {os.SCHED_OTHER}
