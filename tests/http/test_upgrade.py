"""Which requests ask for a websocket, and which of these are well formed."""

from typing import NamedTuple

import pytest

from kasmd.h1.body import CHUNKED, EMPTY, Framing
from kasmd.h1.fields import Fields
from kasmd.http.problems import Problem
from kasmd.http.upgrade import accept_of, asks_for_websocket, check_handshake

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="


class Asked(NamedTuple):
    """What of a request counts here."""

    fields: Fields
    method: bytes = b"GET"
    version: bytes = b"HTTP/1.1"
    framing: Framing = EMPTY

    def value(self, name):
        return self.fields.get(name.lower())


def asked(*more, upgrade=b"websocket", connection=b"Upgrade", version=b"13", key=KEY):
    return Fields((
        (b"Upgrade", upgrade), (b"Connection", connection),
        (b"Sec-WebSocket-Version", version), (b"Sec-WebSocket-Key", key), *more,
    ))  # fmt: skip


def test_only_what_both_fields_say_in_http_1_1_is_asked():
    assert asks_for_websocket(Asked(asked()))
    assert asks_for_websocket(Asked(asked(upgrade=b"h2c, WebSocket", connection=b"x,UPGRADE")))
    assert not asks_for_websocket(Asked(asked(upgrade=b"h2c")))
    assert not asks_for_websocket(Asked(asked(connection=b"keep-alive")))
    assert not asks_for_websocket(Asked(asked(), version=b"HTTP/1.0"))
    assert not asks_for_websocket(Asked(Fields()))


def test_the_example_of_the_standard():
    assert check_handshake(Asked(asked())) == KEY
    assert accept_of(KEY) == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@pytest.mark.parametrize(
    "request_, status",
    (
        (Asked(asked(), method=b"POST"), 400),
        (Asked(asked(), framing=Framing(1)), 400),
        (Asked(asked(), framing=CHUNKED), 400),
        (Asked(asked(version=b"8")), 426),
        (Asked(asked(version=b"")), 426),
        (Asked(asked(key=b"short")), 400),
        (Asked(asked(key=b"")), 400),
    ),
)
def test_what_is_not_well_formed_is_refused(request_, status):
    with pytest.raises(Problem) as raised:
        check_handshake(request_)
    assert raised.value.status == status
    assert (b"Connection", b"close") in raised.value.headers
