"""What viewers ask for and are told of a desktop's screens, and what its programs know."""

from __future__ import annotations

import re
from typing import Sequence

from kasmd.rfb.client import UpdateReceived
from kasmd.rfb.numbers import DesktopSizeReason, Encoding
from kasmd.rfb.shape import screens_of
from kasmd.screen.geometry import Rect, Screen
from tests.live.programs import run
from tests.live.rawviewer import RawViewer

_LISTED = re.compile(r"^ \d+: [+*]*\S+ (\d+)/\d+x(\d+)/\d+\+(\d+)\+(\d+)", re.M)

Told = tuple[int, int, int, int, tuple[Screen, ...]]


def told(viewer: RawViewer) -> list[Told]:
    """Give what was told of sizes: reason, status, size, screens."""
    return [
        (*received.rect, screens_of(received))
        for event in viewer.events if isinstance(event, UpdateReceived)
        for received in event.rectangles if received.encoding == Encoding.EXTENDED_DESKTOP_SIZE
    ]


def arrange(viewer: RawViewer, width: int, height: int, *screens: Screen) -> list[Told]:
    """Ask for a layout; give what is told until the answer."""
    viewer.events.clear()
    viewer.session.send_desktop_size(width, height, screens)
    viewer.flush()
    viewer.wait_until(
        lambda: any(each[0] == DesktopSizeReason.THIS_CLIENT for each in told(viewer)),
        "the answer",
    )
    viewer.settle()
    return told(viewer)


def hear(viewer: RawViewer, reason: int, screens: Sequence[Screen]) -> list[Told]:
    """Wait to be told these screens for this reason; give all that is told until then."""
    def heard() -> bool:
        return any(each[0] == reason and each[4] == screens for each in told(viewer))

    viewer.wait_until(heard, "a layout is told")
    viewer.settle()
    so_far = told(viewer)
    viewer.events.clear()
    return so_far


def listed(environment: dict[str, str]) -> list[Rect]:
    """Give what programs on the desktop know of its screens."""
    said = run("xrandr", "--listmonitors", env=environment).stdout
    places = [[int(number) for number in found] for found in _LISTED.findall(said)]
    return [Rect(x, y, width, height) for width, height, x, y in places]
