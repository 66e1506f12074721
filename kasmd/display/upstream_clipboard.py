"""The clipboard between a display and its upstream: cut text, or rfbproto's extension."""

from __future__ import annotations

from typing import Any, Callable, Optional

from kasmd.display.paced import Paced
from kasmd.interfaces import ClipboardContent
from kasmd.rfb import clipboard
from kasmd.rfb.client import ClientSession
from kasmd.rfb.limits import Limits
from kasmd.rfb.messages import ClipboardCapsReceived, ClipboardProvided
from kasmd.rfb.numbers import ClientMessage
from kasmd.rfb.said import CutTextSent

#: Seconds between two of an upstream's offers: each goes to every viewer.
PACE = 0.2
_TEXT = "text/plain"


class UpstreamClipboard:
    """Speaks over ``session``; what was copied there is given to ``offer``."""

    def __init__(self, reactor: Any, session: ClientSession, most: int,
                 offer: Callable[[ClipboardContent], None]) -> None:
        self.most = most
        self._session = session
        self._offer = offer
        self._offered = Paced(reactor, PACE, self._tell)
        self._extended: Optional[clipboard.Offer] = None

    def offer(self, content: ClipboardContent) -> None:
        """Own the upstream's clipboard; what is too long is dropped."""
        text = content.get(_TEXT, b"")
        if len(text) > self.most:
            return
        if self._extended is None:
            self._session.send_cut_text(text.decode("utf-8", "replace"))
        else:
            self._session.send(self._extended.put({_TEXT: text} if text else {}))

    def heard(self, event: CutTextSent) -> None:
        """Take what was copied there (ProtocolError)."""
        most = min(self.most, Limits().inflated)
        if event.extended:
            self._heard_more(event.data, most)
        elif len(event.data) <= most:
            self._offered(event.data, "latin-1")

    def close(self) -> None:
        """Offer nothing more."""
        self._offered.close()

    def _heard_more(self, data: bytes, most: int) -> None:
        said = clipboard.parse(data, most)
        if isinstance(said, ClipboardCapsReceived):
            if self._extended is None:
                self._extended = clipboard.Offer(ClientMessage.CLIENT_CUT_TEXT)
            self._session.send(clipboard.caps(ClientMessage.CLIENT_CUT_TEXT))
        elif isinstance(said, ClipboardProvided):
            self._offered(said.content.get(_TEXT, b""), "utf-8")
        elif self._extended is not None and said is not None:
            answer = self._extended.answer(said)
            if answer is not None:
                self._session.send(answer)

    def _tell(self, data: bytes, encoding: str) -> None:
        text = clipboard.with_newlines(data).decode(encoding, "replace").encode()
        self._offer({_TEXT: text} if text else {})
