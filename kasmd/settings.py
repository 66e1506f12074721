"""Composition of what may be changed while the daemon runs: each value, and what keeps it."""

from __future__ import annotations

from typing import Union

from kasmd.display.upstream import UpstreamDisplay
from kasmd.display.x11 import X11Display
from kasmd.identity import Identity
from kasmd.log import output
from kasmd.ranges import line_of_text
from kasmd.rfb.limits import Limits
from kasmd.rights import NOTHING, Right
from kasmd.viewer.protocol import Surroundings
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
        Setting("viewers", lambda: around.max_viewers, lambda most: serve(max_viewers=most)),
        Setting("stalled_viewer_seconds", lambda: around.patience,
                lambda seconds: serve(patience=seconds)),
        Setting("clipboard_bytes", lambda: around.limits.clipboard, set_clipboard_bytes),
        Setting("blacklist_threshold", lambda: lockout.threshold,
                lambda threshold: set_blacklist(threshold, lockout.timeout)),
        Setting("blacklist_timeout", lambda: lockout.timeout,
                lambda timeout: set_blacklist(lockout.threshold, timeout)),
    )


def wire_limits(clipboard_bytes: int) -> Limits:
    """Give the ceilings of what viewers may say."""
    return Limits(cut_text=clipboard_bytes, clipboard=clipboard_bytes)
