"""A file on its way to the disk: there whole, or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import subprocess
from pathlib import Path
from typing import Iterator

import pytest

from kasmd.web.arriving import PREFIX, Arriving, sweep


def arrive(folder: Path, content: bytes = b"new", name: str = "a.txt", number: bool = False,
           ) -> str:
    """Bring a file in two pieces; give its name."""
    arriving = Arriving(str(folder), name, len(content), number)
    try:
        arriving.write(content[:1])
        arriving.write(content[1:])
        return arriving.keep()
    finally:
        arriving.close()


def left(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture
def descriptors() -> Iterator[None]:
    """See that none stays open."""
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) <= before


pytestmark = pytest.mark.usefixtures("descriptors")


def test_it_is_there_whole(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "Uploads"
    assert arrive(folder, b"0123456789") == "a.txt"
    assert left(folder) == {"a.txt": b"0123456789"}
    assert (folder / "a.txt").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700


def test_it_is_hidden_until_then(tmp_path: Path) -> None:
    arriving = Arriving(str(tmp_path), "a.txt", 3, False)
    arriving.write(b"new")
    (hidden,) = left(tmp_path)
    assert hidden.startswith(PREFIX)
    arriving.close()
    assert left(tmp_path) == {}


@pytest.mark.parametrize("taken", ["file", "link", "folder"])
def test_what_has_the_name_stays(tmp_path: Path, taken: str) -> None:
    folder, place, outside = tmp_path / "in", tmp_path / "in" / "a.txt", tmp_path / "outside"
    folder.mkdir()
    outside.write_bytes(b"old")
    if taken == "file":
        place.write_bytes(b"old")
    elif taken == "link":
        place.symlink_to(outside)
    else:
        place.mkdir()
    with pytest.raises(FileExistsError):
        arrive(folder)
    assert arrive(folder, number=True) == "a (2).txt"
    assert arrive(folder, number=True) == "a (3).txt"
    assert outside.read_bytes() == b"old" and (folder / "a (3).txt").read_bytes() == b"new"


def test_two_of_one_name_at_once(tmp_path: Path) -> None:
    first, second = (Arriving(str(tmp_path), "a", 1, False) for _ in range(2))
    for arriving, content in ((first, b"1"), (second, b"2")):
        arriving.write(content)
    assert second.keep() == "a"
    with pytest.raises(FileExistsError):
        first.keep()
    second.close()
    first.close()
    assert left(tmp_path) == {"a": b"2"}


def test_a_dangling_link_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.txt").symlink_to(tmp_path / "outside")
    with pytest.raises(FileExistsError):
        arrive(folder)
    assert not (tmp_path / "outside").exists()


def test_no_room_is_known_before_a_byte_came(tmp_path: Path) -> None:
    with pytest.raises(OSError) as caught:
        Arriving(str(tmp_path), "a", 1 << 60, False)
    assert caught.value.errno == errno.ENOSPC and left(tmp_path) == {}


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    # The kernel's own limit of a file's size stands for the disk's.
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    arriving = Arriving(str(tmp_path), "a", 0, False)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, former[1]))
        with pytest.raises(OSError) as caught:
            arriving.write(bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)
        signal.signal(signal.SIGXFSZ, handler)
        arriving.close()
    assert caught.value.errno == errno.EFBIG and left(tmp_path) == {}


def test_what_is_not_wanted_any_more_is_not_written(tmp_path: Path) -> None:
    arriving = Arriving(str(tmp_path), "a", 0, False)
    arriving.wanted = False
    arriving.write(b"x" * 100)
    assert list(left(tmp_path).values()) == [b""]
    with pytest.raises(OSError):
        arriving.keep()
    arriving.close()
    assert left(tmp_path) == {}


def test_what_is_not_wanted_any_more_loses_its_name(tmp_path: Path) -> None:
    arriving = Arriving(str(tmp_path), "a", 0, False)
    arriving.keep()
    assert "a" in left(tmp_path)
    arriving.wanted = False
    arriving.close()
    assert left(tmp_path) == {}


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError):
        Arriving(str(tmp_path / "file"), "a", 0, False)


def test_sweep(tmp_path: Path) -> None:
    sweep(str(tmp_path / "none"))
    (tmp_path / f"{PREFIX}old").write_bytes(b"half")
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "mine")
    (tmp_path / "mine").write_bytes(b"whole")
    arriving = Arriving(str(tmp_path), "a", 0, False)
    arriving.write(b"1")
    sweep(str(tmp_path))
    assert len(left(tmp_path)) == 3 and (tmp_path / f"{PREFIX}link").is_symlink()
    assert arriving.keep() == "a"
    arriving.close()
    assert left(tmp_path) == {"a": b"1", "mine": b"whole", f"{PREFIX}link": b"whole"}


def test_sweep_leaves_what_another_daemon_writes(tmp_path: Path) -> None:
    path = tmp_path / f"{PREFIX}other"
    script = f"exec 9>'{path}'; flock 9; echo locked; cat"
    with subprocess.Popen(["bash", "-c", script], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdin is not None
        assert other.stdout.readline() == b"locked\n"
        sweep(str(tmp_path))
        assert path.exists()
        other.stdin.close()
        other.wait()
    sweep(str(tmp_path))
    assert not path.exists()


def test_its_own_is_locked(tmp_path: Path) -> None:
    arriving = Arriving(str(tmp_path), "a", 0, False)
    (hidden,) = tmp_path.iterdir()
    with hidden.open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    arriving.close()
