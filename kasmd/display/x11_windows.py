"""Where windows went: what moved with them may be copied instead of sent."""

from __future__ import annotations

from kasmd.display.x11_events import ConfigureNotify
from kasmd.screen.geometry import Move, Rect

#: Windows whose places are known; of more, those that have not changed for longest are not.
MAX_WINDOWS = 256


class Windows:
    """Told of the places of windows; `take` gives how they moved since it was asked last."""

    def __init__(self) -> None:
        self._places: dict[int, Rect] = {}
        self._before: dict[int, Rect] = {}

    def configured(self, event: ConfigureNotify) -> None:
        """Hear where a window is now."""
        borders = 2 * event.border_width
        place = Rect(event.x, event.y, event.width + borders, event.height + borders)
        before = self._places.pop(event.window, place)
        self._places[event.window] = place
        self._before.setdefault(event.window, before)
        if len(self._places) > MAX_WINDOWS:
            oldest = next(iter(self._places))
            del self._places[oldest]
            self._before.pop(oldest, None)

    def take(self) -> list[Move]:
        """Give how windows moved that kept their size; the pixels may be otherwise."""
        before, self._before = self._before, {}
        moves = []
        for window, (x, y, *size) in before.items():
            place = self._places[window]
            if [*place[2:]] == size and place[:2] != (x, y):
                moves.append(Move(place, place.x - x, place.y - y))
        return moves
