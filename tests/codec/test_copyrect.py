"""CopyRect; against vncdotool in test_choose."""

from kasmd.codec import copyrect
from kasmd.codec.base import COPYRECT, complete
from kasmd.screen.geometry import Move, Rect


def test_the_wire():
    rectangle = copyrect.encode(Move(Rect(10, 20, 30, 40), 3, -260))
    assert rectangle == (Rect(10, 20, 30, 40), COPYRECT, bytes([0, 7, 1, 24]))


def test_reading():
    assert complete(copyrect.decode(), bytes([0, 7, 1, 24, 99])) == ((7, 280), 4)
