"""Failures on the way to a desktop: each by its word, and which hop it was for other proxies."""

import json
from html import unescape

import pytest

from kasmd.edge.failures import HopFailure, refusal
from kasmd.edge.faults import FAULTS
from kasmd.http.problems import Problem

BROWSER = b"text/html,application/xhtml+xml,*/*;q=0.8"


def page(problem=None):
    return HopFailure(problem or refusal("session-starting"), b"edge.one", "id-1")


@pytest.mark.parametrize("word", FAULTS)
def test_each_says_which_hop_and_which_request(word):
    shown = page(refusal(word))
    content_type, body = shown.rendered(b"application/json")
    assert content_type == b"application/problem+json"
    said = json.loads(body)
    fault = FAULTS[word]
    assert said == {
        "status": fault.status, "title": fault.title, "detail": fault.why, "code": word,
        "remedy": fault.remedy, "hop": "edge.one", "request_id": "id-1",
    }  # fmt: skip
    for accept in (BROWSER, b"*/*", b""):
        text = unescape(shown.rendered(accept)[1].decode())
        assert all(told in text for told in (word, "edge.one", "id-1", fault.title))


def test_a_desktop_that_starts_is_asked_for_again():
    shown = page()
    assert (b"Retry-After", b"3") in shown.headers
    assert b'http-equiv="refresh" content="3"' in shown.rendered(BROWSER)[1]
    assert b"refresh" not in page(refusal("no-cookie")).rendered(BROWSER)[1]


def test_proxy_status_names_the_hop_and_the_kind():
    headers = dict(page(refusal("upstream-refused")).headers)
    assert headers[b"Proxy-Status"] == (
        b'edge.one; error=connection_refused; details="upstream-refused"'
    )
    assert b"Proxy-Status" not in dict(page(Problem(404, "x")).headers)
    odd = HopFailure(refusal("loop"), b"one edge", "id-1")
    assert dict(odd.headers)[b"Proxy-Status"].startswith(b'"one edge"; error=')


def test_what_others_said_is_text():
    shown = page(refusal("cookie-conflict", detail="<b>name\r\n\x1b[1m"))
    html = shown.rendered(BROWSER)[1]
    assert b"<b>" not in html and b"&lt;b&gt;name\\x0d\\x0a\\x1b[1m" in html
    assert b"\x1b" not in shown.rendered(b"")[1]


def test_a_limit_is_named_by_the_fault_or_by_who_raises_it():
    assert refusal("upstream-busy").limit == "upstream_connections"
    assert refusal("upstream-busy", limit="logins").limit == "logins"
    assert refusal("loop").limit == ""


def test_nothing_is_said_twice():
    assert refusal("auth-service-down", detail="Connection refused.").detail.endswith("refused.")
    assert not refusal("auth-service-down", detail="Refused.").detail.endswith("..")
