"""KasmVNC's messages, byte by byte, both ways: `kasmd.rfb.kasm`."""

import struct

import pytest

from kasmd.rfb import kasm
from kasmd.rfb.dialect import Reading
from kasmd.rfb.kasm import VideoEncoder
from kasmd.rfb.limits import Limits
from kasmd.rfb.messages import (
    ClipboardProvided,
    DirectMouseMoved,
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
from kasmd.rfb.numbers import ServerMessage
from tests.rfb import parsing

MIB = 1024 * 1024


def parsed(wire: str | bytes) -> list[object]:
    """Read messages of Kasm's; wire is hexadecimal or bytes."""
    return parsing.parsed(kasm.PARSERS, wire, Reading(Limits(clipboard=16)))


@pytest.mark.parametrize(
    "wire, event",
    [
        ("b2 000000", StatsRequested()),
        ("b3 000000 0000001e 00000000", FrameStatsReceived(30, 0)),
        ("b5 0000", UdpUpgradeRequested("")),
        (b"\xb5\x00\x03v=0", UdpUpgradeRequested("v=0")),
        (b"\xb6\x07printer", RelaySubscribed("printer")),
        ("b6 00", RelaySubscribed("")),
        (b"\xb7\x02sc\0\0\0\x03abc", RelayDataReceived("sc", b"abc")),
        ("b8 00", VideoEncodersRequested(())),
        ("b8 02 fffffbfe fffffbf9", VideoEncodersRequested((-1026, -1031))),
        ("b9", KeepAliveReceived()),
        ("bc 05 ffff 0001 0000 fffe", DirectMouseMoved(-1, 1, 5, 0, -2)),
        ("bd 000000 0000002a", LatencyProbed(42)),
        ("be 000000", NetworkStatsRequested()),
        ("bf 000000", SystemStatsRequested()),
        ("fc 03c0 021c", MaxVideoResolutionSet(960, 540)),
        ("b4 00", ClipboardProvided({})),
        (
            b"\xb4\x02\x0atext/plain\0\0\0\x02hi\x09text/html\0\0\0\x01b",
            ClipboardProvided({"text/plain": b"hi", "text/html": b"b"}),
        ),
    ],
)
def test_messages(wire: str | bytes, event: object) -> None:
    assert parsed(wire) == [event]


def test_a_clipboard_keeps_what_there_is_room_for() -> None:
    items = [(b"a/1", 10), (b"a/2", 7), (b"a/3", 6), (b"a/4", 1), (b"m" * 32, 0), (b"m" * 31, 0)]
    wire = b"".join(bytes([len(m)]) + m + struct.pack(">I", n) + bytes(n) for m, n in items)
    kept = {"a/1": bytes(10), "a/3": bytes(6), "m" * 31: b""}
    assert parsed(b"\xb4\x06" + wire) == [ClipboardProvided(kept)]


@pytest.mark.parametrize(
    "wire",
    [
        struct.pack(">BH", 181, 4096) + bytes(4096),
        b"\xb6\x40" + bytes(64),
        b"\xb7\x40" + bytes(64) + b"\0\0\0\x03abc",
        b"\xb7\x01n" + struct.pack(">I", MIB) + bytes(MIB),
    ],
)
def test_what_is_too_long_is_skipped_and_the_next_is_read(wire: bytes) -> None:
    assert parsed(wire + b"\xb9") == [None, KeepAliveReceived()]


@pytest.mark.parametrize(
    "wire",
    [
        struct.pack(">BH", 181, 4095) + bytes(4095),
        b"\xb6\x3f" + bytes(63),
        b"\xb7\x01n" + struct.pack(">I", MIB - 1) + bytes(MIB - 1),
    ],
)
def test_what_just_fits_is_read(wire: bytes) -> None:
    (event,) = parsed(wire)
    assert event is not None


@pytest.mark.parametrize(
    "written, wire",
    [
        (kasm.stats(ServerMessage.STATS, "[1]"), b"\xb2\0\0\0\0\0\0\x03[1]"),
        (kasm.stats(ServerMessage.NETWORK_STATS, "[]"), b"\xbe\0\0\0\0\0\0\x02[]"),
        (kasm.stats(ServerMessage.SYSTEM_STATS, "{}"), b"\xbf\0\0\0\0\0\0\x02{}"),
        (kasm.request_frame_stats(), b"\xb3"),
        (kasm.clipboard({"t/p": b"hi"}, 7), b"\xb4\x01\0\0\0\x07\x03t/p\0\0\0\x02hi"),
        (kasm.clipboard({}, 1), b"\xb4\x01\0\0\0\x01\x0atext/plain\0\0\0\0"),
        (kasm.clipboard({"m" * 32: b""}, 1), b"\xb4\x01\0\0\0\x01\x0atext/plain\0\0\0\0"),
        (kasm.relay_refused("No"), b"\xb6\0\x02No"),
        (kasm.relay_refused("x" * 300), b"\xb6\0\xff" + b"x" * 255),
        (kasm.video_encoders_listed(()), b"\xb8\0"),
        (
            kasm.video_encoders_listed([VideoEncoder(-1027, 0, 50, (9, 18, 25, 39, 50))]),
            struct.pack(">BBiiiBiiiii", 184, 1, -1027, 0, 50, 5, 9, 18, 25, 39, 50),
        ),
        (kasm.server_disconnect("bye", True), b"\xba\x01\0\0\0\0\0\0\x03bye"),
        (kasm.latency_answered(42), b"\xbd\0\0\0\0\0\0\x2a"),
        (kasm.user_joined("eve"), b"\xfd\0\0\0\x03eve"),
        (kasm.user_left("eve"), b"\xfe\0\0\0\x03eve"),
    ],
)
def test_what_the_server_writes(written: bytes, wire: bytes) -> None:
    assert written == wire
