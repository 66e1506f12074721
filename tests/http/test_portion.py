"""Portions of a body."""

from __future__ import annotations

from kasmd.http.portion import Portion
from kasmd.http.sending import PORTION


def test_drops_are_no_portion_until_they_are_enough() -> None:
    portion = Portion()
    for _ in range(2):
        assert not any(portion.came(1) for _ in range(PORTION - 1))
        assert portion.came(1)


def test_what_is_more_than_a_portion_is_one() -> None:
    portion = Portion()
    assert portion.came(3 * PORTION)
    assert not portion.came(PORTION - 1)


def test_the_first_bytes_may_be_a_portion() -> None:
    portion = Portion(0)
    assert portion.came(1)
    assert not portion.came(1)
