"""Every stream of one desktop: viewers that want the same follow the same."""

from __future__ import annotations

from typing import Callable, Optional

from kasmd.viewer.encoders import Encoders
from kasmd.viewer.stream import Follower, Kind, Stream

#: An encoder of 1080p takes about 30 MB and most of a core.
MAX_STREAMS = 4
#: A larger picture takes too long to copy on the reactor, and to encode.
MAX_PIXELS = 2560 * 1440

#: KasmVNC's, for its clients that name none.
QUALITY = 17


class Streams:
    """The streams that are followed.

    ``quality`` (Kasm's, 0 to 63, the higher the better) and ``gop`` are for viewers that
    name none.
    """

    def __init__(self, encoders: Encoders, quality: int = QUALITY, gop: int = 0) -> None:
        self.encoders = encoders
        self.quality = quality
        self.gop = gop
        self._streams: dict[Kind, Stream] = {}

    def __len__(self) -> int:
        return len(self._streams)

    def follow(self, kind: Kind, ready: Callable[[], None]) -> Optional[Follower]:
        """Give a place in the stream of this kind, or None where there can be none.

        ``ready`` is called after each picture, and when the stream is over.
        """
        stream = self._streams.get(kind)
        if stream is None or stream.over:
            stream = self._open(kind)
        if stream is None:
            return None
        follower = Follower(stream, self._left)
        stream.followers[follower] = ready
        return follower

    def _open(self, kind: Kind) -> Optional[Stream]:
        area = kind.rect.area
        encoding = self.encoders.best(kind.codec, area)
        if encoding is None or len(self) >= MAX_STREAMS or not 0 < area <= MAX_PIXELS:
            return None
        stream = self._streams[kind] = Stream(kind, encoding, self.encoders)
        return stream

    def _left(self, follower: Follower) -> None:
        stream = follower.stream
        if stream.followers.pop(follower, None) is None or stream.followers:
            return
        stream.close()
        if self._streams.get(stream.kind) is stream:
            del self._streams[stream.kind]
