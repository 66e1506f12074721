"""Which other origins' pages may read answers."""

from __future__ import annotations

from kasmd.edge.cors import Cors
from kasmd.http.headers import parse_origin


class Asking:
    """As much of a request as CORS looks at."""

    def __init__(self, *origins: bytes) -> None:
        self._origins = list(origins)

    def values(self, name: bytes) -> list[bytes]:
        return self._origins if name == b"Origin" else []


ZONE = Cors([parse_origin("https://kasm.example.com"), parse_origin("https://a.test:8443")])


def allowed(cors: Cors, *origins: bytes) -> list[bytes]:
    fields = cors.fields(Asking(*origins))  # type: ignore[arg-type]
    return [value for name, value in fields if name == b"Access-Control-Allow-Origin"]


def test_an_origin_of_the_list_is_named_and_no_other() -> None:
    assert allowed(ZONE, b"https://kasm.example.com") == [b"https://kasm.example.com"]
    assert allowed(ZONE, b"https://a.test:8443") == [b"https://a.test:8443"]
    for origin in (
        b"https://evil.com",
        b"https://kasm.example.com.evil.com",
        b"https://evil-kasm.example.com",
        b"http://kasm.example.com",
        b"https://kasm.example.com:444",
        b"https://a.test",
        b"null",
        b"*",
        b"",
        b"https://kasm.example.com/",
    ):
        assert allowed(ZONE, origin) == [], origin


def test_two_origins_are_none() -> None:
    assert allowed(ZONE, b"https://a.test:8443", b"https://a.test:8443") == []


def test_caches_learn_that_the_answer_depends_on_the_origin() -> None:
    for origin in (b"https://evil.com", b"https://a.test:8443"):
        assert (b"Vary", b"Origin") in ZONE.fields(Asking(origin))  # type: ignore[arg-type]


def test_without_a_list_nothing_is_said() -> None:
    assert Cors([]).fields(Asking(b"https://a.test")) == []  # type: ignore[arg-type]


def test_a_preflight_is_answered_for_all_but_allows_only_the_list() -> None:
    for origin, named in ((b"https://a.test:8443", True), (b"https://evil.com", False)):
        answer = ZONE.preflight(Asking(origin))  # type: ignore[arg-type]
        names = [name for name, _ in answer.headers]
        assert answer.status == 204
        assert (b"Access-Control-Allow-Methods" in names) is named
        assert (b"Access-Control-Allow-Origin" in names) is named
        assert b"Allow" in names
