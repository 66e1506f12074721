"""The control plane's cookies."""

from __future__ import annotations

import pytest

from kasmd.edge.cookies import (
    CookieConflict,
    clearing,
    cookie_field,
    fingerprint,
    kasm_cookies,
    pairs,
)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([], []),
        ([b""], []),
        ([b"a=1; b=2"], [(b"a", b"1"), (b"b", b"2")]),
        ([b"a=1;b=2", b"a=3"], [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]),
        ([b"a = 1 ;;; b"], [(b"a", b"1")]),
        ([b'q="x=y"'], [(b"q", b'"x=y"')]),
        ([b"a="], [(b"a", b"")]),
    ],
)
def test_cookies_are_read_pair_by_pair(
    lines: list[bytes], found: list[tuple[bytes, bytes]]
) -> None:
    assert pairs(lines) == found


def test_only_the_control_planes_are_passed_on_in_their_order() -> None:
    cookies = kasm_cookies([b"theme=dark; session_token=t; kasm_client_key=k; x=y; username=ada"])
    assert cookie_field(cookies) == (b"Cookie", b"username=ada; session_token=t; kasm_client_key=k")


def test_a_name_that_only_looks_alike_is_another() -> None:
    others = b'Username=a; usernames=b; xusername=c; "username"=d; $username=e; username'
    assert kasm_cookies([others]) == {}


def test_hundreds_of_others_and_large_ones_do_not_matter() -> None:
    others = b"; ".join(b"c%d=%b" % (number, b"x" * 40) for number in range(300))
    line = others + b"; username=ada; " + others + b"; session_token=" + b"t" * 8192
    assert kasm_cookies([line]) == {b"username": b"ada", b"session_token": b"t" * 8192}


@pytest.mark.parametrize("value", [b'"ada"', b"a=b", b"a%20b", b"\xc3\xa4", b"a b", b"a,b"])
def test_odd_values_go_on_as_they_came(value: bytes) -> None:
    cookies = kasm_cookies([b"username=%b; session_token=t" % value])
    assert cookie_field(cookies) == (b"Cookie", b"username=%b; session_token=t" % value)


@pytest.mark.parametrize(
    ("line", "names"),
    [
        (b"username=a; username=b", (b"username",)),
        (b"username=a; username=a", (b"username",)),
        (b"session_token=1; a=b; session_token=2; session_token=3", (b"session_token",)),
        (b"kasm_client_key=1; kasm_client_key=2", (b"kasm_client_key",)),
    ],
)
def test_two_of_a_name_are_a_conflict(line: bytes, names: tuple[bytes, ...]) -> None:
    with pytest.raises(CookieConflict) as caught:
        kasm_cookies([line])
    assert caught.value.names == names


def test_two_over_two_header_lines_are_a_conflict_too() -> None:
    with pytest.raises(CookieConflict):
        kasm_cookies([b"username=a", b"session_token=t; username=a"])


def test_the_fingerprint_tells_proofs_apart_without_saying_them() -> None:
    one = {b"username": b"ada", b"session_token": b"secret"}
    other = {b"username": b"ada", b"session_token": b"secret2"}
    assert fingerprint(one) == fingerprint(dict(reversed(list(one.items()))))
    assert fingerprint(one) != fingerprint(other)
    assert "secret" not in fingerprint(one)


def test_clearing_covers_the_host_and_the_domains_above_it_but_no_whole_top_level() -> None:
    fields = clearing([b"username"], b"a.kasm.example.com:8443", [b"/"])
    domains = [value.partition(b"Domain=")[2] for _, value in fields]
    assert domains == [b"", b"a.kasm.example.com", b"kasm.example.com", b"example.com"]
    assert all(b"Max-Age=0" in value and b"Path=/" in value for _, value in fields)


@pytest.mark.parametrize("host", [b"127.0.0.1", b"127.0.0.1:80", b"[::1]:443", b"localhost"])
def test_clearing_names_no_domain_where_there_is_none(host: bytes) -> None:
    assert [value for _, value in clearing([b"username"], host, [b"/", b"/desktop"])] == [
        b"username=; Max-Age=0; Path=/; Secure",
        b"username=; Max-Age=0; Path=/desktop; Secure",
    ]
