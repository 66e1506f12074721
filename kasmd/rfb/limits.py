"""The ceilings of the wire, each with its reason.

What KasmVNC reads and throws away when it is too long, we skip without storing;
what no honest viewer sends is a `ProtocolError`.
"""

from __future__ import annotations

from typing import NamedTuple

MEBIBYTE = 1024 * 1024

#: Bytes that may wait while the shell makes up its mind (a log-in, ServerInit):
#: an honest viewer has nothing to say then; one that pipelines fits easily.
WAITING = 64 * 1024

#: Bytes skipped at a time, so that what is thrown away is never held whole.
SKIP_STEP = 64 * 1024

#: Encodings kept of one SetEncodings.  Earlier ones win, and the longest list
#: in the field (Kasm's) has about forty.
ENCODINGS = 1024

#: Bytes of a name or password; KasmVNC keeps 127, but pass phrases are longer.
CREDENTIAL = 1024

#: Bytes in a fence (rfbproto).
FENCE = 64

#: Bytes in the name of a relay, and in one datagram for it (KasmVNC).
RELAY_NAME = 63
RELAY_DATA = MEBIBYTE - 1

#: Bytes in the offer of an upgrade to UDP (KasmVNC).
SDP = 4095

#: Bytes in a MIME type of Kasm's clipboard (KasmVNC).
MIME = 31

#: Provide messages sent for one announcement: a viewer that asks for ever
#: would make 12 bytes of its own into megabytes of ours.
PROVIDES = 4

#: Of the server's messages, as our client reads them.  A Raw rectangle of
#: 8192 x 4096 at 32 bits is 128 MiB; nothing honest is larger.
PAYLOAD = 128 * MEBIBYTE
UPDATE = 256 * MEBIBYTE
RECTANGLES = 65535
SERVER_TEXT = 16 * MEBIBYTE
SERVER_NAME = 64 * 1024
CURSOR_SIDE = 1024

#: Bytes of a server's reason for a refusal.
REASON = 4096

#: Pixels of an upstream's desktop: as many as one rectangle of 128 MiB holds.
DESKTOP_PIXELS = 8192 * 4096

#: Bytes of Raw that are handed out at a time.
BAND = 256 * 1024


class Limits(NamedTuple):
    """The ceilings that an administrator may set, in bytes."""

    #: ClientCutText as it is on the wire, either form.
    cut_text: int = 16 * MEBIBYTE
    #: All items of one BinaryClipboard message together, either way.
    clipboard: int = 16 * MEBIBYTE
    #: All of an extended clipboard once inflated, either way: a MiB holds the
    #: reactor for about 5 ms, and TigerVNC stops at a quarter of it.
    inflated: int = MEBIBYTE
