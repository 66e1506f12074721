"""VeNCrypt, as transcripts: `kasmd.rfb.security`."""

import pytest

from kasmd.errors import ProtocolError
from kasmd.rfb.messages import CredentialsGiven, SharedRequested, TlsRequested
from kasmd.rfb.numbers import SecurityType
from kasmd.rfb.server import ServerSession

CREDENTIALS = b"\0\0\0\x03\0\0\0\x04bobpass"


def events(session: ServerSession, data: bytes) -> list[object]:
    session.receive_data(data)
    return list(session.events_received())


def before_tls(version: bytes = b"RFB 003.008\n", subtype: int = 262) -> ServerSession:
    session = ServerSession([SecurityType.VENCRYPT])
    asked = events(session, version + b"\x13\0\x02" + subtype.to_bytes(4, "big"))
    assert asked == [TlsRequested(certificate=subtype == 262)]
    return session


def logging_in(version: bytes = b"RFB 003.008\n") -> ServerSession:
    session = before_tls(version)
    session.tls_started()
    assert events(session, CREDENTIALS) == [CredentialsGiven("bob", "pass")]
    session.data_to_send()
    return session


def test_x509_plain() -> None:
    session = ServerSession([SecurityType.VENCRYPT])
    events(session, b"RFB 003.008\n")
    assert session.data_to_send() == [b"RFB 003.008\n", b"\x01\x13"]
    events(session, b"\x13")
    assert session.data_to_send() == [b"\0\x02"]
    events(session, b"\0\x02")
    assert session.data_to_send() == [b"\0", b"\x02\0\0\x01\x06\0\0\x01\x03"]
    assert events(session, b"\0\0\x01\x06") == [TlsRequested(certificate=True)]
    assert session.data_to_send() == [b"\x01"]
    session.tls_started()
    assert events(session, CREDENTIALS) == [CredentialsGiven("bob", "pass")]
    assert session.data_to_send() == []
    session.accept()
    assert session.data_to_send() == [bytes(4)]
    assert events(session, b"\x01") == [SharedRequested(True)]


def test_tls_plain_has_no_certificate() -> None:
    before_tls(subtype=259)


def test_a_refused_one_is_told_why_and_heard_no_more() -> None:
    session = logging_in()
    session.refuse("wrong")
    assert session.data_to_send() == [b"\0\0\0\x01\0\0\0\x05wrong"]
    assert events(session, b"\x01") == []
    with pytest.raises(RuntimeError):
        session.accept()
    with pytest.raises(RuntimeError):
        session.send_init(1, 1, "")


def test_3_7_is_refused_without_a_reason() -> None:
    session = logging_in(b"RFB 003.007\n")
    session.refuse("wrong")
    assert session.data_to_send() == [b"\0\0\0\x01"]


def test_nothing_goes_on_before_the_shell_has_accepted() -> None:
    session = logging_in()
    assert events(session, b"\x01") == []
    session.accept()
    assert list(session.events_received()) == [SharedRequested(True)]


@pytest.mark.parametrize("start_tls", [True, False])
def test_bytes_in_clear_behind_the_choice_are_an_injection(start_tls: bool) -> None:
    session = ServerSession([SecurityType.VENCRYPT])
    session.receive_data(b"RFB 003.008\n\x13\0\x02\0\0\x01\x06" + CREDENTIALS)
    with pytest.raises(ProtocolError, match="15 bytes in clear"):
        for event in session.events_received():
            assert event == TlsRequested(certificate=True)
            if start_tls:
                session.tls_started()


def test_bytes_in_clear_that_come_later_are_an_injection_too() -> None:
    session = before_tls()
    with pytest.raises(ProtocolError, match="in clear"):
        events(session, CREDENTIALS)


def test_tls_cannot_be_claimed_over_bytes_in_clear() -> None:
    session = before_tls()
    session.receive_data(CREDENTIALS)
    session.tls_started()
    with pytest.raises(ProtocolError, match="in clear"):
        list(session.events_received())


def test_answers_to_what_was_not_asked_are_errors_of_the_shell() -> None:
    session = ServerSession([SecurityType.VENCRYPT])
    for answer in (session.accept, session.tls_started, lambda: session.refuse("")):
        with pytest.raises(RuntimeError):
            answer()


@pytest.mark.parametrize("version", [b"\0\x01", b"\x01\0", b"\xff\xff"])
def test_other_versions_of_vencrypt_are_turned_away(version: bytes) -> None:
    session = ServerSession([SecurityType.VENCRYPT])
    with pytest.raises(ProtocolError, match="only 0.2"):
        events(session, b"RFB 003.008\n\x13" + version)
    assert session.data_to_send()[-1] == b"\xff"


@pytest.mark.parametrize("subtype", [0, 256, 257, 258, 260, 261, 0xFFFFFFFF])
def test_subtypes_without_log_in_or_tls_are_turned_away(subtype: int) -> None:
    session = ServerSession([SecurityType.VENCRYPT])
    with pytest.raises(ProtocolError, match="was not offered"):
        events(session, b"RFB 003.008\n\x13\0\x02" + subtype.to_bytes(4, "big"))
    assert session.data_to_send()[-1] == b"\0"


@pytest.mark.parametrize("lengths", [(1025, 0), (0, 1025), (0xFFFFFFFF, 0xFFFFFFFF)])
def test_long_names_and_passwords_are_not_waited_for(lengths: tuple[int, int]) -> None:
    session = before_tls()
    session.tls_started()
    with pytest.raises(ProtocolError, match="a name of"):
        events(session, b"".join(length.to_bytes(4, "big") for length in lengths))


@pytest.mark.parametrize(
    "wire, name", [(b"", ""), (b"j\xc3\xbcrg", "j\u00fcrg"), (b"\xff", "\ufffd")]
)
def test_names_are_utf_8(wire: bytes, name: str) -> None:
    session = before_tls()
    session.tls_started()
    given = events(session, len(wire).to_bytes(4, "big") + bytes(4) + wire)
    assert given == [CredentialsGiven(name, "")]
