"""Viewers in a process: python -m bench.viewers PORT AUTHORIZATION N MODE [ENCODINGS]."""

from __future__ import annotations

import sys
import time
from typing import Optional, Sequence

import numpy

from bench.child import answer, serve
from bench.client import COPYRECT, ENCODINGS, Viewer


class Audience:
    """Some viewers of one desktop, and what they counted."""

    def __init__(self, port: int, authorization: str, size: int, decode: bool,
                 encodings: Sequence[int]) -> None:
        self.viewers = [Viewer(port, authorization, decode, encodings) for _ in range(size)]
        self._save_to: Optional[str] = None
        self.viewers[0].when_updated = self._updated

    def reply(self, words: Sequence[str]) -> None:
        """Answer ``count``; ``keep FILE`` the next picture; or ``save FILE`` this one."""
        if words[0] == "keep":
            self._save_to = words[1]
        elif words[0] == "save":
            self._save(words[1])
        viewers = self.viewers
        answer(
            {
                "updates": sum(viewer.counts.updates for viewer in viewers),
                "fewest": min(viewer.counts.updates for viewer in viewers),
                "bytes": sum(viewer.bytes_received for viewer in viewers),
                "copies": sum(viewer.counts.rects.get(COPYRECT, 0) for viewer in viewers),
                "viewer_cpu": time.process_time(),
                "kept": self._save_to is None,
            }
        )

    def _updated(self) -> None:
        if self._save_to is not None:
            self._save(self._save_to)
            self._save_to = None

    def _save(self, file: str) -> None:
        screen = self.viewers[0].screen
        assert screen is not None
        numpy.save(file, screen)


def main(port: str, authorization: str, size: str, mode: str, *encodings: str) -> None:
    """Watch until the parent ends the conversation; ``mode`` is decode or count."""
    asked = [int(encoding) for encoding in encodings] or ENCODINGS
    audience = Audience(int(port), authorization, int(size), mode == "decode", asked)
    serve(audience.reply, readables=[viewer.socket for viewer in audience.viewers])


if __name__ == "__main__":
    main(*sys.argv[1:])
