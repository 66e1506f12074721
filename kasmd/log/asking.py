"""Who asked for what is being done: known to every line that is written meanwhile.

It goes with all that is called inside `asked_by` and with coroutines that are
started there; a callback that fires later has to say it again.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Optional, Protocol

from kasmd.interfaces import Principal


class Asking(Protocol):
    """A request, as the log sees it."""

    #: On the answer, too, as X-Request-Id.
    request_id: str
    #: Whose identity is proven; None until it is.
    principal: Optional[Principal]

    @property
    def address(self) -> str:
        """The client's IP address."""


_asking: ContextVar[Optional[Asking]] = ContextVar("asking", default=None)


def now_asking() -> Optional[Asking]:
    """Give the request on whose behalf this runs, if there is one."""
    return _asking.get()


class asked_by:
    """Lets ``request`` be the one that asks for all that is done inside the ``with``."""

    __slots__ = ("_request", "_before")

    def __init__(self, request: Optional[Asking]) -> None:
        self._request = request

    def __enter__(self) -> None:
        self._before = _asking.set(self._request)

    def __exit__(self, *exc: object) -> None:
        _asking.reset(self._before)
