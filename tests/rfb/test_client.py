"""Our client against our server, and against servers that lie: `kasmd.rfb.client`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.errors import ProtocolError
from kasmd.rfb import limits, update
from kasmd.rfb.client import (
    BellRung,
    ClientSession,
    Connected,
    ContinuousUpdatesEnded,
    CutTextSent,
    FenceSent,
    KasmMessageSent,
    Received,
    Said,
    UpdateReceived,
)
from kasmd.rfb.messages import (
    ContinuousUpdatesSet,
    CutTextReceived,
    DesktopSizeRequested,
    EncodingsSet,
    Event,
    FenceReceived,
    KeyPressed,
    KeyReleased,
    PixelFormatSet,
    PointerMoved,
    SharedRequested,
    UpdateRequested,
)
from kasmd.rfb.numbers import Encoding
from kasmd.rfb.server import ServerSession
from kasmd.screen.geometry import Rect, Screen
from kasmd.screen.pixels import BGRX, RGBX

WHOLE = Rect(0, 0, 800, 600)
SCREENS = (Screen(1, 0, 0, 800, 600),)


def exchange(client: ClientSession, server: ServerSession) -> tuple[list[Said], list[Event]]:
    """Let both talk until neither has more to say."""
    said: list[Said] = []
    events: list[Event] = []
    while True:
        down, up = server.data_to_send(), client.data_to_send()
        if not down and not up:
            return said, events
        client.receive_data(b"".join(down))
        said += client.events_received()
        server.receive_data(b"".join(up))
        for event in server.events_received():
            events.append(event)
            if isinstance(event, SharedRequested):
                server.send_init(800, 600, "desk", RGBX)


def connected(kasm: bool = False) -> tuple[ClientSession, ServerSession]:
    client, server = ClientSession(kasm=kasm), ServerSession()
    said, events = exchange(client, server)
    assert said == [Connected(800, 600, RGBX, "desk")]
    assert events == [SharedRequested(True)]
    return client, server


def test_all_that_a_client_says() -> None:
    client, server = connected()
    listed = (7, int(Encoding.FENCE), int(Encoding.CONTINUOUS_UPDATES))
    client.send_pixel_format(BGRX)
    client.send_encodings(listed)
    client.send_update_request(True, WHOLE)
    client.send_continuous_updates(True, WHOLE)
    client.send_key(True, 97)
    client.send_key(False, 97, 30)
    client.send_pointer(1, 2, 4)
    client.send_cut_text("h\u00e9")
    client.send_desktop_size(800, 600, SCREENS)
    said, events = exchange(client, server)
    assert events == [
        PixelFormatSet(BGRX),
        EncodingsSet(listed),
        UpdateRequested(True, WHOLE),
        ContinuousUpdatesSet(True, WHOLE),
        KeyPressed(97),
        KeyReleased(97, 30),
        PointerMoved(1, 2, 4),
        CutTextReceived("h\u00e9"),
        DesktopSizeRequested(800, 600, SCREENS),
        FenceReceived(1, b"\0"),
    ]
    assert said == [FenceSent(1 << 31 | 1, b"\0"), ContinuousUpdatesEnded()]


def test_kasms_pointer() -> None:
    client, server = connected(kasm=True)
    client.send_encodings([7, -1997])
    client.send_pointer(1, 2, 0, scroll_x=-3, scroll_y=4)
    _, events = exchange(client, server)
    assert events[1:] == [PointerMoved(1, 2, 0, -3, 4)]


def test_updates_counted_and_not() -> None:
    client, _ = connected()
    move = Received(Rect(0, 0, 5, 5), Encoding.COPY_RECT, b"\0\x01\0\x02")
    pixels = Received(Rect(0, 0, 2, 1), Encoding.RAW, b"12345678")
    client.receive_data(b"".join((
        update.update_header(2), update.rectangle(*move), update.rectangle(*pixels),
        update.update_header(None), update.rectangle(*pixels), update.last_rect(),
        update.update_header(0),
    )))
    assert list(client.events_received()) == [
        UpdateReceived((move, pixels), 40, counted=True),
        UpdateReceived((pixels,), 36, counted=False),
        UpdateReceived((), 4, counted=True),
    ]


def test_bell_text_and_kasms_messages() -> None:
    client, server = connected()
    server.send_bell()
    server.send_clipboard({"text/plain": b"hi"})
    said, _ = exchange(client, server)
    assert said == [BellRung(), CutTextSent(b"hi", extended=False)]
    client.send_encodings([-1997])
    exchange(client, server)
    server.send_user_joined("eve")
    said, _ = exchange(client, server)
    assert said == [KasmMessageSent(253, b"eve")]


INIT = bytes.fromhex("0320 0258 20180001 00ff 00ff 00ff 100800 000000 00000004") + b"desk"
GREETING = b"RFB 003.008\n\x01\x01" + bytes(4) + INIT


@pytest.mark.parametrize(
    "wire",
    [
        b"RFB 002.008\n",
        b"RFB 003.003\n\0\0\0\x02",
        b"RFB 003.003\n\0\0\0\0\0\0\0\x02no",
        b"RFB 003.008\n\x00\0\0\0\x02no",
        b"RFB 003.008\n\x02\x02\x13",
        b"RFB 003.008\n\x01\x01\0\0\0\x01\0\0\0\x02no",
        b"RFB 003.008\n\x01\x01\0\0\0\x01\xff\xff\xff\xff",
        GREETING[:-8] + b"\xff\xff\xff\xff",
        GREETING + b"\x04",
        GREETING + update.update_header(1) + update.rectangle(WHOLE, 99),
        GREETING + update.update_header(1) + update.rectangle(Rect(0, 0, 65535, 65535), 0),
        GREETING + b"\x03\0\0\0\x7f\xff\xff\xff",
        GREETING + b"\xb4\x01\0\0\0\x01\0\xff\xff\xff\xff",
    ],
)
def test_servers_that_lie(wire: bytes) -> None:
    client = ClientSession()
    with pytest.raises(ProtocolError):
        client.receive_data(wire)
        list(client.events_received())


def test_an_update_without_end_ends_it() -> None:
    client = ClientSession()
    client.receive_data(GREETING + update.update_header(None))
    led = update.led_state(1)
    with pytest.raises(ProtocolError, match="65535 rectangles"):
        client.receive_data(led * (limits.RECTANGLES + 2))
        list(client.events_received())


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=4))
def test_only_protocol_error_leaves_and_cuts_change_nothing(noise: bytes, cuts: list[int]) -> None:
    def play(segments: list[bytes]) -> tuple[list[Said], bool]:
        client, said = ClientSession(), []
        try:
            for segment in segments:
                client.receive_data(segment)
                for event in client.events_received():
                    said.append(event)
        except ProtocolError:
            return said, True
        return said, False

    wire = GREETING + b"\0\0\0\x03" + noise
    places = sorted(min(cut, len(wire)) for cut in cuts)
    segments = [wire[a:b] for a, b in zip([0, *places], [*places, len(wire)])]
    assert play(segments) == play([wire])
