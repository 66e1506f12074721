"""Every way in, ours against scripts of servers: versions, types, VncAuth, VeNCrypt."""

from __future__ import annotations

import pytest

from kasmd.errors import ProtocolError
from kasmd.rfb.client import ClientSession
from kasmd.rfb.client_handshake import Credentials, Refused, encrypted
from kasmd.rfb.said import Connected, Said, TlsAgreed
from kasmd.rfb.standard import server_init
from kasmd.screen.pixels import BGRX

INIT = server_init(8, 6, BGRX, "desk")
OK = bytes(4)
CHALLENGE = bytes(range(16))
ANSWER = encrypted(CHALLENGE, "secret")
EVERYTHING = Credentials((262, 261, 260, 259, 258, 257, 2, 1), "secret", "ann")
ANONYMOUS = EVERYTHING._replace(password=None)


def vencrypt(*subtypes: int) -> bytes:
    listed = b"".join(subtype.to_bytes(4, "big") for subtype in subtypes)
    return b"\x01\x13\x00\x02\x00" + bytes([len(subtypes)]) + listed + b"\x01"


def play(session: ClientSession, wire: bytes) -> list[Said]:
    session.receive_data(wire)
    return list(session.events_received())


def enter(credentials: Credentials, wire: bytes, behind_tls: bytes = b"") -> bytes:
    """Give what is said on the way in, up to ClientInit."""
    session = ClientSession(credentials=credentials)
    said = play(session, wire)
    if behind_tls:
        assert isinstance(said[-1], TlsAgreed)
        assert play(session, b"") == []
        session.tls_started()
        said = play(session, behind_tls)
    assert isinstance(said[-1], Connected)
    answered = b"".join(session.data_to_send())
    assert answered[-1:] == b"\x01"
    return answered[12:-1]


def test_a_known_answer() -> None:
    """As OpenSSL's DES-ECB gives it."""
    assert encrypted(bytes(8), "password").hex() == "ff97502e9422f089"
    assert encrypted(bytes(8), "password and more") == encrypted(bytes(8), "password")


@pytest.mark.parametrize(
    ("credentials", "wire", "answered"),
    [
        (ANONYMOUS, b"RFB 003.008\n\x02\x02\x01" + OK + INIT, b"\x01"),
        (ANONYMOUS, b"RFB 003.007\n\x01\x01" + INIT, b"\x01"),
        (ANONYMOUS, b"RFB 003.003\n\0\0\0\x01" + INIT, b""),
        (ANONYMOUS, b"RFB 005.000\n\x01\x01" + OK + INIT, b"\x01"),
        (EVERYTHING, b"RFB 003.889\n\x02\x1e\x02" + CHALLENGE + OK + INIT, b"\x02" + ANSWER),
        (EVERYTHING, b"RFB 003.007\n\x02\x01\x02" + CHALLENGE + OK + INIT, b"\x02" + ANSWER),
        (EVERYTHING, b"RFB 003.003\n\0\0\0\x02" + CHALLENGE + OK + INIT, ANSWER),
    ],
)
def test_without_tls(credentials: Credentials, wire: bytes, answered: bytes) -> None:
    assert enter(credentials, wire) == answered


@pytest.mark.parametrize(
    ("subtypes", "chosen", "challenge", "proof"),
    [
        ((257, 260), 260, b"", b""),
        ((258, 257), 258, CHALLENGE, ANSWER),
        ((261, 258), 261, CHALLENGE, ANSWER),
        ((259,), 259, b"", b"\0\0\0\x03\0\0\0\x06annsecret"),
        ((256, 262), 262, b"", b"\0\0\0\x03\0\0\0\x06annsecret"),
    ],
)
def test_vencrypt(subtypes: tuple[int, ...], chosen: int, challenge: bytes, proof: bytes) -> None:
    answered = enter(EVERYTHING, b"RFB 003.008\n" + vencrypt(*subtypes), challenge + OK + INIT)
    assert answered == b"\x13\x00\x02" + chosen.to_bytes(4, "big") + proof


def test_the_certificate_is_told() -> None:
    for subtype, certificate in ((257, False), (260, True)):
        session = ClientSession(credentials=EVERYTHING)
        said = play(session, b"RFB 003.008\n" + vencrypt(subtype))
        assert said == [TlsAgreed(certificate)]


@pytest.mark.parametrize(
    ("credentials", "wire"),
    [
        (ANONYMOUS, b"\x01\x02"),
        (ANONYMOUS, b"\x01\x00"),
        (ANONYMOUS, vencrypt(258, 262)),
        (EVERYTHING, vencrypt(256)),
        (EVERYTHING._replace(ways=(262, 261)), b"\x02\x01\x02"),
        (EVERYTHING._replace(ways=(262, 261)), vencrypt(257, 258, 259)),
        (EVERYTHING, b"\x01\x13\x00\x02\x01"),
        (EVERYTHING, b"\x01\x13\x00\x02\x00\x01\0\0\x01\x01\x00"),
        (EVERYTHING, b"\x01\x02" + CHALLENGE + b"\0\0\0\x01\0\0\0\x03no!"),
    ],
)
def test_what_is_not_allowed_is_refused(credentials: Credentials, wire: bytes) -> None:
    """So nobody in the middle can talk us out of TLS."""
    with pytest.raises(Refused):
        play(ClientSession(credentials=credentials), b"RFB 003.008\n" + wire)


@pytest.mark.parametrize("wire", [b"\x01\x13\x00\x01", vencrypt(260) + b"clear"])
def test_what_no_server_says(wire: bytes) -> None:
    with pytest.raises(ProtocolError):
        play(ClientSession(credentials=EVERYTHING), b"RFB 003.008\n" + wire)
