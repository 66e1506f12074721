"""Pages of other sites get nothing done (threats, group C; cross-site requests)."""

import pytest
from twisted.internet.task import Clock

from kasmd.h1.fields import Fields
from kasmd.h1.head import HTTP_1_1, RequestHead
from kasmd.http.headers import parse_origin
from kasmd.http.problems import Problem
from kasmd.http.same_site import check_same_site
from kasmd.http.server import HttpFactory, Limits, Request

ALLOWED = {parse_origin("https://portal.example")}
OURS = b"https://desk:8443"


class Nowhere:
    """A channel that leads nowhere."""

    peer_address = ""

    def __init__(self, secure):
        self.secure = secure
        self.factory = HttpFactory(Clock(), None, (), Limits())


def check(headers, secure=True):
    wanted = {b"Host": [b"desk:8443"], **headers}
    fields = Fields((name, value) for name, values in wanted.items() for value in values)
    request = Request(Nowhere(secure), RequestHead(b"GET", b"/", HTTP_1_1, fields))
    check_same_site(request, ALLOWED)


@pytest.mark.parametrize("origin", [[], [OURS], [b"https://portal.example:443"]])
def test_welcome_origins(origin):
    check({b"Origin": origin})


@pytest.mark.parametrize(
    "origin",
    [
        [b"null"],
        [b""],
        [b"https://evil.example"],
        [b"https://portal.example.evil"],
        [b"https://evil-portal.example"],
        [b"https://portal.example@evil"],
        [b"http://portal.example"],
        [b"http://desk:8443"],
        [b"https://desk"],
        [b"https://desk:8443/x"],
        [OURS, OURS],
    ],
)
def test_foreign_origins(origin):
    with pytest.raises(Problem) as caught:
        check({b"Origin": origin})
    told = (403, "foreign-page") if len(origin) == 1 else (400, "")
    assert (caught.value.status, caught.value.word) == told


def test_a_plain_connection_takes_both_for_a_proxy_may_speak_tls():
    for origin in (OURS, b"http://desk:8443"):
        check({b"Origin": [origin]}, secure=False)


@pytest.mark.parametrize("site", [b"none", b"same-origin"])
def test_what_the_person_or_our_page_asks_for(site):
    check({b"Sec-Fetch-Site": [site]})
    check({b"Sec-Fetch-Site": [site], b"Origin": [OURS]})


@pytest.mark.parametrize("site", [b"cross-site", b"same-site", b"something new"])
def test_what_another_site_asks_for(site):
    for headers in ({}, {b"Origin": [OURS]}):
        with pytest.raises(Problem) as caught:
            check({b"Sec-Fetch-Site": [site], **headers})
        assert caught.value.status == 403
    check({b"Sec-Fetch-Site": [site], b"Origin": [b"https://portal.example"]})
