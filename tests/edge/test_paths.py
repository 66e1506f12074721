"""Paths that everybody reads alike, and all the others (threats.md, group D)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.edge.paths import Place, check_path, place_of
from kasmd.http.problems import Problem


@pytest.mark.parametrize("path", [
    b"/", b"/desktop/a/", b"/desktop/a/vnc.html", b"/desktop/a/app/images/a%20b%C3%A9.svg",
    b"/desktop/a/x;v=1", b"/desktop/a/...", b"/desktop/a/.hidden", b"/desktop/a/a..b",
    b"/desktop/a/100%25", b"/desktop/a/~u/@b:c+d,e=f&g!h'(i)*$",
])
def test_good_paths(path: bytes) -> None:
    check_path(path)


@pytest.mark.parametrize("path", [
    b"", b"desktop", b"*", b"/desktop/a/..", b"/desktop/a/../b/", b"/desktop/a/.", b"/desktop/./a",
    b"/desktop/a/..;/b", b"/desktop/a/.;x/b", b"/desktop/a/%2e%2e/b", b"/desktop/a/%2E%2e%2f",
    b"/desktop/a/.%2e/", b"/desktop/a/%252e%252e/", b"/desktop/a/%25252e/", b"/desktop/a%2fb/",
    b"/desktop/a%5Cb", b"/desktop/a\\..\\b", b"//desktop/a", b"/desktop//a", b"/desktop/a//b",
    b"/desktop/a/%00", b"/desktop/a/%0d%0aX:y", b"/desktop/a/%2500", b"/desktop/a/%7f", b"/a\x00b",
    b"/a b", b"/a\xc3\xa9", b"/a%", b"/a%4", b"/a%zz", b"/a%c0%ae%c0%ae/", b"/a%ff", b'/a"b',
    b"/a<b>", b"/a#b", b"/a?b", b"/a|b", b"/a^b", b"/a`b", b"/a{b}", b"/a%u002e/",
    b"/desktop/a/%ed%a0%80",
])
def test_bad_paths(path: bytes) -> None:
    with pytest.raises(Problem) as caught:
        check_path(path)
    assert caught.value.status == 400


@pytest.mark.parametrize("path, place", [
    (b"/desktop/a/", Place("a", b"/")),
    (b"/desktop/a", Place("a", b"")),
    (b"/desktop/A-1_b/vnc/x", Place("A-1_b", b"/vnc/x")),
    (b"/desktop/" + b"x" * 128 + b"/", Place("x" * 128, b"/")),
    (b"/desktop/" + b"x" * 129 + b"/", None),
    (b"/desktop/", None),
    (b"/desktop", None),
    (b"/desktop/-a/", None),
    (b"/desktop/a.b/", None),
    (b"/desktop/a%62/", None),
    (b"/desktop/a;b/", None),
    (b"/kasm/desktop/a/", None),
    (b"/Desktop/a/", None),
])
def test_places(path: bytes, place: object) -> None:
    assert place_of(path, b"/desktop/") == place


def test_below_a_prefix() -> None:
    assert place_of(b"/kasm/desktop/a/b", b"/kasm/desktop/") == Place("a", b"/b")


@given(st.binary(max_size=60))
def test_what_passes_means_one_thing(tail: bytes) -> None:
    path = b"/desktop/a/" + tail
    try:
        check_path(path)
    except Problem:
        return
    assert b"//" not in path and b"\\" not in path and b"\0" not in path
    assert not {b".", b".."} & set(path.split(b"/"))
    assert place_of(path, b"/desktop/") == Place("a", b"/" + tail)
