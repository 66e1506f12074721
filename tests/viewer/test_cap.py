"""A cap: so many bytes a second and no more, whenever and however much is sent."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kasmd.viewer.cap import Cap

MOST = 10_000


def test_without_one_nothing_waits() -> None:
    cap = Cap()
    cap.sent(1 << 30, 0.0)
    assert cap.most is None and cap.wait(0.0) == 0


@given(st.lists(st.tuples(st.integers(0, 5_000), st.floats(0, 1)), min_size=2, max_size=30))
def test_in_any_time_there_is_one_update_more_at_the_most(parts: list[tuple[int, float]]) -> None:
    cap, now = Cap(), 5.0
    cap.most = MOST
    left: list[tuple[float, int]] = []
    for size, rest in parts:
        now += rest
        now += cap.wait(now)
        cap.sent(size, now)
        left.append((now, size))
    for first, (began, _) in enumerate(left):
        for last, (ended, size) in enumerate(left[first:], first):
            before = sum(each for _, each in left[first:last])
            assert before <= MOST * (ended - began + 0.0101)


def test_what_is_late_is_made_up_for() -> None:
    cap, now, sent = Cap(), 0.0, 0
    cap.most = MOST
    while now < 10:
        cap.sent(500, now)
        sent += 500
        now += cap.wait(now) + 0.005
    assert 0.99 * 10 * MOST < sent <= 10 * MOST + 1000


def test_another_cap_forgets_what_has_left() -> None:
    cap = Cap()
    cap.most = MOST
    cap.sent(MOST, 0.0)
    cap.most = MOST
    assert cap.wait(0.0) > 0.9
    cap.most = 10 * MOST
    assert cap.wait(0.0) == 0
