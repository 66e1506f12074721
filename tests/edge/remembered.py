"""What an object still has in memory."""

from __future__ import annotations

import gc
from types import FunctionType, ModuleType


def holds(whole: object, secret: bytes) -> bool:
    """Tell whether ``secret`` is within any bytes that can be reached from ``whole``."""
    seen: set[int] = set()
    waiting = [whole]
    while waiting:
        part = waiting.pop()
        if isinstance(part, bytes) and secret in part:
            return True
        if id(part) not in seen and not isinstance(part, (type, FunctionType, ModuleType)):
            seen.add(id(part))
            waiting += gc.get_referents(part)
    return False
