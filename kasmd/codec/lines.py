"""Where the lines of a text are, by how often the colour turns in each row of its pixels.

Letters are busy down to the base line, and it is where they stop that lines have in
common: not all have a letter that is high, or one that goes below.
"""

from __future__ import annotations

from typing import Optional

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from kasmd.screen.pixels import Values

#: Rows that a line may have.
LEAST, MOST = 8, 64
#: So few rows with one base line, or none, are a line.
_ONE = 32
#: The row above a base line has at least half of the turns of any of so many rows above it,
#: and more than so many in all; the row below has less than half of its own.
_BODY, _FAINT = 16, 3

_Rows = NDArray[np.intp]


def tops_of(values: Values) -> Optional[list[int]]:
    """Give where each line begins, the first at 0, and the end; None where there is no text.

    None has more than `MOST` rows: where no line begins for long, some are put in.
    """
    height = len(values)
    if height < 2 * LEAST:
        return [0, height]
    turns = np.count_nonzero(values[:, 1:] != values[:, :-1], axis=1)
    turns -= turns.min()
    bases = _base_lines(turns)
    if len(bases) < 2:
        return [0, height] if height <= _ONE else None
    pitch = int(np.quantile(np.diff(bases), 1 / 4, method="lower"))
    if not LEAST <= pitch <= MOST:
        return None
    begins = bases - _ascent(turns, bases, pitch)
    tops = [0]
    for top in (*begins[begins > 0].tolist(), height):
        while top - tops[-1] > pitch:
            tops.append(tops[-1] + pitch)
        tops.append(top)
    return tops


def _base_lines(turns: _Rows) -> _Rows:
    """Give the first row below each."""
    before = np.concatenate([np.zeros(_BODY - 1, turns.dtype), turns[:-1]])
    busy = np.maximum(sliding_window_view(before, _BODY).max(axis=1), 2 * _FAINT)
    return np.flatnonzero((turns[:-1] * 2 > busy) & (turns[1:] * 2 < turns[:-1])) + 1


def _ascent(turns: _Rows, bases: _Rows, pitch: int) -> int:
    """Give how far above their base lines it is best to cut: where the least is cut through."""
    above = bases[bases >= pitch, None] - np.arange(1, pitch + 1)
    return int(turns[above].sum(axis=0).argmin()) + 1
