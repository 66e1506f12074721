"""What is said once of what may be configured and changed; its users are tested for the rest."""

from __future__ import annotations

import pytest

from kasmd import ranges
from kasmd.ranges import Range, line_of_text


def test_every_range_holds_something() -> None:
    found = [value for value in vars(ranges).values() if isinstance(value, Range)]
    assert len(found) == 9
    assert all(each.least < each.most for each in found)


def test_a_line_of_text() -> None:
    assert line_of_text(" den é ") == " den é "
    for text in ("", " ", "a\nb", "a\x1b[31m", "a\u2028b"):
        with pytest.raises(ValueError, match="must be a line of text"):
            line_of_text(text)
