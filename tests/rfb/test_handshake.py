"""The first bytes of a connection, as transcripts: `kasmd.rfb.handshake`."""

import pytest

from kasmd.errors import ProtocolError
from kasmd.rfb.handshake import refusal
from kasmd.rfb.limits import WAITING
from kasmd.rfb.messages import KeyPressed, SharedRequested
from kasmd.rfb.numbers import SecurityType
from kasmd.rfb.server import ServerSession

INIT = bytes.fromhex("0320 0258 20180001 00ff 00ff 00ff 100800 000000 00000004") + b"desk"


def events(session: ServerSession, data: bytes) -> list[object]:
    session.receive_data(data)
    return list(session.events_received())


def test_3_8() -> None:
    session = ServerSession()
    assert session.data_to_send() == [b"RFB 003.008\n"]
    assert events(session, b"RFB 003.008\n") == []
    assert session.data_to_send() == [b"\x01\x01"]
    assert events(session, b"\x01") == []
    assert session.data_to_send() == [b"\0\0\0\0"]
    assert events(session, b"\x01") == [SharedRequested(True)]
    session.send_init(800, 600, "desk")
    assert session.data_to_send() == [INIT]
    assert events(session, b"\x04\x01\0\0\0\0\0a") == [KeyPressed(97)]


def test_3_7_has_no_result_for_none() -> None:
    session = ServerSession()
    assert events(session, b"RFB 003.007\n\x01\0") == [SharedRequested(False)]
    session.send_init(800, 600, "desk")
    assert session.data_to_send() == [b"RFB 003.008\n", b"\x01\x01", INIT]


def test_3_3_is_told_its_security() -> None:
    session = ServerSession()
    assert events(session, b"RFB 003.003\n\xff") == [SharedRequested(True)]
    session.send_init(800, 600, "desk")
    assert session.data_to_send() == [b"RFB 003.008\n", b"\0\0\0\x01", INIT]


@pytest.mark.parametrize(
    "version, sent",
    [
        (b"RFB 003.889\n", b"\x01\x01"),
        (b"RFB 003.009\n", b"\x01\x01"),
        (b"RFB 003.005\n", b"\0\0\0\x01"),
        (b"RFB 003.000\n", b"\0\0\0\x01"),
    ],
)
def test_other_minor_versions_are_clamped(version: bytes, sent: bytes) -> None:
    session = ServerSession()
    events(session, version)
    assert session.data_to_send()[1] == sent


@pytest.mark.parametrize(
    "line",
    [b"RFB 999.999\n", b"RFB 004.001\n", b"GET / HTTP/1", b"RFB 003.008 ", b"RFB 00\xb3.008\n"],
)
def test_other_lines_end_it(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        events(ServerSession(), line)


def test_a_type_that_was_not_offered_ends_it() -> None:
    with pytest.raises(ProtocolError, match="security type 2 was not offered"):
        events(ServerSession(), b"RFB 003.008\n\x02")


def test_none_cannot_be_chosen_where_it_was_not_offered() -> None:
    session = ServerSession([SecurityType.VENCRYPT])
    with pytest.raises(ProtocolError, match="security type 1 was not offered"):
        events(session, b"RFB 003.008\n\x01\x01")
    assert session.data_to_send() == [b"RFB 003.008\n", b"\x01\x13"]


def test_3_3_cannot_log_in_and_is_told_so() -> None:
    session = ServerSession([SecurityType.VENCRYPT])
    with pytest.raises(ProtocolError):
        events(session, b"RFB 003.003\n")
    refused = session.data_to_send()[1]
    assert refused[:4] == bytes(4)
    assert refused[8:].startswith(b"RFB 3.3 cannot log in")


def test_messages_wait_for_server_init() -> None:
    session = ServerSession()
    said = []
    session.receive_data(b"RFB 003.008\n\x01\x01" + b"\x04\x01\0\0\0\0\0a")
    for event in session.events_received():
        said.append(event)
        if isinstance(event, SharedRequested):
            session.send_init(1, 1, "")
    assert said == [SharedRequested(True), KeyPressed(97)]


def test_who_talks_on_before_server_init_meets_a_ceiling() -> None:
    session = ServerSession()
    assert events(session, b"RFB 003.008\n\x01\x01") == [SharedRequested(True)]
    assert events(session, bytes(WAITING)) == []
    with pytest.raises(ProtocolError, match="before their turn"):
        events(session, b"\0")


def test_nothing_is_said_before_server_init() -> None:
    with pytest.raises(RuntimeError):
        ServerSession().send_bell()


def test_server_init_is_sent_once_and_when_asked() -> None:
    session = ServerSession()
    with pytest.raises(RuntimeError):
        session.send_init(1, 1, "")
    events(session, b"RFB 003.008\n\x01\x01")
    session.send_init(1, 1, "")
    with pytest.raises(RuntimeError):
        session.send_init(1, 1, "")


def test_only_3_8_is_told_why() -> None:
    assert refusal((3, 8), "no") == b"\0\0\0\x01\0\0\0\x02no"
    assert refusal((3, 7), "no") == b"\0\0\0\x01"
