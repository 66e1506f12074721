"""What a server said: the events of `client.ClientSession`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import PixelFormat


class Said:
    """Something that a server said."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class TlsAgreed(Said):
    """Send what is to be sent, start TLS, and once it is trusted call ``tls_started``.

    ``certificate`` tells whether the server shows one (X509) or is anonymous (TLS).
    """

    certificate: bool


@dataclass(frozen=True, slots=True)
class Connected(Said):
    """ServerInit came: messages may be sent."""

    width: int
    height: int
    format: PixelFormat
    name: str


class Received(NamedTuple):
    """One rectangle as it came."""

    rect: Rect
    encoding: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class UpdateReceived(Said):
    """A whole FramebufferUpdate; ``size`` is its bytes on the wire.

    LastRect is not among the ``rectangles``; ``counted`` tells it was not there.
    Of a session with ``bands`` they came before it, as `RectangleReceived`.
    """

    rectangles: tuple[Received, ...]
    size: int
    counted: bool


@dataclass(frozen=True, slots=True)
class RectangleReceived(Said):
    """One rectangle of an update that goes on, or some rows of one in Raw."""

    received: Received


@dataclass(frozen=True, slots=True)
class BellRung(Said):
    """Bell."""


@dataclass(frozen=True, slots=True)
class CutTextSent(Said):
    """ServerCutText; ``data`` is Latin-1, or flags and body where ``extended``."""

    data: bytes
    extended: bool


@dataclass(frozen=True, slots=True)
class ContinuousUpdatesEnded(Said):
    """EndOfContinuousUpdates."""


@dataclass(frozen=True, slots=True)
class FenceSent(Said):
    """ServerFence."""

    flags: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class ColoursSent(Said):
    """SetColourMapEntries, which mean nothing in true colour."""


@dataclass(frozen=True, slots=True)
class KasmMessageSent(Said):
    """One of Kasm's messages whose length is easily told; all after the type byte."""

    number: int
    body: bytes
