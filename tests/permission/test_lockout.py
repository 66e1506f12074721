"""Who is kept away, for how long, and what that costs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.permission.lockout import AccountLockout, Lockout


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


def test_other_numbers_hold_for_those_who_are_counted_and_locked_out() -> None:
    lockout = Lockout(5, 10)
    fail(lockout, "a", 3)
    lockout.threshold = 2
    assert lockout.failed("a", 0.0)
    lockout.timeout = 4
    assert lockout.seconds_left("a", 1.0) == 3.0
    lockout.timeout = 20
    assert lockout.seconds_left("a", 1.0) == 19.0
    lockout.threshold = 0
    assert lockout.seconds_left("a", 1.0) == 0.0


def test_an_account_is_guarded_by_other_numbers_too() -> None:
    lockout = AccountLockout(5, 10)
    lockout.set_limits(1, 3)
    assert [lockout.failed("ann", 0.0) for _ in range(4)] == [False] * 3 + [True]
    assert lockout.seconds_left("ann", "192.0.2.1", 1.0) == 2.0


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


def guess(lockout: AccountLockout, name: str, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        lockout.failed(name, now)


def test_an_account_is_guarded_against_guesses_from_everywhere() -> None:
    lockout = AccountLockout(2, 10)
    guess(lockout, "ann", 7)
    assert lockout.seconds_left("ann", "192.0.2.1", 0.0) == 0.0
    assert lockout.failed("ann", 0.0)
    assert lockout.seconds_left("ann", "192.0.2.1", 4.0) == 6.0
    assert lockout.seconds_left("bob", "192.0.2.1", 4.0) == 0.0
    assert lockout.seconds_left("ann", "192.0.2.1", 10.0) == 0.0


def test_nobody_is_shut_out_of_where_he_usually_is() -> None:
    lockout = AccountLockout(1, 10)
    lockout.succeeded("ann", "2001:db8::1")
    for now in range(0, 1000, 10):
        guess(lockout, "ann", 4, float(now))
        assert lockout.seconds_left("ann", "2001:db8::1", float(now)) == 0.0
        assert lockout.seconds_left("ann", "2001:db8::ffff", float(now)) == 0.0
        assert lockout.seconds_left("ann", "192.0.2.1", float(now)) == 10.0
    assert lockout.seconds_left("bob", "2001:db8::1", 0.0) == 0.0
    guess(lockout, "bob", 4, 990.0)
    assert lockout.seconds_left("bob", "2001:db8::1", 990.0) == 10.0


def test_names_like_addresses_are_names() -> None:
    lockout = AccountLockout(1, 10)
    guess(lockout, "2001:db8::1", 4)
    assert lockout.seconds_left("2001:db8::2", "x", 0.0) == 0.0


def test_accounts_and_familiar_addresses_are_bounded() -> None:
    lockout = AccountLockout(1, 10, capacity=3)
    for number in range(10):
        lockout.succeeded("ann", f"192.0.2.{number}")
        guess(lockout, "x" * 10_000 + str(number), 1)
    assert len(lockout._familiar) == 3 and len(lockout._names) <= 3
    guess(lockout, "ann", 4)
    assert lockout.seconds_left("ann", "192.0.2.0", 0.0) == 10.0
    assert lockout.seconds_left("ann", "192.0.2.9", 0.0) == 0.0


def test_without_a_threshold_no_account_is_guarded() -> None:
    lockout = AccountLockout(0, 10)
    guess(lockout, "ann", 1000)
    assert lockout.seconds_left("ann", "192.0.2.1", 0.0) == 0.0
