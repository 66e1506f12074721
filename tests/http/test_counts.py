"""Numbers, by names that are known from the start."""

from __future__ import annotations

from kasmd.http.counts import LIMITS, Counts


def test_every_limit_and_word_is_there_before_it_happens() -> None:
    counts = Counts(("answer_seconds",), ("upstream-silent",))
    assert counts.limits == dict.fromkeys((*LIMITS, "answer_seconds"), 0)
    assert counts.failures == {"upstream-silent": 0}


def test_what_happened() -> None:
    counts = Counts()
    counts.failed("", "")
    counts.failed("body_bytes", "body-too-large")
    counts.reached("body_bytes")
    counts.answered(200, 10)
    counts.answered(499, 0)
    assert (counts.limits["body_bytes"], counts.failures) == (2, {"body-too-large": 1})
    assert (counts.answers, counts.sent) == ([0, 0, 1, 0, 1, 0], 10)
