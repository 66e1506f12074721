"""KasmVNC's own messages: how they are read, how they are written.

Parsers read what follows the type byte.  There are no relays and no UDP here, and game
mode is the viewer's own choice, so 181, 183 and 187 are never written.  Numbers are big-endian::

    -> 178 RequestStats          pad 3              <- 178 pad 3, U32 length, text
    -> 179 FrameStats            pad 3, U32 all, U32 render     <- 179 nothing
    -> 180 BinaryClipboard       U8 n, n x (U8 length, MIME, U32 length, data)
                                 <- the same with U32 id before each MIME
    -> 181 UpgradeToUdp          U16 length, SDP    <- 181 U16 length, JSON
    -> 182 SubscribeUnixRelay    U8 length, name    <- 182 U8 ok, U8 length, text
    -> 183 UnixRelay             U8 length, name, U32 length, data      <- the same
    -> 184 VideoEncoders         U8 n, n x S32
           <- 184 U8 n, n x (S32 encoding, S32 least, S32 most, U8 m, m x S32 preset)
    -> 185 KeepAlive             nothing
                                 <- 186 U8 graceful, pad 3, U32 length, text
                                 <- 187 ForceGameMode, nothing
    -> 188 DirectMouseEvent      U8 buttons, S16 dx, dy, scroll x, scroll y
    -> 189 LatencyMeasurement    pad 3, U32 id      <- the same
    -> 190 NetworkStats          pad 3              <- 190 as 178
    -> 191 SystemStats           pad 3              <- 191 as 178
    -> 252 MaxVideoResolution    U16 width, height
                                 <- 253 joined, 254 left: U32 length, name
"""

from __future__ import annotations

import struct
from typing import Mapping, NamedTuple, Optional, Sequence

from kasmd.rfb import limits
from kasmd.rfb.dialect import Reading
from kasmd.rfb.messages import (
    ClipboardProvided,
    DirectMouseMoved,
    Event,
    FrameStatsReceived,
    KeepAliveReceived,
    LatencyProbed,
    MaxVideoResolutionSet,
    NetworkStatsRequested,
    RelayDataReceived,
    RelaySubscribed,
    StatsRequested,
    SystemStatsRequested,
    UdpUpgradeRequested,
    VideoEncodersRequested,
)
from kasmd.rfb.numbers import ClientMessage, ServerMessage
from kasmd.rfb.standard import BUTTONS, MessageParser
from kasmd.rfb.wire import U16, U32, Parser, bounded, skip, text

DIRECT_MOUSE = struct.Struct(">Bhhhh")
FRAME_STATS = struct.Struct(">3xII")
LATENCY = struct.Struct(">3xI")
SIZE = struct.Struct(">HH")


def request_stats(reading: Reading) -> Parser[Event]:
    """Message 178."""
    yield 3
    return StatsRequested()


def frame_stats(reading: Reading) -> Parser[Event]:
    """Message 179."""
    return FrameStatsReceived(*FRAME_STATS.unpack((yield FRAME_STATS.size)))


def binary_clipboard(reading: Reading) -> Parser[Event]:
    """Message 180; items that are too long, or come when the room is full, are skipped."""
    room = reading.limits.clipboard
    content: dict[str, bytes] = {}
    for _ in range((yield 1)[0]):
        mime = yield from bounded((yield 1)[0], limits.MIME)
        (length,) = U32.unpack((yield 4))
        data = yield from bounded(length, -1 if mime is None else room)
        if mime is not None and data is not None:
            content[mime.decode("latin-1")] = data
            room -= len(data)
    return ClipboardProvided(content)


def upgrade_to_udp(reading: Reading) -> Parser[Optional[Event]]:
    """Message 181."""
    (length,) = U16.unpack((yield 2))
    offer = yield from bounded(length, limits.SDP)
    return None if offer is None else UdpUpgradeRequested(offer.decode("utf-8", "replace"))


def subscribe_unix_relay(reading: Reading) -> Parser[Optional[Event]]:
    """Message 182."""
    name = yield from bounded((yield 1)[0], limits.RELAY_NAME)
    return None if name is None else RelaySubscribed(name.decode("utf-8", "replace"))


def unix_relay(reading: Reading) -> Parser[Optional[Event]]:
    """Message 183."""
    name = yield from bounded((yield 1)[0], limits.RELAY_NAME)
    (length,) = U32.unpack((yield 4))
    data = yield from bounded(length, limits.RELAY_DATA)
    if name is None or data is None:
        return None
    return RelayDataReceived(name.decode("utf-8", "replace"), data)


def video_encoders(reading: Reading) -> Parser[Event]:
    """Message 184."""
    count = (yield 1)[0]
    return VideoEncodersRequested(struct.unpack(f">{count}i", (yield 4 * count)))


def keep_alive(reading: Reading) -> Parser[Event]:
    """Message 185."""
    yield from skip(0)
    return KeepAliveReceived()


def direct_mouse_event(reading: Reading) -> Parser[Event]:
    """Message 188."""
    buttons, dx, dy, *scroll = DIRECT_MOUSE.unpack((yield DIRECT_MOUSE.size))
    return DirectMouseMoved(dx, dy, buttons & BUTTONS, *scroll)


def latency_measurement(reading: Reading) -> Parser[Event]:
    """Message 189."""
    return LatencyProbed(*LATENCY.unpack((yield LATENCY.size)))


def network_stats(reading: Reading) -> Parser[Event]:
    """Message 190."""
    yield 3
    return NetworkStatsRequested()


def system_stats(reading: Reading) -> Parser[Event]:
    """Message 191."""
    yield 3
    return SystemStatsRequested()


def set_max_video_resolution(reading: Reading) -> Parser[Event]:
    """Message 252."""
    return MaxVideoResolutionSet(*SIZE.unpack((yield SIZE.size)))


PARSERS: dict[int, MessageParser] = {
    ClientMessage.REQUEST_STATS: request_stats,
    ClientMessage.FRAME_STATS: frame_stats,
    ClientMessage.BINARY_CLIPBOARD: binary_clipboard,
    ClientMessage.UPGRADE_TO_UDP: upgrade_to_udp,
    ClientMessage.SUBSCRIBE_UNIX_RELAY: subscribe_unix_relay,
    ClientMessage.UNIX_RELAY: unix_relay,
    ClientMessage.VIDEO_ENCODERS: video_encoders,
    ClientMessage.KEEP_ALIVE: keep_alive,
    ClientMessage.DIRECT_MOUSE_EVENT: direct_mouse_event,
    ClientMessage.LATENCY_MEASUREMENT: latency_measurement,
    ClientMessage.NETWORK_STATS: network_stats,
    ClientMessage.SYSTEM_STATS: system_stats,
    ClientMessage.SET_MAX_VIDEO_RESOLUTION: set_max_video_resolution,
}


class VideoEncoder(NamedTuple):
    """An encoder that the server has: its pseudo-encoding and its range of quality."""

    encoding: int
    least: int
    most: int
    presets: tuple[int, ...] = (0, 0, 0, 0, 0)


def stats(kind: ServerMessage, report: str) -> bytes:
    """Messages 178, 190 and 191: ``report`` is JSON."""
    return struct.pack(">B3x", kind) + text(report)


def request_frame_stats() -> bytes:
    """Message 179."""
    return bytes([ServerMessage.REQUEST_FRAME_STATS])


def clipboard(content: Mapping[str, bytes], first_ident: int) -> bytes:
    """Message 180; an empty one becomes empty text, since count 0 stalls Kasm's client.

    MIME types too long for the wire's other direction are left out.
    """
    items = [(m.encode(), data) for m, data in content.items() if len(m.encode()) <= limits.MIME]
    items = items[:255] or [(b"text/plain", b"")]
    parts = [bytes([ServerMessage.BINARY_CLIPBOARD, len(items)])]
    for ident, (mime, data) in enumerate(items, first_ident):
        head = U32.pack(ident & 0xFFFFFFFF) + bytes([len(mime)]) + mime
        parts += (head, U32.pack(len(data)), data)
    return b"".join(parts)


def relay_refused(reason: str) -> bytes:
    """Message 182: KasmVNC says "No permissions" or "No such unix channel"."""
    data = reason.encode()[:255]
    return bytes([ServerMessage.SUBSCRIBE_UNIX_RELAY, False, len(data)]) + data


def video_encoders_listed(encoders: Sequence[VideoEncoder]) -> bytes:
    """Message 184."""
    parts = [bytes([ServerMessage.VIDEO_ENCODERS, len(encoders)])]
    for encoder in encoders:
        count = len(encoder.presets)
        parts.append(struct.pack(f">iiiB{count}i", *encoder[:3], count, *encoder.presets))
    return b"".join(parts)


def server_disconnect(reason: str, graceful: bool) -> bytes:
    """Message 186; graceful: do not connect again, show the reason."""
    return struct.pack(">BB3x", ServerMessage.SERVER_DISCONNECT, graceful) + text(reason)


def latency_answered(ident: int) -> bytes:
    """Message 189."""
    return struct.pack(">B3xI", ServerMessage.LATENCY_MEASUREMENT, ident)


def user_joined(name: str) -> bytes:
    """Message 253."""
    return bytes([ServerMessage.USER_ADDED_TO_SESSION]) + text(name)


def user_left(name: str) -> bytes:
    """Message 254."""
    return bytes([ServerMessage.USER_REMOVED_FROM_SESSION]) + text(name)
