"""What would be kept until garbage is collected."""

from __future__ import annotations

import gc
from typing import Callable

from twisted.trial.unittest import TestCase


def uncollected(case: TestCase, *kinds: type) -> Callable[[], int]:
    """Collect no garbage until ``case`` ends; gives how many of ``kinds`` came since and stay."""
    gc.collect()
    gc.disable()
    case.addCleanup(gc.enable)
    # They are held: what goes of them meanwhile is nobody's here.
    before = _found(kinds)
    return lambda: len(_found(kinds).keys() - before.keys())


def _found(kinds: tuple[type, ...]) -> dict[int, object]:
    return {id(each): each for each in gc.get_objects() if issubclass(type(each), kinds)}
