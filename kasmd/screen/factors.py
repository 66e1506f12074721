"""Odd numbers by which to multiply what is hashed."""

from __future__ import annotations

from hashlib import shake_128

import numpy as np
from numpy.typing import NDArray


def odd_factors(what: str, count: int) -> NDArray[np.uint64]:
    """Give so many without a pattern, always the same of one name."""
    # numpy.random would take 3 MiB.
    drawn = shake_128(what.encode()).digest(8 * count)
    return np.frombuffer(drawn, np.uint64) | np.uint64(1)
