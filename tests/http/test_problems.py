"""Problems: plain text or JSON, never markup."""

import json

from kasmd.http.problems import Problem


def test_text_is_the_default():
    content_type, body = Problem(403, "No <b>.").rendered(b"text/html,*/*")
    assert content_type == b"text/plain; charset=utf-8"
    assert body == b"403 Forbidden\nNo <b>.\n"


def test_json_for_those_who_ask():
    content_type, body = Problem(429, 'Say "when"\n.').rendered(b"application/json")
    assert content_type == b"application/problem+json"
    expected = {"status": 429, "title": "Too Many Requests", "detail": 'Say "when"\n.'}
    assert json.loads(body) == expected
