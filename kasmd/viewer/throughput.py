"""What a byte takes on the way to a viewer, of updates that each take some time besides.

A viewer decodes before it echoes, and a page that is busy lets echoes wait: that is no
fault of the link, and smaller updates would not make it less.  So what was measured is
taken for ``overhead + size * seconds_a_byte``, and both are found by least squares, in
which what is old counts for less.  Sizes that are all alike tell nothing of an overhead.
"""

from __future__ import annotations

from typing import Optional

#: What is left of the weight of what was measured before, and where the new is no way
#: like it, by so many seconds.
_KEPT, _KEPT_UNLIKE, _UNLIKE = 0.93, 0.6, 0.1
#: How often an update of nothing is taken to have needed no time.
_NOTHING = 0.2
#: Bytes that must have been seen before anything is known.
_TELLING = 8192
#: No viewer needs more for itself, in seconds: it is the link that is slower than it was.
_OVERHEAD = 0.06
#: The rate grows and falls by no more than that from one measurement to the next.
_GROWS, _FALLS = 1.5, 0.6
#: Seconds a byte of the fastest link: from there it falls to any other in little time.
_FASTEST = 1e-9


class Throughput:
    """Fitted to the sizes of updates, bytes, and the seconds that each took."""

    def __init__(self) -> None:
        #: None while nothing is known.
        self.seconds_a_byte: Optional[float] = None
        self._overhead = 0.0
        self._count = self._sizes = self._times = self._squares = self._products = 0.0

    def took(self, size: int, seconds: float) -> None:
        """An update of ``size`` bytes took ``seconds``."""
        self._keep(_KEPT_UNLIKE if self._is_unlike(size, seconds) else _KEPT)
        self._count += 1
        self._sizes += size
        self._times += seconds
        self._squares += size * size
        self._products += size * seconds
        if self.seconds_a_byte is not None or self._sizes >= _TELLING:
            self._fit()

    def _is_unlike(self, size: int, seconds: float) -> bool:
        if self.seconds_a_byte is None:
            return False
        return abs(seconds - self._overhead - size * self.seconds_a_byte) > _UNLIKE

    def _keep(self, share: float) -> None:
        self._count *= share
        self._sizes *= share
        self._times *= share
        self._squares *= share
        self._products *= share

    def _fit(self) -> None:
        count = self._count + _NOTHING
        slope = (count * self._products - self._sizes * self._times) / (
            count * self._squares - self._sizes * self._sizes
        )
        slope = max(slope, (self._times - _OVERHEAD * self._count) / self._sizes)
        known = self.seconds_a_byte
        if known is not None:
            slope = min(max(slope, known / _GROWS), known / _FALLS)
        elif slope <= 0:
            return
        slope = max(slope, _FASTEST)
        self.seconds_a_byte = slope
        self._overhead = max(0.0, (self._times - slope * self._sizes) / count)
