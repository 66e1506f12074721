"""Those who asked to be told of a change, each safe from the others' failures."""

from __future__ import annotations

from typing import Any, Callable

from twisted.logger import Logger

_log = Logger()


def isolated(call: Callable[..., object], *args: Any) -> None:
    """Call ``call(*args)``; its failure is logged and goes no further."""
    try:
        call(*args)
    except Exception:
        _log.failure("{call} failed", call=call)


def nobody(*args: Any) -> None:
    """Stand in for who was told, and has left: he would be kept by who told him."""


class Callbacks:
    """Callables in the order in which they were given."""

    def __init__(self) -> None:
        self._callbacks: dict[object, Callable[[], None]] = {}

    def add(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Keep ``callback`` until the answer is called, which may be done again."""
        token = object()
        self._callbacks[token] = callback

        def end() -> None:
            self._callbacks.pop(token, None)

        return end

    def call(self) -> None:
        """Call each one that is still kept when its turn comes."""
        for token in list(self._callbacks):
            callback = self._callbacks.get(token)
            if callback is not None:
                isolated(callback)

    def clear(self) -> None:
        """Forget all of them."""
        self._callbacks.clear()
