"""A file of keys: strict, made where there is none, and read again once it was edited."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Optional

import pytest
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from kasmd.errors import AccountsError
from kasmd.permission.keyfile import LOOK_INTERVAL, KeyFile, WatchedKeys, load_keys

KEY, OTHER = bytes(range(32)), bytes(32)


class Clock:
    """Seconds that are set."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_file_of_keys(tmp_path: Path) -> None:
    path = tmp_path / "key"
    (key,) = load_keys(str(path))
    assert len(key) == 32 and stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_keys(str(path)) == (key,)
    path.write_text(f"{KEY.hex()}\n{key.hex()}\n")
    assert load_keys(str(path)) == (KEY, key)


@pytest.mark.parametrize("content, mode, why", [
    ("", 0o600, "64 hexadecimal"), ("00" * 31, 0o600, "64 hexadecimal"),
    ("zz" * 32, 0o600, "64 hexadecimal"), ("00" * 32, 0o640, "open to others"),
    ("00" * 32, 0o604, "open to others"), (("00" * 32 + "\n") * 5, 0o600, "4 at most"),
    (None, 0o600, "directory|regular"),
])
def test_bad_files_of_keys(tmp_path: Path, content: Optional[str], mode: int, why: str) -> None:
    path = tmp_path / "key"
    if content is None:
        path.mkdir()
    else:
        path.write_text(content)
        path.chmod(mode)
    with pytest.raises(AccountsError, match=why):
        load_keys(str(path))


def test_an_edit_is_noticed_within_a_second(tmp_path: Path) -> None:
    path, clock = tmp_path / "key", Clock()
    file = KeyFile(str(path), clock)
    (made,) = first = file.keys()
    path.write_text(f"{KEY.hex()}\n{made.hex()}\n")
    clock.now += LOOK_INTERVAL / 2
    assert file.keys() is first
    clock.now += LOOK_INTERVAL / 2
    second = file.keys()
    assert second == (KEY, made)
    clock.now += LOOK_INTERVAL
    assert file.keys() is second


def test_a_bad_edit_leaves_the_keys_as_they_were(tmp_path: Path) -> None:
    path, clock = tmp_path / "key", Clock()
    file = KeyFile(str(path), clock)
    first = file.keys()

    def look() -> tuple[bytes, ...]:
        clock.now += LOOK_INTERVAL
        return file.keys()

    path.write_text("no key")
    assert look() is look() is first
    path.unlink()
    assert look() is first and not path.exists()
    path.write_text(f"{OTHER.hex()}\n")
    path.chmod(0o644)
    assert look() is first
    path.chmod(0o600)
    assert look() == (OTHER,)


class WatchedTests(TestCase):
    """On a clock that stands still: nothing but the watch makes it look."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp()).absolute()
        self.keys = KeyFile(str(self.path), Clock())
        self.changed: Deferred[None] = Deferred().addTimeout(10, reactor)
        self.changes = 0
        self.watched = WatchedKeys(reactor, self.keys, self.change)
        self.watched.startService()
        self.addCleanup(self.watched.stopService)

    def change(self) -> None:
        self.changes += 1
        self.changed.callback(None)

    async def test_an_edit_is_told_and_read_at_once(self) -> None:
        self.path.write_text(f"{KEY.hex()}\n")
        await self.changed
        self.assertEqual(self.keys.keys(), (KEY,))

    def test_what_changed_no_key_is_not_told(self) -> None:
        self.path.write_text("no key")
        self.watched.look()
        self.assertEqual(self.changes, 0)
        self.path.write_text(f"{KEY.hex()}\n")
        self.watched.look()
        self.watched.look()
        self.assertEqual(self.changes, 1)
