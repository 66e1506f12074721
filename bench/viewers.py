"""Viewers in a process: python -m bench.viewers PORT AUTHORIZATION N MODE [ENCODINGS]."""

from __future__ import annotations

import sys
import time
from typing import Sequence

import numpy

from bench.child import answer, serve
from bench.client import COPYRECT, ENCODINGS, FULL_COLOUR, Viewer, fixed
from bench.tight import Picture

#: The quality of JPEG that the first asks for where each has his own.
LEAST = 88


class Audience:
    """Some viewers of one desktop, and what they counted."""

    def __init__(self, port: int, authorization: str, decode: bool,
                 lists: Sequence[Sequence[int]]) -> None:
        self.viewers = [Viewer(port, authorization, decode, encodings) for encodings in lists]
        self._kept: list[Picture] = []
        self._keeping = False
        self.viewers[0].when_updated = self._updated

    def reply(self, words: Sequence[str]) -> None:
        """Answer ``count``; ``keep`` the next picture; ``save FILE`` those kept, or this one.

        To write takes time, in which the server takes the link for slow.
        """
        if words[0] == "keep":
            self._keeping = True
        elif words[0] == "save":
            numpy.save(words[1], self._kept or [self.viewers[0].held()])
        viewers = self.viewers
        answer(
            {
                "updates": sum(viewer.counts.updates for viewer in viewers),
                "fewest": min(viewer.counts.updates for viewer in viewers),
                "bytes": sum(viewer.bytes_received for viewer in viewers),
                "copies": sum(viewer.counts.rects.get(COPYRECT, 0) for viewer in viewers),
                "viewer_cpu": time.process_time(),
                "kept": len(self._kept),
            }
        )

    def _updated(self) -> None:
        if self._keeping:
            self._kept.append(self.viewers[0].held())
            self._keeping = False


def main(port: str, authorization: str, size: str, mode: str, *encodings: str) -> None:
    """Watch until the parent ends the conversation; ``mode`` is decode, count or each.

    With *each* every viewer asks for a quality of his own.
    """
    asked = tuple([int(encoding) for encoding in encodings]) or ENCODINGS
    lists = [asked] * int(size)
    if mode == "each":
        lists = [fixed(LEAST + number, FULL_COLOUR) for number in range(int(size))]
    audience = Audience(int(port), authorization, mode == "decode", lists)
    serve(audience.reply, readables=[viewer.socket for viewer in audience.viewers])


if __name__ == "__main__":
    main(*sys.argv[1:])
