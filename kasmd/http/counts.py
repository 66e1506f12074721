"""What one face let in and what it refused, in numbers."""

from __future__ import annotations

from collections import Counter
from typing import Iterable

#: Every limit of a face; what is reached is counted by its name.
LIMITS = (
    "request_line", "header_bytes", "header_count", "chunk_line", "trailers", "body_bytes",
    "bodies", "connections", "connections_per_address", "first_byte_seconds", "head_seconds",
    "keep_alive_seconds", "wrong_passwords", "logins",
)  # fmt: skip


class Counts:
    """Since the start, but for ``connections``, which is how many there are.

    ``more`` names limits that this face has besides, ``words`` its kinds of failure.
    """

    def __init__(self, more: Iterable[str] = (), words: Iterable[str] = ()) -> None:
        self.connections = 0
        #: How often each limit was reached.
        self.limits: Counter[str] = Counter(dict.fromkeys((*LIMITS, *more), 0))
        #: Answers that tell of a failure, by its word.
        self.failures: Counter[str] = Counter(dict.fromkeys(words, 0))
        #: Requests by the first digit of their status.
        self.answers = [0] * 6
        #: Bytes of answers.
        self.sent = 0

    def reached(self, limit: str) -> None:
        """Count that something was refused for a limit."""
        self.limits[limit] += 1

    def failed(self, limit: str, word: str) -> None:
        """Count a failure; either may be empty."""
        if limit:
            self.limits[limit] += 1
        if word:
            self.failures[word] += 1

    def answered(self, status: int, sent: int) -> None:
        """Count a request that is over."""
        self.answers[status // 100] += 1
        self.sent += sent
