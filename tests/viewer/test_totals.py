"""What viewers are served and refused is counted, of those who are gone too."""

from __future__ import annotations

from kasmd.viewer.totals import LIMITS, Totals


def test_every_limit_is_there_before_it_is_reached() -> None:
    totals = Totals()
    assert totals.limits == dict.fromkeys(LIMITS, 0)
    assert (totals.updates, totals.sent) == (0, 0)
