"""What one viewer of Kasm's is told that it may choose from of streams (message 184).

Its client asks once, and chooses.  Where its choice is gone later, for the encoder is too
slow or has failed, it is told anew, and chooses again: H.264 for AV1.  Meanwhile, and if
it does not, it is sent images.  One that asked before anything was found is told, too.
No other is: a client that chose images would leave them.
"""

from __future__ import annotations

from typing import Callable, Optional, Sequence

from kasmd.interfaces import ISeat
from kasmd.rfb.kasm import VideoEncoder
from kasmd.rfb.server import ServerSession
from kasmd.viewer.encoders import Encoders


class Offering:
    """What was offered; ``pump`` sends what the session has to say."""

    def __init__(self, seat: ISeat, session: ServerSession, encoders: Encoders,
                 pump: Callable[[], None]) -> None:
        self._seat = seat
        self._session = session
        self._encoders = encoders
        self._pump = pump
        self._families: Sequence[int] = ()
        self._offered: Sequence[VideoEncoder] = ()
        #: Whether the client waits for its answer.
        self._due = False
        self._unwatch = encoders.watch(self.renew)

    def asked(self, families: Sequence[int]) -> None:
        """The client reads these families, and asks what there is."""
        self._encoders.look()
        self._families, self._due = families, not self._encoders.known
        if not self._due:
            self._offer(self._choice())

    def renew(self) -> None:
        """See whether what the client chose is still to be had, with the screens as they are."""
        choice = self._choice()
        chosen = self._session.capabilities.kasm.stream_mode
        lost = _names(chosen, self._offered) and not _names(chosen, choice)
        if self._due or lost or (choice and not self._offered):
            self._due = False
            self._offer(choice)
            self._pump()

    def close(self) -> None:
        """Tell nothing more."""
        self._unwatch()

    def _choice(self) -> Sequence[VideoEncoder]:
        largest = max((screen.rect.area for screen in self._seat.screens), default=0)
        return self._encoders.offers(self._families, largest)

    def _offer(self, choice: Sequence[VideoEncoder]) -> None:
        self._offered = choice
        self._session.send_video_encoders(choice)


def _names(mode: Optional[int], offered: Sequence[VideoEncoder]) -> bool:
    return any(encoder.encoding == mode for encoder in offered)
