"""KasmVNC's video mode, for one viewer: much of the screen changed for a while.

Then pictures have a quality of their own and may be scaled down.  Where only a
part moves, a film plays (`kasmd.viewer.motion`), and this mode is not needed.
"""

from __future__ import annotations

from math import inf
from typing import Optional

from kasmd.rfb.capabilities import KasmSettings
from kasmd.screen.region import Region
from kasmd.viewer.quality import Rules

#: Changes this far apart, in seconds, are no video.
_GAP = 0.5
#: The share of a new change in the mean of those before.
_SHARE = 0.1


class VideoMode:
    """Told of each change; times are seconds."""

    def __init__(self, rules: Rules, said: KasmSettings) -> None:
        self.area = rules.video_area if said.video_area is None else said.video_area
        self.time = rules.video_time if said.video_time is None else said.video_time
        out_time = said.video_out_time
        self.out_time = rules.video_out_time if out_time is None else out_time
        self._mean = 0.0
        self._last_at = self._above_at = -inf
        self._above_since: Optional[float] = None

    def changed(self, region: Region, screen_area: int, now: float) -> None:
        """``region`` changed."""
        if now - self._last_at > _GAP:
            self._mean, self._above_since = 0.0, None
        self._last_at = now
        percent = 100 * region.area / screen_area
        self._mean += (percent - self._mean) * (_SHARE if self._mean else 1)
        if self._mean <= self.area:
            self._above_since = None
            return
        if self._above_since is None:
            self._above_since = now
        if now - self._above_since >= self.time:
            self._above_at = now

    def on(self, now: float) -> bool:
        """Tell whether the mode is on: always where the time to enter is 0."""
        return self.time == 0 or now - self._above_at < self.out_time
