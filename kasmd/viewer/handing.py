"""Has other threads encode one viewer's slices where somebody waits for this one.

What they work on was copied through the seat, and nobody writes to it.  Before it leaves,
the seat is asked once more.
"""

from __future__ import annotations

from typing import Callable, Optional

from twisted.python.failure import Failure

from kasmd.screen.geometry import Rect
from kasmd.viewer.crew import Crew
from kasmd.viewer.sharing import Encoded, Encodings
from kasmd.viewer.turns import Turns
from kasmd.viewer.update import Draft, Look, unseen

#: So many pixels take longer to encode than to hand them out.
WORTH = 1 << 17

#: Is given what was encoded, or why it could not be, and of what.
Back = Callable[[Encoded | Failure, Draft], None]


class Handing:
    """At most one slice at a time, so what is sent is in order."""

    def __init__(self, turns: Turns, encodings: Encodings, crew: Crew, look: Look) -> None:
        self._turns = turns
        self._encodings = encodings
        self._crew = crew
        self._look = look
        self._handed: Optional[Draft] = None

    @property
    def busy(self) -> bool:
        """Tell whether a slice is encoded elsewhere."""
        return self._handed is not None

    def hand_out(self, draft: Draft, back: Back) -> bool:
        """Hand ``draft`` out if somebody waits and another thread is idle; tell whether it was.

        Where another viewer's is the same and encoded elsewhere already, it serves both.
        """
        crew = self._crew if self._turns.crowded and draft.area >= WORTH else None
        if not draft.whole or (crew is None and not self._encodings.awaited):
            return False
        made = self._encodings.elsewhere(draft.key, draft.encode, crew)
        if made is None:
            return False
        self._handed = draft
        made.addBoth(self._came, draft, back)
        return True

    def forget(self) -> None:
        """Want nothing back, and look at nothing more."""
        self._handed, self._look = None, unseen

    def is_seen_still(self, draft: Draft) -> bool:
        """Tell whether all of it may be seen, under the same mask, by a corner of each piece."""
        for snapshot in draft.snapshots:
            rect = snapshot.rect
            now = self._look(Rect(rect.right - 1, rect.bottom - 1, 1, 1))
            if now is None or now.identity.mask != snapshot.identity.mask:
                return False
        return True

    def _came(self, made: Encoded | Failure, draft: Draft, back: Back) -> None:
        if self._handed is draft:
            self._handed = None
            back(made, draft)
