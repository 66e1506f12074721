"""What a desktop served to all of its viewers, in numbers."""

from __future__ import annotations

from collections import Counter

#: By what a viewer may be refused or cut; what is reached is counted by its name.
LIMITS = ("viewers", "handshake_seconds", "stalled_viewer_seconds")


class Totals:
    """Since the start, of those who are gone too."""

    def __init__(self) -> None:
        #: Updates of the picture, and the bytes that these were.
        self.updates = 0
        self.sent = 0
        #: How often each limit was reached.
        self.limits: Counter[str] = Counter(dict.fromkeys(LIMITS, 0))
