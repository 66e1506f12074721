"""A session's reactions and answers, as transcripts: `kasmd.rfb.server`."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.errors import ProtocolError
from kasmd.rfb import clipboard
from kasmd.rfb.dialect import Dialect
from kasmd.rfb.limits import Limits
from kasmd.rfb.messages import (
    ClipboardProvided,
    ContinuousUpdatesSet,
    CutTextReceived,
    Event,
    FenceReceived,
    KeepAliveReceived,
    KeyPressed,
    PointerMoved,
    SharedRequested,
    UpdateRequested,
    VideoEncodersRequested,
)
from kasmd.rfb.numbers import ClientMessage, Encoding
from kasmd.rfb.server import PARSERS, ServerSession
from kasmd.screen.geometry import Rect

KEY = b"\x04\x01\0\0\0\0\0a"
END_OF_UPDATES = b"\x96"
PROBE = b"\xf8\0\0\0\x80\0\0\x01\x01\0"
REQUEST = 1 << 31


def connected(*listed: int) -> ServerSession:
    session = ServerSession(limits=Limits(cut_text=1000))
    for _ in events(session, b"RFB 003.008\n\x01\x01"):
        session.send_init(800, 600, "desk")
    if listed:
        events(session, encodings(*listed))
    session.data_to_send()
    return session


def events(session: ServerSession, data: bytes) -> list[Event]:
    session.receive_data(data)
    return list(session.events_received())


def encodings(*listed: int) -> bytes:
    return struct.pack(f">BxH{len(listed)}i", 2, len(listed), *listed)


def fence(flags: int, payload: bytes = b"x") -> bytes:
    return struct.pack(">B3xIB", 248, flags, len(payload)) + payload


def extended(flags: int, body: bytes = b"") -> bytes:
    return struct.pack(">B3xiI", 6, -4 - len(body), flags) + body


def test_every_message_of_the_table_has_a_parser() -> None:
    assert set(PARSERS) == set(ClientMessage)


@pytest.mark.parametrize("number", sorted(set(range(256)) - set(PARSERS)))
def test_unknown_messages_are_named(number: int) -> None:
    with pytest.raises(ProtocolError, match=f"unknown message type {number}$"):
        events(connected(), bytes([number]))


def test_what_came_before_an_error_is_still_given() -> None:
    session = connected()
    session.receive_data(KEY + b"\x01")
    said = session.events_received()
    assert next(said) == KeyPressed(97)
    with pytest.raises(ProtocolError):
        next(said)
    assert events(session, KEY) == []


def test_a_thousand_messages_in_one_piece_and_one_in_a_thousand() -> None:
    assert events(connected(), KEY * 1000) == [KeyPressed(97)] * 1000
    session = connected()
    said = [event for byte in KEY * 5 for event in events(session, bytes([byte]))]
    assert said == [KeyPressed(97)] * 5


# Fences.


def test_a_fence_is_answered_without_what_we_do_not_know() -> None:
    session = connected(Encoding.FENCE)
    assert events(session, fence(0xFFFFFFFB)) == [FenceReceived(0xFFFFFFFB, b"x")]
    assert session.data_to_send() == [b"\xf8\0\0\0\0\0\0\x03\x01x"]


def test_a_fence_with_sync_next_is_answered_after_the_next_message() -> None:
    session = connected(Encoding.FENCE)
    events(session, fence(REQUEST | 4))
    assert session.data_to_send() == []
    session.receive_data(KEY)
    for event in session.events_received():
        assert event == KeyPressed(97)
        session.send_bell()
    assert session.data_to_send() == [b"\x02", b"\xf8\0\0\0\0\0\0\x04\x01x"]


def test_fences_with_sync_next_follow_one_another() -> None:
    session = connected(Encoding.FENCE)
    events(session, fence(REQUEST | 4, b"1") + fence(REQUEST | 5, b"2") + KEY + KEY)
    assert [item[-1:] for item in session.data_to_send()] == [b"1", b"2"]


def test_an_answer_is_not_answered() -> None:
    session = connected(Encoding.FENCE)
    assert events(session, fence(0, b"\0")) == [FenceReceived(0, b"\0")]
    assert session.data_to_send() == []


def test_fences_are_shown_once() -> None:
    session = connected()
    events(session, encodings(Encoding.FENCE))
    assert session.data_to_send() == [PROBE]
    events(session, encodings(Encoding.FENCE))
    assert session.data_to_send() == []


def test_every_fence_of_ours_is_a_request() -> None:
    session = connected(Encoding.FENCE)
    session.send_fence(b"\x01")
    assert session.data_to_send() == [b"\xf8\0\0\0\x80\0\0\x01\x01\x01"]


def test_who_does_not_list_fences_gets_none() -> None:
    session = connected(Encoding.TIGHT)
    session.send_fence()
    assert session.data_to_send() == []


# Continuous updates.


def test_continuous_updates_are_shown_once_and_only_with_fences() -> None:
    session = connected()
    events(session, encodings(Encoding.CONTINUOUS_UPDATES))
    assert session.data_to_send() == []
    both = encodings(Encoding.CONTINUOUS_UPDATES, Encoding.FENCE)
    events(session, both + both)
    assert session.data_to_send() == [PROBE, END_OF_UPDATES]


@pytest.mark.parametrize("enabled", [0, 1])
def test_continuous_updates_need_to_have_been_listed(enabled: int) -> None:
    wire = bytes([150, enabled]) + bytes(8)
    with pytest.raises(ProtocolError, match="did not list"):
        events(connected(Encoding.CONTINUOUS_UPDATES), wire)
    session = connected(Encoding.FENCE, Encoding.CONTINUOUS_UPDATES)
    assert events(session, wire) == [ContinuousUpdatesSet(bool(enabled), Rect(0, 0, 0, 0))]


# Dialects.


def test_pointer_events_follow_the_dialect() -> None:
    session = connected(Encoding.TIGHT)
    assert events(session, b"\x05\x01\0\x02\0\x03") == [PointerMoved(2, 3, 1)]
    assert events(session, b"\xb8\0") == [VideoEncodersRequested(())]
    assert session.dialect is Dialect.KASM
    wire = b"\x05\0\x01\0\x02\0\x03\0\0\0\x05"
    assert events(session, wire) == [PointerMoved(2, 3, 1, 0, 5)]
    assert session.capabilities.preferred == Encoding.TIGHT


@pytest.mark.parametrize("number", [-1997, -1885, -1884, -2034, -1025])
def test_a_value_of_kasms_is_evidence_that_stays(number: int) -> None:
    session = connected(Encoding.RAW, number)
    assert session.dialect is Dialect.KASM
    assert session.capabilities.preferred == Encoding.TIGHT
    events(session, encodings(Encoding.RAW))
    assert session.dialect is Dialect.KASM


def test_more_mouse_buttons_come_once_they_were_acknowledged() -> None:
    session = connected(Encoding.EXTENDED_MOUSE_BUTTONS, Encoding.QEMU_EXTENDED_KEY_EVENT)
    assert events(session, b"\x05\x80\0\x02\0\x03") == [PointerMoved(2, 3, 0x80)]
    owed = session.acknowledgements()
    assert [rectangle[8:] for rectangle in owed] == [b"\xff\xff\xfe\xfe", b"\xff\xff\xfe\xc4"]
    assert session.acknowledgements() == []
    assert events(session, b"\x05\x80\0\x02\0\x03\x01") == [PointerMoved(2, 3, 0x80)]
    assert events(session, b"\x05\x80\0\x02\0\x03\x02") == [PointerMoved(2, 3, 0x100)]


def test_who_listed_nothing_is_owed_nothing() -> None:
    assert connected(Encoding.TIGHT).acknowledgements() == []


# The clipboard.


def test_the_extended_clipboard_both_ways() -> None:
    session = connected()
    events(session, encodings(Encoding.EXTENDED_CLIPBOARD))
    assert session.data_to_send() == [clipboard.caps()]
    events(session, encodings(Encoding.EXTENDED_CLIPBOARD) + extended(0x1F000001, bytes(4)))
    assert session.data_to_send() == []
    session.send_clipboard({"text/plain": b"from us"})
    assert session.data_to_send() == [clipboard.message(0x08000001)]
    events(session, extended(0x02000001))
    (provided,) = session.data_to_send()
    assert clipboard.parse(provided[8:], 99) == ClipboardProvided({"text/plain": b"from us"})
    events(session, extended(0x08000001))
    assert session.data_to_send() == [clipboard.message(0x02000001)]
    said = events(session, extended(0x10000001, clipboard.packed({"text/plain": b"hi"}, 1)[1]))
    assert said == [ClipboardProvided({"text/plain": b"hi"})]
    events(session, extended(0x04000000))
    assert session.data_to_send() == [clipboard.message(0x08000001)]


def test_an_offer_taken_back_is_not_provided() -> None:
    session = connected(Encoding.EXTENDED_CLIPBOARD)
    session.send_clipboard({"text/plain": b"secret"})
    session.send_clipboard({})
    session.data_to_send()
    events(session, extended(0x02000001))
    assert session.data_to_send() == []


def test_who_did_not_list_the_extended_clipboard_is_not_answered_in_it() -> None:
    session = connected(Encoding.TIGHT)
    session.send_clipboard({"text/plain": b"hi"})
    session.data_to_send()
    events(session, extended(0x02000001) + extended(0x04000000) + extended(0x08000001))
    assert session.data_to_send() == []


def test_kasms_client_lists_the_extended_clipboard_and_is_not_offered_it() -> None:
    session = connected()
    events(session, encodings(Encoding.EXTENDED_CLIPBOARD, -1997))
    assert session.data_to_send() == []


def test_text_above_the_ceiling_is_skipped() -> None:
    session = connected()
    wire = struct.pack(">B3xi", 6, 1001) + bytes(1001)
    assert events(session, wire + KEY) == [KeyPressed(97)]
    wire = struct.pack(">B3xi", 6, 1000) + b"a" * 1000
    assert events(session, wire) == [CutTextReceived("a" * 1000)]


# All of it, cut anywhere.

SCRIPT = b"".join(
    [
        b"RFB 003.008\n\x01\x01",
        b"\0\0\0\0\x20\x18\0\x01\0\xff\0\xff\0\xff\0\x08\x10\0\0\0",
        b"\xb8\x02\xff\xff\xfb\xfe\xff\xff\xfb\xf9",
        encodings(1, 7, -224, -312, -313, -1997, -1885, -2034, -1024, 0x574D5664),
        b"\x03\0\0\0\0\0\x03\x20\x02\x58",
        b"\xb6\x07printer",
        b"\xf8\0\0\0\0\0\0\0\x01\0",
        b"\x96\x01\0\0\0\0\x03\x20\x02\x58",
        KEY,
        b"\xff\0\0\x01\0\0\0a\0\0\0\x1e",
        b"\x05\0\x01\0\x02\0\x03\0\0\0\0",
        b"\xb4\x01\x0atext/plain\0\0\0\x05hello",
        b"\xfb\0\x03\x20\x02\x58\x01\0" + bytes(16),
        b"\xfc\x03\xc0\x02\x1c",
        b"\xb9",
        b"\x06\0\0\0\0\0\x10\0" + bytes(4096),
        fence(REQUEST | 4),
        b"\xbc\0\0\x01\0\x01\0\0\0\0",
        b"\xb2\0\0\0",
        b"\xfa",
    ]
)


def play(segments: list[bytes]) -> tuple[list[Event], list[bytes], str]:
    session, said, error = ServerSession(limits=Limits(cut_text=99)), [], ""
    try:
        for segment in segments:
            session.receive_data(segment)
            for event in session.events_received():
                said.append(event)
                if isinstance(event, SharedRequested):
                    session.send_init(800, 600, "desk")
    except ProtocolError as raised:
        error = str(raised)
    return said, session.data_to_send(), error


def test_kasms_client_from_the_first_byte_on() -> None:
    said, sent, error = play([SCRIPT])
    assert [type(event).__name__ for event in said] == [
        "SharedRequested",
        "PixelFormatSet",
        "VideoEncodersRequested",
        "EncodingsSet",
        "UpdateRequested",
        "RelaySubscribed",
        "FenceReceived",
        "ContinuousUpdatesSet",
        "KeyPressed",
        "KeyPressed",
        "PointerMoved",
        "ClipboardProvided",
        "DesktopSizeRequested",
        "MaxVideoResolutionSet",
        "KeepAliveReceived",
        "FenceReceived",
        "DirectMouseMoved",
        "StatsRequested",
    ]
    assert UpdateRequested(False, Rect(0, 0, 800, 600)) in said
    assert KeepAliveReceived() in said
    assert sent[4:] == [PROBE, END_OF_UPDATES, b"\xf8\0\0\0\0\0\0\x04\x01x"]
    assert error == "unknown message type 250"


@given(st.lists(st.integers(0, len(SCRIPT)), max_size=8))
def test_any_segmentation_gives_the_same(places: list[int]) -> None:
    places.sort()
    segments = [SCRIPT[a:b] for a, b in zip([0, *places], [*places, len(SCRIPT)])]
    assert play(segments) == play([SCRIPT])


def test_single_bytes_give_the_same() -> None:
    assert play([SCRIPT[n : n + 1] for n in range(len(SCRIPT))]) == play([SCRIPT])
