"""Failures of any face, as people and programs see them."""

import json
import re
from base64 import b64encode
from hashlib import sha256

import pytest

from kasmd.http.failures import FailurePage, Refusal, explained
from kasmd.http.faults import FAULTS
from kasmd.http.problems import Problem

BROWSER = b"text/html,application/xhtml+xml,*/*;q=0.8"


def page(problem=Problem(404, "There is nothing at this address.")):
    return FailurePage(problem, b"desktop", "id-1")


def said(problem):
    return json.loads(page(problem).rendered(b"application/json")[1])


def test_a_page_needs_nothing_else():
    content_type, body = page().rendered(BROWSER)
    assert content_type == b"text/html; charset=utf-8"
    style = re.search(b"<style>(.*)</style>", body, re.DOTALL)[1]
    policy = dict(page().headers)[b"Content-Security-Policy"]
    assert b"'sha256-%b'" % b64encode(sha256(style).digest()) in policy
    assert policy.startswith(b"default-src 'none'; ")
    assert not re.search(rb"<script|src=|url\(|style=", body)


def test_other_problems_keep_their_words_and_headers():
    shown = page(Problem(401, "Give a password.", [(b"WWW-Authenticate", b"Basic")]))
    assert shown.status == 401 and (b"WWW-Authenticate", b"Basic") in shown.headers
    assert json.loads(shown.rendered(b"json")[1])["detail"] == "Give a password."
    assert said(Problem(409, "It is there."))["title"] == "Conflict"
    assert page(shown).fault is shown.fault
    assert page(Refusal(FAULTS["busy"])).fault is FAULTS["busy"]


@pytest.mark.parametrize("problem, word", [
    (Problem(401, "A name and a password are needed."), "not-logged-in"),
    (Problem(403, "No."), "not-allowed"),
    (Problem(403, "Begin with https.", word="https-only"), "https-only"),
    (Problem(403, "Another site asked.", word="foreign-page"), "foreign-page"),
    (Problem(426, "Only 13."), "websocket-only"),
    (Problem(409, "It is there."), "refused"),
])
def test_a_problem_says_its_word_or_its_status_does(problem, word):
    told = said(problem)
    assert (told["code"], told["detail"]) == (word, problem.detail)
    assert page(problem).word == word


def test_nothing_is_said_twice():
    told = said(Problem(404, FAULTS["no-such-page"].title + "."))
    assert told["detail"] == FAULTS["no-such-page"].why


def test_what_is_said_is_text():
    body = page(Problem(404, "<script>alert(1)</script>")).rendered(BROWSER)[1]
    assert b"<script>" not in body and b"&lt;script&gt;" in body


def test_a_body_that_programs_rely_on_stays_as_it_is():
    class Bare(Problem):
        fixed = True

    bare = Bare(404, "Nothing.")
    assert explained(bare, b"desktop", "id-1") is bare
    assert explained(Problem(404, "Nothing."), b"desktop", "id-1").word == "no-such-page"
