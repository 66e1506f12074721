"""A reactor whose turns are taken one by one."""

from __future__ import annotations

from functools import partial
from typing import Callable


class Turns:
    """As far as slices of work ask for one; `now` is set by who works."""

    def __init__(self) -> None:
        self.now = 0.0
        self.due: list[Callable[[], object]] = []

    def seconds(self) -> float:
        """Give the time."""
        return self.now

    def callLater(self, seconds: float, call: Callable[..., object], *args: object) -> None:
        """Call it in the next turn."""
        assert not seconds, "whoever works goes on as soon as he may"
        self.due.append(partial(call, *args))

    def turn(self) -> None:
        """Take one turn."""
        due, self.due = self.due, []
        for call in due:
            call()
