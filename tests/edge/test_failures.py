"""Failures as people and programs see them."""

import json
import re
from base64 import b64encode
from hashlib import sha256
from html import unescape

import pytest

from kasmd.edge.failures import FailurePage, refusal
from kasmd.edge.faults import FAULTS
from kasmd.http.problems import Problem

BROWSER = b"text/html,application/xhtml+xml,*/*;q=0.8"


def page(problem=None):
    return FailurePage(problem or refusal("session-starting"), b"edge.one", "id-1")


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


def test_a_page_needs_nothing_else():
    content_type, body = page().rendered(BROWSER)
    assert content_type == b"text/html; charset=utf-8"
    style = re.search(b"<style>(.*)</style>", body, re.DOTALL)[1]
    policy = dict(page().headers)[b"Content-Security-Policy"]
    assert b"'sha256-%b'" % b64encode(sha256(style).digest()) in policy
    assert policy.startswith(b"default-src 'none'; ")
    assert not re.search(rb"<script|src=|url\(|style=", body)


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


def test_what_others_said_is_text():
    shown = page(refusal("cookie-conflict", detail="<b>name\r\n\x1b[1m"))
    html = shown.rendered(BROWSER)[1]
    assert b"<b>" not in html and b"&lt;b&gt;name\\x0d\\x0a\\x1b[1m" in html
    assert b"\x1b" not in shown.rendered(b"")[1]


def test_other_problems_keep_their_words_and_headers():
    shown = page(Problem(401, "Give a password.", [(b"WWW-Authenticate", b"Basic")]))
    assert shown.status == 401 and (b"WWW-Authenticate", b"Basic") in shown.headers
    assert json.loads(shown.rendered(b"json")[1])["detail"] == "Give a password."
    assert json.loads(page(Problem(426, "Only 13.")).rendered(b"json")[1])["title"] == (
        "Upgrade Required"
    )
    assert page(shown).fault is shown.fault


@pytest.mark.parametrize("problem, word", [
    (Problem(401, "A name and a password are needed."), "not-logged-in"),
    (Problem(403, "No."), "not-allowed"),
    (Problem(403, "Begin with https.", word="https-only"), "https-only"),
    (Problem(403, "Another site asked.", word="foreign-page"), "foreign-page"),
    (Problem(426, "Only 13."), "refused"),
])
def test_a_problem_says_its_word_or_its_status_does(problem, word):
    said = json.loads(page(problem).rendered(b"json")[1])
    assert (said["code"], said["detail"]) == (word, problem.detail)
    assert page(problem).word == word


def test_nothing_is_said_twice():
    detail = json.loads(page(Problem(404, FAULTS["no-such-page"].title + ".")).rendered(b"json")[1])
    assert detail["detail"] == FAULTS["no-such-page"].why
    assert refusal("auth-service-down", detail="Connection refused.").detail.endswith("refused.")
    assert not refusal("auth-service-down", detail="Refused.").detail.endswith("..")
