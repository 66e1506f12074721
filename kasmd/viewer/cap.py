"""The bytes a second that one viewer may be sent, whatever its link carries."""

from __future__ import annotations

from math import inf
from typing import Optional

#: Seconds by which an update may be early, so that a timer that is late loses nothing.
_EARLY = 0.01


class Cap:
    """Told what leaves; no more should, until the time is over that it may take.

    So in any time there leave at most ``most`` bytes a second, and one update.
    Times are seconds, any origin.
    """

    def __init__(self) -> None:
        self._most: Optional[float] = None
        self._over_at = -inf

    @property
    def most(self) -> Optional[float]:
        """Bytes a second; None: any number.  A change forgets what has left."""
        return self._most

    @most.setter
    def most(self, most: Optional[float]) -> None:
        if most != self._most:
            self._most, self._over_at = most, -inf

    def sent(self, size: int, begun_at: float) -> None:
        """``size`` bytes left, the first of them at ``begun_at``."""
        if self._most is not None:
            self._over_at = max(begun_at, self._over_at) + size / self._most

    def wait(self, now: float) -> float:
        """Give the seconds until more may leave."""
        return max(0.0, self._over_at - _EARLY - now)
