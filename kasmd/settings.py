"""Composition of what may be changed while the daemon runs: each value, and what keeps it."""

from __future__ import annotations

from typing import Optional, Union

from kasmd.config.encoding import SCALINGS, Encoding
from kasmd.display.upstream import UpstreamDisplay
from kasmd.display.x11 import X11Display
from kasmd.identity import Identity
from kasmd.log import output
from kasmd.ranges import KILOBIT, line_of_text
from kasmd.rfb.limits import Limits
from kasmd.rights import NOTHING, Right
from kasmd.viewer.quality import Rules
from kasmd.viewer.surroundings import Surroundings
from kasmd.web.api.settings import Setting


def compose_settings(
    display: Union[X11Display, UpstreamDisplay], around: Surroundings, identity: Identity
) -> tuple[Setting, ...]:
    """Give them; each holds at once, for those who are here too."""
    registry, lockout = identity.registry, identity.lockout

    def serve(**numbers: object) -> None:
        for name, value in numbers.items():
            setattr(around, name, value)
        for viewer in around.roster.viewers():
            viewer.serve_anew()

    def allow_resize(allowed: bool) -> None:
        others = registry.withheld & ~Right.RESIZE
        registry.withhold(others if allowed else others | Right.RESIZE)

    def set_frame_rate(most: int) -> None:
        display.set_frame_rate(most)
        serve(frame=1 / most)

    def set_bandwidth(kilobits: Optional[int]) -> None:
        serve(rules=around.rules._replace(max_bandwidth=_bytes(kilobits)))

    def set_clipboard_bytes(most: int) -> None:
        display.set_clipboard_bytes(most)
        serve(limits=wire_limits(most))

    def set_blacklist(threshold: int, timeout: float) -> None:
        lockout.threshold, lockout.timeout = threshold, timeout
        identity.guarded.set_limits(threshold, timeout)

    return (
        Setting("log_level", output.level, output.set_level),
        Setting("desktop_name", lambda: display.name, display.rename, line_of_text),
        Setting("allow_resize", lambda: Right.RESIZE & registry.withheld == NOTHING, allow_resize),
        Setting("max_frame_rate", lambda: round(1 / around.frame), set_frame_rate),
        Setting("max_bandwidth", lambda: _kilobits(around.rules.max_bandwidth), set_bandwidth),
        Setting("viewers", lambda: around.max_viewers, lambda most: serve(max_viewers=most)),
        Setting("stalled_viewer_seconds", lambda: around.patience,
                lambda seconds: serve(patience=seconds)),
        Setting("clipboard_bytes", lambda: around.limits.clipboard, set_clipboard_bytes),
        Setting("blacklist_threshold", lambda: lockout.threshold,
                lambda threshold: set_blacklist(threshold, lockout.timeout)),
        Setting("blacklist_timeout", lambda: lockout.timeout,
                lambda timeout: set_blacklist(lockout.threshold, timeout)),
    )


def rules_of(encoding: Encoding) -> Rules:
    """Give what the viewers are told of quality."""
    rects, video = encoding.rect_encoding_mode, encoding.video_encoding_mode
    return Rules(
        min_quality=rects.min_quality,
        max_quality=rects.max_quality,
        lossless=rects.consider_lossless_quality,
        video_quality=None if video.jpeg_quality < 0 else video.jpeg_quality,
        video_area=video.enter_video_encoding_mode.area_threshold,
        video_time=video.enter_video_encoding_mode.time_threshold,
        video_out_time=video.exit_video_encoding_mode.time_threshold,
        max_resolution=(video.max_resolution.width, video.max_resolution.height),
        scaling=SCALINGS.index(video.scaling_algorithm),
        max_bandwidth=_bytes(encoding.max_bandwidth),
    )


def wire_limits(clipboard_bytes: int) -> Limits:
    """Give the ceilings of what viewers may say."""
    return Limits(cut_text=clipboard_bytes, clipboard=clipboard_bytes)


def _bytes(kilobits: Optional[int]) -> Optional[float]:
    return None if kilobits is None else kilobits * KILOBIT


def _kilobits(most: Optional[float]) -> Optional[int]:
    return None if most is None else round(most / KILOBIT)
