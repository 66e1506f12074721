"""What may happen in any viewer's life."""

from __future__ import annotations

from typing import Any

from kasmd.rights import Right
from tests.viewer.scene import RIGHTS, Scene, Watcher


def happen(scene: Scene, watcher: Watcher, what: str, value: Any) -> None:
    """Let one thing happen; what is not known here does not."""
    line = watcher.line
    if what == "request":
        watcher.request(incremental=value)
    elif what == "pause after":
        line.room = value
        if value == 0:
            line.pause()
    elif what == "resume":
        line.resume()
    elif what == "resize":
        scene.display.resize(*value, ())
    elif what == "blind":
        scene.registry.set("writer", Right.ENTER if value else RIGHTS["writer"])
