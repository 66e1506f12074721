"""Memory that is lent to an X server, which here is played."""

from __future__ import annotations

import os
import stat
from struct import pack

import numpy as np
import pytest

from kasmd.display.x11_memory import ScreenMemory

WIDTH, HEIGHT, STRIDE = 20, 10, 96
HEAD = pack(">25I", 100, 7, 2, 24, WIDTH, HEIGHT, 0, 0, 32, 0, 32, 32, STRIDE, 4,
            0xFF0000, 0xFF00, 0xFF, 8, 256, 0, WIDTH, HEIGHT, 0, 0, 0)


@pytest.fixture
def memory(tmp_path):
    """Give memory whose folder is not there yet."""
    memory = ScreenMemory(str(tmp_path / "screen"))
    yield memory
    memory.close()


#: A screen whose rows are of four pages.
ROW, ROWS = 4 * 4096, 512
LARGE = pack(">25I", 100, 7, 2, 24, ROW // 4, ROWS, 0, 0, 32, 0, 32, 32, ROW, 4,
             0xFF0000, 0xFF00, 0xFF, 8, 256, 0, ROW // 4, ROWS, 0, 0, 0)


def started(memory, dump=HEAD + bytes(STRIDE * HEIGHT)):
    """Write as an X server would; give its descriptor."""
    with memory.lend() as lent:
        ((number, descriptor),) = lent.items()
        assert os.readlink(f"{memory.options[1]}/Xvfb_screen0") == f"/proc/self/fd/{number}"
        kept = os.dup(descriptor)
    os.write(kept, dump)
    return kept


def test_what_the_x_server_draws_is_seen(memory):
    server = started(memory)
    seen = memory.view()
    assert seen.shape == (HEIGHT, WIDTH, 4) and not seen.any()
    os.pwrite(server, b"\1\2\3\4", len(HEAD) + 3 * STRIDE + 4 * 5)
    assert seen[3, 5].tolist() == [1, 2, 3, 4] and np.count_nonzero(seen) == 4
    with pytest.raises(ValueError):
        seen[0, 0] = 1
    os.close(server)
    assert seen[3, 5].tolist() == [1, 2, 3, 4]


def test_it_cannot_be_cut_short_under_us(memory):
    server = started(memory)
    with pytest.raises(PermissionError):
        os.ftruncate(server, 100)
    os.close(server)


def test_only_we_can_reach_it_and_only_until_it_is_seen(memory):
    server = started(memory)
    folder = memory.options[1]
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert memory.view() is not None
    assert not os.path.exists(folder)
    os.close(server)


@pytest.mark.parametrize("dump", [b"", b"no dump", HEAD])
def test_what_is_no_screen_is_not_seen(memory, dump):
    os.close(started(memory, dump))
    assert memory.view() is None


def test_each_x_server_has_its_own(memory):
    assert memory.view() is None
    first = started(memory)
    second = started(memory)
    seen = memory.view()
    os.pwrite(first, b"\1", len(HEAD))
    assert not seen.any()
    os.pwrite(second, b"\1", len(HEAD))
    assert seen.any()
    os.close(first)
    os.close(second)


def test_what_was_left_behind_is_in_nobodys_way(memory):
    folder = memory.options[1]
    os.mkdir(folder)
    os.symlink("/proc/self/fd/4", f"{folder}/Xvfb_screen0")
    with open(f"{folder}/note", "w"):
        pass
    os.close(started(memory))
    assert memory.view() is not None
    assert os.listdir(folder) == ["note"]


def test_what_is_outside_becomes_black_and_its_memory_is_free(memory):
    server = started(memory, LARGE + b"\1" * ROW * ROWS)
    seen, before = memory.view(), os.fstat(server).st_blocks
    trim = memory.trimming(WIDTH, 300)
    memory.close()
    trim()
    assert os.fstat(server).st_blocks < before / 2
    assert seen[:300, :WIDTH].all() and not seen[300:].any() and not seen[:, WIDTH:].any()
    os.pwrite(server, b"\1", len(LARGE) + 500 * ROW)
    assert seen[500, 0, 0] == 1
    os.close(server)


def test_a_screen_that_is_shown_whole_stays(memory):
    server = started(memory, HEAD + b"\1" * STRIDE * HEIGHT)
    seen = memory.view()
    memory.trimming(WIDTH, HEIGHT)()
    assert seen.all()
    os.close(server)


def test_without_memory_there_is_nothing_to_trim(memory):
    os.close(started(memory, b"no dump"))
    assert memory.view() is None
    memory.trimming(0, 0)()
