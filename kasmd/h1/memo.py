"""What was found out once about bytes that come again and again."""

from __future__ import annotations

from typing import Callable, Generic, Sized, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

#: Longer keys are not remembered.
LONGEST = 1024
#: Keys of one memo.
MOST = 1024


def is_short(key: Sized, value: object) -> bool:
    """Tell whether a key may be remembered whose bytes are no secret."""
    return len(key) <= LONGEST


class Memo(dict[Key, Value], Generic[Key, Value]):
    """``memo[key]`` is what ``make`` gives for the key, or raises.

    It is remembered if ``keeps`` says so, who sees both.  A full memo is emptied and
    fills itself again: that keeps it to dict's own look-up, a fifth of what
    `functools.lru_cache` takes, which knows in which order keys were used.
    """

    def __init__(
        self, make: Callable[[Key], Value], keeps: Callable[[Key, Value], bool]
    ) -> None:
        super().__init__()
        self._make = make
        self._keeps = keeps

    def __missing__(self, key: Key) -> Value:
        value = self._make(key)
        if self._keeps(key, value):
            if len(self) >= MOST:
                self.clear()
            self[key] = value
        return value
