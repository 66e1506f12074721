"""What would be kept until garbage is collected."""

from __future__ import annotations

import gc
from typing import Callable

from twisted.trial.unittest import TestCase


def uncollected(case: TestCase, kind: type) -> Callable[[], int]:
    """Collect no garbage until ``case`` ends; gives how many of ``kind`` came since and stay."""
    gc.collect()
    gc.disable()
    case.addCleanup(gc.enable)
    before = _count(kind)
    return lambda: _count(kind) - before


def _count(kind: type) -> int:
    return sum(issubclass(type(each), kind) for each in gc.get_objects())
