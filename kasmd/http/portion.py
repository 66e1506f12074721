"""A body that comes in portions, each in the time that there is for one: drops do not count."""

from __future__ import annotations

from kasmd.http.sending import PORTION


class Portion:
    """What is missing of the present portion; with 0 the first bytes are a whole one."""

    __slots__ = ("_missing",)

    def __init__(self, missing: int = PORTION) -> None:
        self._missing = missing

    def came(self, size: int) -> bool:
        """Count ``size`` bytes; tell whether the portion is whole, so that another begins."""
        self._missing -= size
        if self._missing > 0:
            return False
        self._missing = PORTION
        return True
