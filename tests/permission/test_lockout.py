"""Who is kept away, for how long, and what that costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.permission.lockout import Lockout


def fail(lockout: Lockout, address: str, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        lockout.failed(address, now)


def test_threshold_and_timeout() -> None:
    lockout = Lockout(5, 10)
    assert [lockout.failed("a", 100.0) for _ in range(5)] == [False] * 4 + [True]
    assert lockout.seconds_left("a", 100.0) == 10.0
    assert lockout.seconds_left("a", 109.5) == 0.5
    assert lockout.seconds_left("a", 110.0) == 0.0
    assert lockout.seconds_left("b", 100.0) == 0.0


def test_attempts_while_locked_out_do_not_prolong_it() -> None:
    lockout = Lockout(2, 10)
    fail(lockout, "a", 2)
    assert not lockout.failed("a", 9.0)
    assert lockout.seconds_left("a", 10.0) == 0.0


def test_the_count_is_forgotten_when_the_time_is_served() -> None:
    lockout = Lockout(2, 10)
    fail(lockout, "a", 2)
    assert [lockout.failed("a", 11.0), lockout.failed("a", 11.0)] == [False, True]


def test_success_clears_the_count() -> None:
    lockout = Lockout(2, 10)
    fail(lockout, "a", 1)
    lockout.succeeded("a")
    assert not lockout.failed("a", 0.0)
    assert lockout.failed("a", 0.0)


@pytest.mark.parametrize("lockout", [Lockout(0, 10), Lockout(5, 0)])
def test_disabled(lockout: Lockout) -> None:
    fail(lockout, "a", 100)
    assert lockout.seconds_left("a", 0.0) == 0.0


def test_memory_is_bounded_and_the_quietest_is_forgotten() -> None:
    lockout = Lockout(2, 10, capacity=3)
    for address in "abc":
        lockout.failed(address, 0.0)
    lockout.failed("a", 0.0)
    lockout.failed("d", 0.0)
    assert len(lockout) == 3
    assert lockout.seconds_left("a", 0.0) == 10.0
    assert not lockout.failed("b", 0.0)


@pytest.mark.parametrize(
    "one, other, same",
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("unix", "unix", True),
        ("", "unix", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_what_counts_as_one_address(one: str, other: str, same: bool) -> None:
    lockout = Lockout(1, 10)
    lockout.failed(one, 0.0)
    assert bool(lockout.seconds_left(other, 0.0)) is same


@given(st.lists(st.tuples(st.text(max_size=12), st.floats(0, 1e6), st.booleans())))
def test_nobody_waits_longer_than_the_timeout(events: list[tuple[str, float, bool]]) -> None:
    lockout = Lockout(3, 10, capacity=4)
    for address, now, good in sorted(events, key=lambda event: event[1]):
        if good:
            lockout.succeeded(address)
        else:
            lockout.failed(address, now)
        assert 0.0 <= lockout.seconds_left(address, now) <= 10.0
        assert len(lockout) <= 4
