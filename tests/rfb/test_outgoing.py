"""What is said to whom: `kasmd.rfb.outgoing`."""

from typing import Callable

import pytest

from kasmd.rfb import clipboard
from kasmd.rfb.client import ClientSession, Connected, KasmMessageSent
from kasmd.rfb.kasm import VideoEncoder
from kasmd.rfb.limits import Limits
from kasmd.rfb.outgoing import Outgoing
from kasmd.rfb.server import ServerSession

KASM_LISTED = (7, -224, -1885, -1884)


def connected(*listed: int, limits: Limits = Limits()) -> ServerSession:
    """A session whose viewer listed these; what was said so far is gone."""
    client, session = ClientSession(), ServerSession(limits=limits)
    client.send_encodings(listed)
    encodings = client.data_to_send()
    session.receive_data(b"RFB 003.008\n\x01\x01" + b"".join(encodings))
    for event in session.events_received():
        if type(event).__name__ == "SharedRequested":
            session.send_init(800, 600, "desk")
    session.data_to_send()
    return session


KASMS: list[tuple[Callable[[Outgoing], None], int]] = [
    (lambda session: session.send_disconnect_notice("bye", True), 186),
    (lambda session: session.send_user_joined("eve"), 253),
    (lambda session: session.send_user_left("eve"), 254),
    (lambda session: session.send_video_encoders(()), 184),
    (lambda session: session.send_video_encoders([VideoEncoder(-1027, 0, 50)]), 184),
    (lambda session: session.send_relay_refused(), 182),
    (lambda session: session.send_stats("[]"), 178),
    (lambda session: session.send_network_stats("[]"), 190),
    (lambda session: session.send_system_stats("{}"), 191),
    (lambda session: session.send_frame_stats_request(), 179),
    (lambda session: session.send_clipboard({"text/plain": b"hi"}), 180),
]


@pytest.mark.parametrize("say, number", KASMS)
def test_kasms_messages_reach_kasms_client_whole(
    say: Callable[[Outgoing], None], number: int
) -> None:
    session = connected(*KASM_LISTED)
    say(session)
    (item,) = session.data_to_send()
    client = ClientSession(kasm=True)
    client.receive_data(b"RFB 003.008\n\x01\x01" + bytes(4) + INIT + item)
    arrived = [event for event in client.events_received() if not isinstance(event, Connected)]
    assert [event.number for event in arrived if isinstance(event, KasmMessageSent)] == [number]


INIT = bytes.fromhex("0320 0258 20180001 00ff 00ff 00ff 100800 000000 00000000")


def latency(session: Outgoing) -> None:
    """Answer a probe, which no client of ours knows."""
    session.send_latency(7)


def test_a_latency_probes_answer() -> None:
    session = connected(*KASM_LISTED)
    latency(session)
    assert session.data_to_send() == [b"\xbd\0\0\0\0\0\0\x07"]


@pytest.mark.parametrize("say", [*(say for say, _ in KASMS[:-1]), latency])
def test_kasms_messages_never_reach_others(say: Callable[[Outgoing], None]) -> None:
    session = connected(7, -224)
    say(session)
    assert session.data_to_send() == []


def test_notices_are_for_those_who_listed_them() -> None:
    session = connected(7, -1997)
    session.send_disconnect_notice("bye", False)
    assert session.data_to_send() == []


def test_bells_are_for_all() -> None:
    session = connected(7)
    session.send_bell()
    session.send_end_of_continuous_updates()
    assert session.data_to_send() == [b"\x02", b"\x96"]
    assert session.data_to_send() == []


def test_plain_clipboards_are_latin_1() -> None:
    session = connected(7)
    session.send_clipboard({"text/plain": "\u00e9\u20ac".encode(), "text/html": b"<b>"})
    session.send_clipboard({"image/png": b"png"})
    session.send_clipboard({})
    assert session.data_to_send() == [b"\x03\0\0\0\0\0\0\x02\xe9?", b"\x03\0\0\0\0\0\0\0"]


def test_kasms_clipboards_are_numbered() -> None:
    session = connected(*KASM_LISTED)
    session.send_clipboard({"text/plain": b"a", "text/html": b"b"})
    session.send_clipboard({})
    first, second = session.data_to_send()
    assert first[:6] == b"\xb4\x02\0\0\0\x01"
    assert second == b"\xb4\x01\0\0\0\x03\x0atext/plain\0\0\0\0"


def test_a_clipboard_has_a_ceiling() -> None:
    session = connected(*KASM_LISTED, limits=Limits(clipboard=5))
    session.send_clipboard({"a/1": b"123456", "a/2": b"123", "a/3": b"123", "a/4": b"12"})
    (item,) = session.data_to_send()
    assert item[1] == 2
    assert b"a/2" in item and b"a/4" in item


def test_the_extended_clipboard_has_a_ceiling_of_its_own() -> None:
    session = connected(-1063131698, limits=Limits(inflated=5))
    for size, formats in ((5, 1), (6, 0)):
        session.send_clipboard({"text/plain": bytes(size)})
        assert session.data_to_send() == [clipboard.message(0x08000000 | formats)]
