"""Rules against the loss of data: what may be seen, pasted, copied and typed, and how fast.

KasmVNC's, in its words: a transfer is refused whole, a key that comes too soon
is not heard, and nobody is told.  They hold for everyone, whatever their
rights; the seat asks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Callable, NamedTuple, Optional

from kasmd.interfaces import ClipboardContent
from kasmd.permission.dlp_log import Level, Witness
from kasmd.permission.watermark import Watermark
from kasmd.screen.geometry import Rect

TEXT = "text/plain"
#: Buttons 4 to 7, which are the wheel's.
WHEEL = 0b1111000


class Edge(NamedTuple):
    """A side of the visible region, in pixels or in hundredths of the screen."""

    amount: int
    percent: bool = False


class VisibleRegion(NamedTuple):
    """All that is shown of a screen.

    ``left`` and ``top`` count from the left and the top.  ``right`` and
    ``bottom`` are coordinates, or where they are negative, 0 or percentages
    distances from the far side.
    """

    left: Edge
    top: Edge
    right: Edge
    bottom: Edge

    def on(self, width: int, height: int) -> Rect:
        """Give it on a screen of this size; what is upside down shows nothing."""
        left, right = _near(self.left, width), _far(self.right, width)
        top, bottom = _near(self.top, height), _far(self.bottom, height)
        return Rect(left, top, max(0, right - left), max(0, bottom - top))


def _near(edge: Edge, side: int) -> int:
    amount = abs(edge.amount)
    return min(side, amount * side // 100 if edge.percent else amount)


def _far(edge: Edge, side: int) -> int:
    if edge.percent or edge.amount <= 0:
        return side - _near(edge, side)
    return min(side, edge.amount)


@dataclass(frozen=True)
class Way:
    """The clipboard in one direction: whether, and the most bytes of one kind (0: any)."""

    enabled: bool = True
    size: int = 0


@dataclass(frozen=True)
class Rules:
    """All of them; as they are here they forbid nothing.

    ``keys_per_second`` and ``seconds_between_copies`` are 0 for no limit, and
    ``kinds`` None for all MIME types (text may always pass).
    """

    visible_region: Optional[VisibleRegion] = None
    click_down: bool = False
    click_release: bool = False
    server_to_client: Way = Way()
    client_to_server: Way = Way()
    seconds_between_copies: float = 0.0
    kinds: Optional[frozenset[str]] = None
    keyboard: bool = True
    keys_per_second: int = 0
    watermark: Optional[Watermark] = None
    log_level: Level = Level.OFF


class Input:
    """What one seat does, as far as it may; ``now`` is seconds that never jump."""

    def __init__(self, rules: Rules, witness: Witness, now: Callable[[], float]) -> None:
        self._rules = rules
        self._witness = witness
        self._now = now
        self._key_at = -math.inf
        self._unheard = 0

    def key(self, keysym: int, down: bool) -> bool:
        """Tell whether a key may be pressed or released now."""
        if not self._rules.keyboard:
            return False
        if self._rules.keys_per_second:
            now = self._now()
            if down and now - self._key_at < 1 / self._rules.keys_per_second:
                return False
            self._key_at = now
        if down:
            self._witness.typed(keysym)
        return True

    def buttons(self, buttons: int, held: int, visible: bool) -> int:
        """Give what is held from now on, after ``held``; ``visible`` is where the pointer is.

        What is pressed in the concealed part is not heard before it is pressed
        anew; what is released there stays held until the pointer comes back.
        """
        if not visible and not self._rules.click_down:
            self._unheard |= buttons & ~held & ~WHEEL
        self._unheard &= buttons
        kept = 0 if visible or self._rules.click_release else held & ~WHEEL
        return buttons & ~self._unheard | kept

    def pasted(self, content: ClipboardContent) -> Optional[ClipboardContent]:
        """Give what the desktop may have of ``content``, None for not even to hear of it."""
        way = self._rules.client_to_server
        passed = _passed(content, way, self._rules.kinds, partial(self._witness.refused, "receive"))
        self._witness.transferred("received", passed)
        return passed

    def close(self) -> None:
        """Write down what was typed."""
        self._witness.close()


class Pause:
    """Keeps what follows the beginning, or the last time, within ``seconds`` from being done."""

    def __init__(self, seconds: float, now: Callable[[], float]) -> None:
        self._seconds = seconds
        self._now = now
        self._last = now()

    def over(self) -> bool:
        """Tell whether it is over; then it begins anew."""
        now = self._now()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


class Output:
    """What somebody may know of what was copied, at most once in ``pause``."""

    def __init__(self, rules: Rules, witness: Witness, pause: Pause) -> None:
        self._rules = rules
        self._witness = witness
        self._pause = pause

    def copied(self, content: ClipboardContent) -> Optional[ClipboardContent]:
        """Give what may be known of ``content``, None for not even to hear of it."""
        refused = partial(self._witness.refused, "send")
        passed = _passed(content, self._rules.server_to_client, self._rules.kinds, refused)
        if passed and not self._pause.over():
            refused(", ".join(passed), "too soon")
            return None
        self._witness.transferred("sent", passed)
        return passed


def _passed(content: ClipboardContent, way: Way, kinds: Optional[frozenset[str]],
            refused: Callable[[str, str], None]) -> Optional[ClipboardContent]:
    """Give the kinds that may pass; a clipboard that was cleared may."""
    if not way.enabled:
        return None
    passed = {}
    for kind, data in content.items():
        if way.size and len(data) > way.size:
            refused(kind, f"too large, {len(data)} bytes")
        elif kind != TEXT and kinds is not None and kind not in kinds:
            refused(kind, "not allowed")
        else:
            passed[kind] = data
    return passed if passed or not content else None
