"""The live answer to what one person may do: the only place that compares rights."""

from __future__ import annotations

from typing import Callable

from zope.interface import implementer

from kasmd.errors import PermissionDenied
from kasmd.interfaces import IGrant, Principal
from kasmd.permission.callbacks import Callbacks
from kasmd.rights import NOTHING, Right


@implementer(IGrant)
class Grant:
    """What ``principal`` may do now, with ``target`` where there are several.

    ``update`` and ``tell`` are for the registry that made it and are no part
    of `IGrant`.  To ask for nothing is a mistake and is refused.
    """

    def __init__(
        self,
        principal: Principal,
        rights: Right,
        forget: Callable[[Grant], None],
        target: str = "",
    ) -> None:
        self.principal = principal
        self.target = target
        self.name = principal.name
        # Not by `value`, which is a function of Python's and is asked for with every event.
        self._held = rights._value_
        self._forget = forget
        self._released = False
        self._callbacks = Callbacks()

    def holds(self, right: Right) -> bool:
        """Tell whether all of ``right`` is held now."""
        wanted: int = right._value_
        return wanted != 0 and self._held & wanted == wanted

    def require(self, right: Right) -> None:
        """Raise PermissionDenied unless all of ``right`` is held."""
        if not self.holds(right):
            raise PermissionDenied(f"{self.name!a} does not hold {right.name or 'NOTHING'}")

    def when_changed(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each change until the answer is called."""
        return self._callbacks.add(callback)

    def release(self) -> None:
        """The person left: hold nothing from now on and tell nobody."""
        self._released = True
        self._held = NOTHING._value_
        self._callbacks.clear()
        self._forget(self)

    def update(self, rights: Right) -> bool:
        """Hold ``rights`` instead, unless released; tell whether that is a change."""
        if self._released or rights._value_ == self._held:
            return False
        self._held = rights._value_
        return True

    def tell(self) -> None:
        """Call those who asked to be told."""
        self._callbacks.call()
