"""KasmVNC's rules for video mode."""

from __future__ import annotations

from kasmd.rfb.capabilities import KasmSettings
from kasmd.screen.geometry import Rect
from kasmd.screen.region import Region
from kasmd.viewer.quality import Rules
from kasmd.viewer.videomode import VideoMode

SCREEN = 1000 * 1000
HALF, TENTH = Region([Rect(0, 0, 1000, 500)]), Region([Rect(0, 0, 1000, 100)])


def play(mode: VideoMode, region: Region, first: float, last: float) -> None:
    """Change ``region`` 25 times a second between these times."""
    for number in range(round((last - first) * 25)):
        mode.changed(region, SCREEN, first + number / 25)


def test_it_begins_after_its_time_and_ends_after_another() -> None:
    mode = VideoMode(Rules(video_area=45, video_time=5, video_out_time=3), KasmSettings())
    play(mode, HALF, 0, 4.9)
    assert not mode.on(4.9)
    play(mode, HALF, 4.9, 6)
    assert mode.on(6) and mode.on(8.9) and not mode.on(9.1)


def test_not_where_little_moves_or_now_and_then() -> None:
    mode = VideoMode(Rules(video_time=2), KasmSettings())
    play(mode, TENTH, 0, 10)
    assert not mode.on(10)
    for second in range(20, 40):
        mode.changed(HALF, SCREEN, second)
    assert not mode.on(40)


def test_a_viewer_has_its_own_rules() -> None:
    said = KasmSettings(video_area=5, video_time=1, video_out_time=1)
    mode = VideoMode(Rules(), said)
    play(mode, TENTH, 0, 2)
    assert mode.on(2.5) and not mode.on(3.1)
    assert VideoMode(Rules(), KasmSettings(video_time=0)).on(0)
