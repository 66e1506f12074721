"""What xcb has of a connection: events, replies and errors, taken without waiting for more.

xcffib's own ways to take a reply wait for it; these are xcb's, by its C interface.
"""

from __future__ import annotations

from typing import Any, Callable, Optional

import xcffib
import xcffib.xproto
from twisted.python.failure import Failure

from kasmd.display.x11_connect import Xcb
from kasmd.display.x11_events import EVENT_BYTES, readers

_ffi, _lib = xcffib.ffi, xcffib.lib
# Where xcb_poll_for_event asks the socket each time, this gives what was read; xcffib lacks it.
_ffi.cdef("xcb_generic_event_t *xcb_poll_for_queued_event(xcb_connection_t *c);", override=True)

#: Ways to take an event: what comes is read first, or what was read is taken only.
READ = _lib.xcb_poll_for_event
TAKE = _lib.xcb_poll_for_queued_event


class XError(Exception):
    """The X server refused a request."""


class Received:
    """What came from the X server; ConnectionException where there will be no more."""

    def __init__(self, xcb: Xcb) -> None:
        self._xcb = xcb
        self._readers = readers(xcb)
        #: Where xcb puts a reply or an error.
        self._reply = _ffi.new("xcb_generic_reply_t **")
        self._any_reply = _ffi.cast("void **", self._reply)
        self._error = _ffi.new("xcb_generic_error_t **")

    def events(self, poll: Callable[[Any], Any], most: int) -> list[Any]:
        """Give the events that are there, at most so many, by `READ` or `TAKE`.

        They are of `x11_events` or else xcffib's, or an XcffibException: the error of a
        request that nobody checks.
        """
        found: list[Any] = []
        while len(found) < most:
            event = poll(self._xcb._conn)
            if not event:
                if not found:
                    self._xcb.invalid()
                break
            poll = TAKE
            data = bytes(_ffi.buffer(event, EVENT_BYTES))
            read = self._readers.get(data[0] & 0x7F)
            if read is None:
                found.append(self._other(event))
            else:
                xcffib.c_free(event)
                found.append(read(data))
        return found

    def _other(self, event: Any) -> Any:
        try:
            return self._xcb.hoist_event(_ffi.gc(event, xcffib.c_free))
        except xcffib.XcffibException as error:
            return error

    def reply(self, sequence: int, parse: Optional[Callable[[Any], Any]]) -> Optional[tuple[Any]]:
        """Give what ``parse`` makes of a reply, or a Failure (XError), in a tuple; else None.

        Without ``parse`` it is its bytes; of a request without a reply, None in a tuple.
        """
        reply, error = self._reply, self._error
        if not _lib.xcb_poll_for_reply(self._xcb._conn, sequence, self._any_reply, error):
            return None
        if error[0]:
            refusal = _ffi.gc(error[0], xcffib.c_free)
            kind = self._xcb._error_offsets[refusal.error_code]
            return (Failure(XError(describe(kind(xcffib.CffiUnpacker(refusal))))),)
        if not reply[0]:
            self._xcb.invalid()
            return (None,)
        length = 32 + 4 * reply[0].length
        if parse is not None:
            data = _ffi.gc(reply[0], xcffib.c_free)
            return (parse(xcffib.CffiUnpacker(data, known_max=length)),)
        content = bytes(_ffi.buffer(reply[0], length))
        xcffib.c_free(reply[0])
        return (content,)


def send_requests(xcb: Xcb) -> None:
    """Write what waits in xcb's buffer; xcb may read meanwhile."""
    _lib.xcb_flush(xcb._conn)


def describe(error: xcffib.XcffibException) -> str:
    """Name an X error for the log."""
    codes = (getattr(error, name, "?") for name in ("major_opcode", "minor_opcode"))
    return f"{type(error).__name__} for request {'.'.join(map(str, codes))}"
