"""Who asked for the size that a display takes: one of the viewers, or none."""

from __future__ import annotations

from typing import Any, Callable

from twisted.internet.defer import Deferred, maybeDeferred

from kasmd.rfb.numbers import DesktopSizeReason


class Resizes:
    """What the viewers of one display asked for and were not answered yet.

    A display makes the changes in the order in which they are asked for: so one that is
    told meanwhile is that of the oldest who waits.
    """

    def __init__(self) -> None:
        self._waiting: dict[object, object] = {}

    def ask(self, who: object, resize: Callable[[], Deferred[int]]) -> Deferred[int]:
        """Call ``resize`` for ``who``; gives its answer."""
        turn = object()
        self._waiting[turn] = who
        return maybeDeferred(resize).addBoth(self._answered, turn)

    def reason(self, who: object) -> DesktopSizeReason:
        """Give why the size changes now, as ``who`` is to be told."""
        if not self._waiting:
            return DesktopSizeReason.SERVER
        own = next(iter(self._waiting.values())) is who
        return DesktopSizeReason.THIS_CLIENT if own else DesktopSizeReason.OTHER_CLIENT

    def _answered(self, answer: Any, turn: object) -> Any:
        del self._waiting[turn]
        return answer
