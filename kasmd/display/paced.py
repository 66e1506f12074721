"""What happens too often to be told each time."""

from __future__ import annotations

from typing import Any, Callable, Optional

from twisted.internet.base import DelayedCall


class Paced:
    """Calls ``told`` at most once in ``seconds``: at once after a rest, then with the newest."""

    def __init__(self, reactor: Any, seconds: float, told: Callable[..., None]) -> None:
        self._reactor = reactor
        self._seconds = seconds
        self._told = told
        self._rest: Optional[DelayedCall] = None
        self._newest: Optional[tuple[Any, ...]] = None

    @property
    def waiting(self) -> bool:
        """Whether something is still to be told."""
        return self._newest is not None

    def __call__(self, *details: Any) -> None:
        """Tell it now or later, unless something newer comes before."""
        self._newest = details
        if self._rest is None:
            self._tell()

    def close(self) -> None:
        """Tell nothing more of what was given so far."""
        self._newest = None
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None

    def _tell(self) -> None:
        newest, self._newest = self._newest, None
        self._rest = None
        if newest is not None:
            self._rest = self._reactor.callLater(self._seconds, self._tell)
            self._told(*newest)
