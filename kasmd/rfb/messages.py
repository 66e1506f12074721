"""What a viewer said: the events of `server.ServerSession`.

The layouts are in `standard` (RFC 6143, rfbproto) and `kasm` (KasmVNC).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping

from kasmd.rfb.numbers import ClipboardAction, ClipboardFormat
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.pixels import PixelFormat


class Event:
    """Something that a viewer said."""

    __slots__ = ()


# The handshake: each waits for the shell's answer before more is read.


@dataclass(frozen=True, slots=True)
class TlsRequested(Event):
    """Send what is to be sent, start TLS, then call ``tls_started``.

    ``certificate`` is True for X509, False for anonymous TLS.
    """

    certificate: bool


@dataclass(frozen=True, slots=True)
class CredentialsGiven(Event):
    """Answer with ``accept`` or ``refuse``."""

    name: str
    password: str


@dataclass(frozen=True, slots=True)
class SharedRequested(Event):
    """The viewer is in and wants the desktop alone or not; answer ``send_init``."""

    shared: bool


# The picture.


@dataclass(frozen=True, slots=True)
class PixelFormatSet(Event):
    """Pixels are wanted in ``format`` from now on."""

    format: PixelFormat


@dataclass(frozen=True, slots=True)
class EncodingsSet(Event):
    """The viewer's abilities and wishes, dearest first; `dialect` reads them."""

    encodings: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class UpdateRequested(Event):
    """An update of ``rect`` is wanted; ``rect`` may lie outside the picture."""

    incremental: bool
    rect: Rect


@dataclass(frozen=True, slots=True)
class ContinuousUpdatesSet(Event):
    """Updates of ``rect`` are wanted unasked, or no more."""

    enabled: bool
    rect: Rect


@dataclass(frozen=True, slots=True)
class DesktopSizeRequested(Event):
    """The viewer wants this size; nothing has been checked but the layout of the bytes."""

    width: int
    height: int
    screens: tuple[Screen, ...]


@dataclass(frozen=True, slots=True)
class FenceReceived(Event):
    """A fence; one with `FenceFlag.REQUEST` is answered by the session."""

    flags: int
    payload: bytes


# Keys and pointer.


@dataclass(frozen=True, slots=True)
class KeyPressed(Event):
    """``keycode`` is an XT set-1 number, or 0 where only the keysym is known."""

    keysym: int
    keycode: int = 0


@dataclass(frozen=True, slots=True)
class KeyReleased(Event):
    """As `KeyPressed`."""

    keysym: int
    keycode: int = 0


@dataclass(frozen=True, slots=True)
class PointerMoved(Event):
    """Bits of ``buttons``: left, middle, right, wheel up, down, left, right, back, forward.

    Where a scroll is not zero (Kasm's; pixels, down and right positive), the
    rest means nothing.
    """

    x: int
    y: int
    buttons: int
    scroll_x: int = 0
    scroll_y: int = 0


@dataclass(frozen=True, slots=True)
class DirectMouseMoved(Event):
    """As `PointerMoved`, by (dx, dy) from where the pointer is (Kasm)."""

    dx: int
    dy: int
    buttons: int
    scroll_x: int
    scroll_y: int


# The clipboard.


@dataclass(frozen=True, slots=True)
class CutTextReceived(Event):
    """Text that came as Latin-1; lines end in LF."""

    text: str


@dataclass(frozen=True, slots=True)
class ClipboardProvided(Event):
    """MIME type to content, from the extended clipboard or Kasm's; text is UTF-8 with LF."""

    content: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class ClipboardCapsReceived(Event):
    """What the viewer's extended clipboard can do, and bytes it takes unasked, by format."""

    actions: ClipboardAction
    sizes: Mapping[ClipboardFormat, int]


@dataclass(frozen=True, slots=True)
class ClipboardNotified(Event):
    """The viewer has these formats; the session asks for the ones we know."""

    formats: ClipboardFormat


@dataclass(frozen=True, slots=True)
class ClipboardRequested(Event):
    """The viewer wants these formats; the session sends what it was given."""

    formats: ClipboardFormat


@dataclass(frozen=True, slots=True)
class ClipboardPeeked(Event):
    """The viewer asks which formats there are; the session says."""


# KasmVNC's own.


@dataclass(frozen=True, slots=True)
class StatsRequested(Event):
    """Answer ``send_stats``."""


@dataclass(frozen=True, slots=True)
class FrameStatsReceived(Event):
    """Frames a second: received, and rendered."""

    received: int
    rendered: int


@dataclass(frozen=True, slots=True)
class UdpUpgradeRequested(Event):
    """An SDP offer, or nothing to go back to TCP.  May be left unanswered."""

    offer: str


@dataclass(frozen=True, slots=True)
class RelaySubscribed(Event):
    """Answer ``send_relay_refused``."""

    name: str


@dataclass(frozen=True, slots=True)
class RelayDataReceived(Event):
    """One datagram for a relay."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class VideoEncodersRequested(Event):
    """Codec families the viewer can decode; answer ``send_video_encoders``."""

    families: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class KeepAliveReceived(Event):
    """The page is still there; its person may not be."""


@dataclass(frozen=True, slots=True)
class LatencyProbed(Event):
    """Answer ``send_latency`` after the next update."""

    ident: int


@dataclass(frozen=True, slots=True)
class NetworkStatsRequested(Event):
    """Answer ``send_network_stats``."""


@dataclass(frozen=True, slots=True)
class SystemStatsRequested(Event):
    """Answer ``send_system_stats``."""


@dataclass(frozen=True, slots=True)
class MaxVideoResolutionSet(Event):
    """Video is wanted no larger than this."""

    width: int
    height: int
