"""Which requests may become websockets (threats, group C)."""

import pytest
from twisted.internet.task import Clock

from kasmd.h1.fields import Fields
from kasmd.h1.head import RequestHead
from kasmd.http.problems import Problem
from kasmd.http.server import HttpFactory, Limits, Request
from kasmd.web.handshake import check_upgrade, choose_subprotocol

GOOD = {
    b"Host": [b"desk:8443"],
    b"Upgrade": [b"websocket"],
    b"Connection": [b"Upgrade"],
    b"Sec-WebSocket-Version": [b"13"],
    b"Sec-WebSocket-Key": [b"dGhlIHNhbXBsZSBub25jZQ=="],
}


class Nowhere:
    """A channel that leads nowhere."""

    secure = True
    peer_address = ""

    def __init__(self):
        self.factory = HttpFactory(Clock(), None, (), Limits())


def request(changes=None, version=b"HTTP/1.1", method=b"GET"):
    wanted = {**GOOD, **(changes or {})}
    fields = Fields((name, value) for name, values in wanted.items() for value in values)
    return Request(Nowhere(), RequestHead(method, b"/websockify", version, fields))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {b"Connection": [b"keep-alive, Upgrade"]},
        {b"Connection": [b"keep-alive", b"upgrade"]},
        {b"Upgrade": [b"WebSocket"]},
        {b"Upgrade": [b"h2c,  websocket"]},
        {b"Sec-WebSocket-Extensions": [b"permessage-deflate; client_max_window_bits"]},
    ],
)
def test_well_formed(changes):
    assert check_upgrade(request(changes)) == GOOD[b"Sec-WebSocket-Key"][0]


@pytest.mark.parametrize(
    "changes, status",
    [
        ({b"Upgrade": []}, 426),
        ({b"Upgrade": [b"websockets"]}, 426),
        ({b"Connection": []}, 400),
        ({b"Connection": [b"keep-alive"]}, 400),
        ({b"Sec-WebSocket-Version": []}, 426),
        ({b"Sec-WebSocket-Version": [b"8"]}, 426),
        ({b"Sec-WebSocket-Version": [b"13, 8"]}, 426),
        ({b"Sec-WebSocket-Version": [b"13", b"13"]}, 400),
        ({b"Sec-WebSocket-Key": []}, 400),
        ({b"Sec-WebSocket-Key": [b"short=="]}, 400),
        ({b"Sec-WebSocket-Key": [b"dGhlIHNhbXBsZSBub25jZQ==x"]}, 400),
        ({b"Sec-WebSocket-Key": [b"dGhlIHNhbXBsZSBub25j!Q=="]}, 400),
        ({b"Sec-WebSocket-Key": GOOD[b"Sec-WebSocket-Key"] * 2}, 400),
    ],
)
def test_malformed(changes, status):
    with pytest.raises(Problem) as caught:
        check_upgrade(request(changes))
    assert caught.value.status == status


def test_a_wrong_version_hears_the_right_one():
    with pytest.raises(Problem) as caught:
        check_upgrade(request({b"Sec-WebSocket-Version": [b"7"]}))
    assert (b"Sec-WebSocket-Version", b"13") in caught.value.headers


@pytest.mark.parametrize("kind", [{"version": b"HTTP/1.0"}, {"method": b"HEAD"}])
def test_only_get_of_http_1_1(kind):
    with pytest.raises(Problem) as caught:
        check_upgrade(request(**kind))
    assert caught.value.status == 400


@pytest.mark.parametrize(
    "offered, chosen",
    [
        ([], None),
        ([b"binary"], b"binary"),
        ([b"base64, binary"], b"binary"),
        ([b"base64", b"Binary"], b"binary"),
    ],
)
def test_subprotocol(offered, chosen):
    assert choose_subprotocol(request({b"Sec-WebSocket-Protocol": offered})) == chosen


@pytest.mark.parametrize("offered", [[b"base64"], [b""], [b"chat, superchat"]])
def test_other_subprotocols_are_refused(offered):
    with pytest.raises(Problem):
        choose_subprotocol(request({b"Sec-WebSocket-Protocol": offered}))
