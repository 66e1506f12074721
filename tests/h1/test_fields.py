"""Header fields: found whatever their case, and never more lines than there are fields."""

from sys import getrefcount

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.h1.fields import Fields, HttpError, is_token, parse_fields, render_lines

FIELDS = Fields([(b"Accept", b"a, B"), (b"accept", b",c ,"), (b"Host", b"x")])
NAMES = st.from_regex(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}", fullmatch=True)
VALUES = st.from_regex(rb"([!-~\x80-\xff]([\t -~\x80-\xff]*[!-~\x80-\xff])?)?", fullmatch=True)


def test_values_come_in_order_and_whatever_the_case():
    assert FIELDS.all(b"accept") == [b"a, B", b",c ,"]
    assert FIELDS.get(b"host") == b"x" and FIELDS.get(b"none") == b""
    assert FIELDS.tokens(b"accept") == [b"a", b"b", b"c"]
    assert b"host" in FIELDS and b"none" not in FIELDS
    assert FIELDS.without([b"accept"]) == [(b"Host", b"x")]


@pytest.mark.parametrize("line", [
    b"", b"no colon", b": empty name", b"A : space before the colon", b" A: folded", b"\tA: folded",
    b"A B: two words", b"A\x00: nul", b"\xc3\xa9: not ASCII", b"(A): a delimiter",
    b"A: \x00", b"A: b\x0bc", b"A: b\nB: c", b"A: b\rB: c", b"A: b\x7f",
])
def test_what_is_no_field(line):
    with pytest.raises(HttpError) as caught:
        parse_fields([b"Host: a", line], 100)
    assert caught.value.status == 400


@pytest.mark.parametrize("line, field", [
    (b"A:b", (b"A", b"b")), (b"A: \t b c \t", (b"A", b"b c")), (b"A:", (b"A", b"")),
    (b"A: b: c", (b"A", b"b: c")), (b"A: \xff", (b"A", b"\xff")),
])
def test_a_field(line, field):
    assert parse_fields([line], 1).raw == (field,)


def test_a_line_that_comes_again_is_judged_again():
    long = b"Cookie: " + b"c" * 5000
    for _ in range(2):
        fields = parse_fields([b"Accept: a, b", b"accept: c", long], 3)
        assert fields.raw[:2] == ((b"Accept", b"a, b"), (b"accept", b"c"))
        assert fields.get(b"cookie") == b"c" * 5000
        fields.tokens(b"accept").append(b"of the caller")
        assert fields.tokens(b"accept") == [b"a", b"b", b"c"]
        with pytest.raises(HttpError):
            parse_fields([b"Accept : a"], 1)


def test_too_many_fields():
    with pytest.raises(HttpError) as caught:
        parse_fields([b"A: b"] * 101, 100)
    assert caught.value.status == 431


@pytest.mark.parametrize("value", [b"a\r\nB: c", b"a\nB: c", b"a\rB", b"a\x00", b"\x7f", b"\x1b["])
def test_no_value_begins_a_line(value):
    with pytest.raises(ValueError):
        render_lines([(b"A", value)])
    with pytest.raises(ValueError):
        render_lines([(value, b"a")])


@given(st.lists(st.tuples(NAMES, VALUES), max_size=20))
def test_what_is_sent_is_read_the_same(fields):
    *lines, end = render_lines(fields).split(b"\r\n")
    assert parse_fields(lines, 20).raw == tuple(fields) and not end


@pytest.mark.parametrize("name, good", [
    (b"a", True), (b"X-Y_z.1~", True), (b"", False), (b"a b", False), (b"a\n", False),
    (b"a:", False),
])
def test_tokens(name, good):
    assert is_token(name) is good


def test_no_name_is_so_long_that_many_would_fill_the_memory():
    assert parse_fields([b"A" * 256 + b": b"], 1).get(b"a" * 256) == b"b"
    with pytest.raises(HttpError) as caught:
        parse_fields([b"A" * 257 + b": b"], 1)
    assert (caught.value.status, caught.value.limit) == (431, "header_bytes")


@pytest.mark.parametrize("name", [
    b"Authorization", b"Cookie", b"Kasmd-Ticket", b"Proxy-Authorization", b"Set-Cookie",
    b"X-Api-Key", b"Referer",
])
def test_nothing_that_may_be_a_secret_is_kept(name):
    line = name + b": " + b"s" * 30
    before = getrefcount(line)
    assert parse_fields([line], 1).get(name.lower()) == b"s" * 30
    assert getrefcount(line) == before
    field = name, b"s" * 30
    before = getrefcount(field)
    assert render_lines([field]) == line + b"\r\n"
    assert getrefcount(field) == before


def test_a_line_that_comes_again_is_not_read_again_while_there_is_room_for_it():
    def read():
        return parse_fields([b"Accept: */*"], 1).keyed[0]

    first = read()
    assert read() is first
    for number in range(2000):
        parse_fields([b"User-Agent: %d" % number], 1)
    assert read() is not first
