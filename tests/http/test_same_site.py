"""Pages of other sites get nothing done (threats, group C; cross-site requests)."""

import pytest

from kasmd.http.headers import parse_origin
from kasmd.http.problems import Problem
from kasmd.http.proxies import Proxies
from kasmd.http.same_site import check_same_site
from kasmd.http.server import Request

ALLOWED = {parse_origin("https://portal.example")}
OURS = b"https://desk:8443"


class Nowhere:
    """A channel that leads nowhere."""

    transport = None

    def __init__(self, secure):
        self.secure = secure
        self.factory = self
        self.proxies = Proxies()

    def getPeer(self):
        return None

    getHost = getPeer

    def isSecure(self):
        return self.secure


def check(headers, secure=True):
    request = Request(Nowhere(secure))
    for name, values in {b"Host": [b"desk:8443"], **headers}.items():
        for value in values:
            request.requestHeaders.addRawHeader(name, value)
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
    assert caught.value.status == (403 if len(origin) == 1 else 400)


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
