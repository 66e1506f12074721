"""Who asked for what is being done: known to every line that is written meanwhile.

It goes with all that is called inside `asked_by` and with coroutines that are
started there; a callback that fires later has to say it again.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import Iterator, Optional, Protocol

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


@contextmanager
def asked_by(request: Optional[Asking]) -> Iterator[None]:
    """Let ``request`` be the one that asks for all that is done inside."""
    before = _asking.set(request)
    try:
        yield
    finally:
        _asking.reset(before)
