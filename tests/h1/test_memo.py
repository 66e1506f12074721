"""kasmd.h1.memo: asked once for each key, and never without bounds."""

from __future__ import annotations

import pytest

from kasmd.h1.memo import LONGEST, MOST, Memo, is_short


class Counted:
    """Gives a key's length, and how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.memo = Memo(self.make, is_short)

    def make(self, key: bytes) -> int:
        self.asked.append(key)
        if key == b"bad":
            raise ValueError("no value")
        return len(key)


def test_a_key_is_asked_for_once() -> None:
    counted = Counted()
    assert [counted.memo[b"one"], counted.memo[b"one"], counted.memo[b"two"]] == [3, 3, 3]
    assert counted.asked == [b"one", b"two"]


def test_what_is_refused_is_refused_again() -> None:
    counted = Counted()
    for _ in range(2):
        with pytest.raises(ValueError):
            counted.memo[b"bad"]
    assert counted.asked == [b"bad", b"bad"]


def test_long_keys_are_not_remembered() -> None:
    counted = Counted()
    for key in (bytes(LONGEST), bytes(LONGEST + 1)) * 2:
        assert counted.memo[key] == len(key)
    assert list(counted.memo) == [bytes(LONGEST)]


def test_there_is_an_end_to_how_many_are() -> None:
    counted = Counted()
    keys = [b"%d" % number for number in range(MOST + 1)]
    assert [counted.memo[key] for key in keys] == [len(key) for key in keys]
    assert list(counted.memo) == keys[-1:]
    assert counted.memo[keys[0]] == 1


def test_what_may_be_kept_is_for_its_owner_to_say():
    memo = Memo(len, lambda key, value: value < 3)
    assert [memo[b"a"], memo[b"secret"]] == [1, 6]
    assert list(memo) == [b"a"]
