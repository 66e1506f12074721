"""How windows moved, from what the X server tells of their places."""

from kasmd.display.x11_events import ConfigureNotify
from kasmd.display.x11_windows import MAX_WINDOWS, Windows
from kasmd.screen.geometry import Move, Rect


def configured(window: int, x: int, y: int, width: int, height: int, border: int = 0
               ) -> ConfigureNotify:
    """Give what the X server tells."""
    return ConfigureNotify(window, x, y, width, height, border)


def test_a_window_moved_from_where_it_was_when_asked_last() -> None:
    windows = Windows()
    windows.configured(configured(1, 10, 20, 98, 48, 1))
    assert windows.take() == []
    windows.configured(configured(1, 15, 22, 98, 48, 1))
    windows.configured(configured(1, 17, 18, 98, 48, 1))
    assert windows.take() == [Move(Rect(17, 18, 100, 50), 7, -2)]
    assert windows.take() == []


def test_another_size_and_the_same_place_are_no_moves() -> None:
    windows = Windows()
    for window in (1, 2):
        windows.configured(configured(window, 0, 0, 100, 50))
    windows.take()
    windows.configured(configured(1, 5, 5, 100, 51))
    windows.configured(configured(2, 0, 0, 100, 50))
    assert windows.take() == []


def test_the_number_of_windows_is_bounded() -> None:
    windows = Windows()
    for window in range(2 * MAX_WINDOWS):
        windows.configured(configured(window, 0, 0, 9, 9))
    for window in range(2 * MAX_WINDOWS):
        windows.configured(configured(window, 1, 0, 9, 9))
    assert len(windows.take()) <= MAX_WINDOWS
