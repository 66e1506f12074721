"""Callbacks: order, ends, failures."""

from __future__ import annotations

from kasmd.permission.callbacks import Callbacks, isolated


def test_same_callable_twice_is_two() -> None:
    told: list[int] = []
    callbacks = Callbacks()
    end = callbacks.add(lambda: told.append(1))
    callbacks.add(lambda: told.append(1))
    callbacks.call()
    end()
    callbacks.call()
    assert told == [1, 1, 1]


def test_one_added_midway_waits_for_the_next_time() -> None:
    told: list[str] = []
    callbacks = Callbacks()
    callbacks.add(lambda: callbacks.add(lambda: told.append("late")) and None)
    callbacks.call()
    assert told == []
    callbacks.call()
    assert told == ["late"]


def test_clear_midway() -> None:
    told: list[str] = []
    callbacks = Callbacks()
    callbacks.add(callbacks.clear)
    callbacks.add(lambda: told.append("second"))
    callbacks.call()
    assert told == []


def test_isolated_passes_arguments_and_swallows_failures() -> None:
    told: list[int] = []
    isolated(told.append, 3)
    isolated(lambda: 1 // 0)
    assert told == [3]
