"""Work that can be left for a while, between its steps."""

from __future__ import annotations

from typing import Generator, TypeVar

T = TypeVar("T")

#: Comes to a T; what it yields means nothing.
Steps = Generator[None, None, T]


def finished(steps: Steps[T]) -> T:
    """Do all of it now."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
