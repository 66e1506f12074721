"""What leaves for one viewer, in order and within a bound.

A FramebufferUpdate leaves slice by slice, and nothing may come between its
slices; nothing at all leaves while the transport asks for a pause.  What must
wait meanwhile is held, up to a ceiling.
"""

from __future__ import annotations

from collections import deque
from typing import Callable, Iterable, Optional

from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from zope.interface import implementer

from kasmd.interfaces import IViewerTransport
from kasmd.permission.callbacks import nobody

#: Bytes of answers held for a viewer that does not take them; only one that
#: asks without listening gets there.
MAX_HELD = 1024 * 1024
#: What holding a message costs besides its bytes.
OVERHEAD = 64


@implementer(IPushProducer)
class Outbox:
    """The way out to one viewer.

    ``resumed`` is called when something may leave again, ``failed`` with a
    reason when the viewer takes nothing for ``patience`` seconds or lets too
    much wait.
    """

    def __init__(self, transport: IViewerTransport, clock: IReactorTime, patience: float,
                 resumed: Callable[[], None], failed: Callable[[str], None]) -> None:
        self._transport = transport
        self._clock = clock
        self._patience = patience
        self._resumed = resumed
        self._failed = failed
        self._held: deque[bytes] = deque()
        self._held_size = 0
        self._patience_ends: Optional[IDelayedCall] = None
        self._updating = False
        self._closed = False
        self.paused = False
        #: Bytes given to the transport since the beginning.
        self.sent = 0

    @property
    def free(self) -> bool:
        """Tell whether a new message would leave at once."""
        return not (self.paused or self._updating or self._closed)

    @property
    def stopped(self) -> bool:
        """Tell whether not even the next part of an update may leave."""
        return self.paused or self._closed

    def put(self, items: Iterable[bytes]) -> None:
        """Send whole messages, or hold them until they may leave."""
        for item in items:
            if self.free:
                self._send(item)
            elif not self._closed:
                self._hold(item)

    def begin_update(self) -> None:
        """Hold what comes until the last part of an update has left."""
        self._updating = True

    def put_slice(self, data: bytes, last: bool) -> None:
        """Send the next part of an update; what was held follows the last one."""
        self._updating = not last
        if not self._closed:
            self._send(data)
        if self._held:
            self._release()

    def drop(self, *numbers: int) -> None:
        """Forget the messages of these types that are held."""
        held, self._held, self._held_size = self._held, deque(), 0
        for item in held:
            if item[0] not in numbers:
                self._hold(item)

    def close(self) -> None:
        """Send nothing more."""
        self._closed = True
        self._held.clear()
        self._stop_waiting()
        # They are the viewer's, whose this is.
        self._resumed = self._failed = nobody

    def set_patience(self, seconds: float) -> None:
        """Wait for ``seconds`` from now on, also where that has begun."""
        self._patience = seconds
        if self._patience_ends is not None:
            self._patience_ends.reset(seconds)

    def pauseProducing(self) -> None:
        """The transport is full."""
        self.paused = True
        self._stop_waiting()
        if not self._closed:
            self._patience_ends = self._clock.callLater(self._patience, self._out_of_patience)

    def resumeProducing(self) -> None:
        """The transport has room."""
        self.paused = False
        self._stop_waiting()
        self._release()
        if not self._closed:
            self._resumed()

    def stopProducing(self) -> None:
        """The transport is gone."""
        self.close()

    def _send(self, item: bytes) -> None:
        self.sent += len(item)
        self._transport.send(item)

    def _hold(self, item: bytes) -> None:
        self._held.append(item)
        self._held_size += len(item) + OVERHEAD
        if self._held_size > MAX_HELD:
            failed = self._failed
            self.close()
            failed("asked for more than it takes")

    def _release(self) -> None:
        while self._held and self.free:
            item = self._held.popleft()
            self._held_size -= len(item) + OVERHEAD
            self._send(item)

    def _out_of_patience(self) -> None:
        self._patience_ends = None
        self._failed(f"took nothing for {self._patience:.0f} s")

    def _stop_waiting(self) -> None:
        if self._patience_ends is not None:
            self._patience_ends.cancel()
            self._patience_ends = None
