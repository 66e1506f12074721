"""A file that is replaced whole or not at all, on a real file system."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator

import pytest
from twisted.logger import capturedLogs, formatEvent

from kasmd.permission import durable


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let no file of this process grow over ``size``: a write stops midway, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def beside(path: Path) -> list[str]:
    return sorted(os.listdir(path.parent))


def test_replace_and_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert durable.read(str(path)) is None
    durable.replace(str(path), b"one")
    durable.replace(str(path), b"two")
    assert durable.read(str(path)) == b"two"
    assert beside(path) == ["file"]


def test_mode_does_not_depend_on_the_umask_or_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o666)
    before = os.umask(0)
    try:
        durable.replace(str(path), b"new")
        with durable.exclusive(str(path)):
            pass
    finally:
        os.umask(before)
    for name in beside(path):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_disk_full_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    durable.replace(str(path), b"old")
    with full_disk(100), pytest.raises(OSError, match="too large"):
        durable.replace(str(path), b"x" * 1000)
    assert path.read_bytes() == b"old" and beside(path) == ["file"]
    durable.replace(str(path), b"x" * 1000)
    assert path.read_bytes() == b"x" * 1000


def test_what_cannot_be_renamed_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    with pytest.raises(OSError):
        durable.replace(str(path), b"new")
    assert beside(path) == ["folder"] and path.is_dir()


def test_remains_of_a_killed_writer_are_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "file"
    other = tmp_path / "other"
    other.write_bytes(b"untouched")
    (tmp_path / ".file.new").symlink_to(other)
    durable.replace(str(path), b"new")
    assert path.read_bytes() == b"new" and other.read_bytes() == b"untouched"
    assert beside(path) == ["file", "other"]


def test_size_limit_holds_both_ways(tmp_path: Path) -> None:
    path = tmp_path / "file"
    durable.replace(str(path), b"x" * durable.SIZE_LIMIT)
    assert len(durable.read(str(path)) or b"") == durable.SIZE_LIMIT
    with pytest.raises(OSError, match="larger"):
        durable.replace(str(path), b"x" * (durable.SIZE_LIMIT + 1))
    with path.open("ab") as file:
        file.write(b"x")
    with pytest.raises(OSError, match="larger"):
        durable.read(str(path))


def test_only_regular_files_are_read_and_a_pipe_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    for odd in (str(path), str(tmp_path), "/dev/zero"):
        with pytest.raises(OSError):
            durable.read(odd)


def test_another_writer_is_waited_for(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    entered = threading.Event()
    order: list[str] = []

    def second() -> None:
        entered.wait(60)
        with durable.exclusive(path, 60):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with durable.exclusive(path):
        entered.set()
        thread.join(durable.LOCK_SECONDS / 4)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_a_writer_that_hangs_is_not_waited_for_longer(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError, match="another program"):
            with durable.exclusive(path):
                raise AssertionError("not reached")
    with durable.exclusive(path):
        pass


def test_many_processes_lose_no_change(tmp_path: Path) -> None:
    path = tmp_path / "kasmpasswd"
    code = """if True:
        import sys
        from kasmd.interfaces import Account
        from kasmd.permission.accounts import rewrite
        from kasmd.rights import READ
        for number in range(5):
            account = Account(f"{sys.argv[2]}-{number}", "x", READ)
            rewrite(sys.argv[1], lambda file: file.with_account(account), 60)
    """
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(path), str(who)]) for who in range(3)
    ]
    assert [process.wait(120) for process in running] == [0, 0, 0]
    wanted = {f"{who}-{number}" for who in range(3) for number in range(5)}
    assert {line.split(":")[0] for line in path.read_text().splitlines()} == wanted


@pytest.mark.parametrize("mode, told", [(0o600, False), (0o640, False), (0o644, True)])
def test_what_everybody_may_read_is_told(tmp_path: Path, mode: int, told: bool) -> None:
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    with capturedLogs() as events:
        durable.warn_if_open(str(path))
        durable.warn_if_open(str(tmp_path / "none"))
    said = [f"{path}: everybody on this machine may read it (mode 0644); make it 0600"]
    assert [formatEvent(event) for event in events] == (said if told else [])
