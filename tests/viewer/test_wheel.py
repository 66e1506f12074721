"""Scrolling by pixels becomes clicks of a wheel."""

from kasmd.viewer.wheel import MAX_CLICKS, STEP, Wheel

UP, DOWN, LEFT, RIGHT = 8, 16, 32, 64


def test_a_click_for_each_step_down_and_right() -> None:
    assert list(Wheel().scrolled(2 * STEP, STEP)) == [DOWN, RIGHT, RIGHT]


def test_up_and_left_are_negative() -> None:
    assert list(Wheel().scrolled(-STEP, -STEP)) == [UP, LEFT]


def test_small_steps_add_up_either_way() -> None:
    wheel = Wheel()
    assert list(wheel.scrolled(0, STEP - 1)) == []
    assert list(wheel.scrolled(0, 1)) == [DOWN]
    assert list(wheel.scrolled(0, 1 - STEP)) == []
    assert list(wheel.scrolled(0, -1)) == [UP]


def test_one_message_makes_a_bounded_number_of_clicks() -> None:
    assert list(Wheel().scrolled(0, 32767)) == [DOWN] * MAX_CLICKS
