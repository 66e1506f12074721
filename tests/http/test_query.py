"""Queries, as KasmVNC's callers write them and as nobody should."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.errors import ProtocolError
from kasmd.http.query import Query


def test_texts() -> None:
    query = Query(b"name=a%20b+c&name=second&empty=&bare&%6bey=%C3%A9&x=1=2")
    assert query.text("name") == "a b+c"
    assert query.text("key") == "é"
    assert query.text("x") == "1=2"
    assert [query.text(key) for key in ("empty", "bare", "nam", "names")] == [""] * 4
    assert query.keys == {"name", "empty", "bare", "key", "x"}
    assert Query(b"").keys == set()


@pytest.mark.parametrize(
    "value, flag",
    [
        (b"true", True), (b"tru", True), (b"t", True), (b"True", False), (b"trues", False),
        (b"false", False), (b"yes", False), (b"x", False), (b"1", None), (b"0", None),
        (b"", None), (b"%C3%A9", None), (b" true", None), (b"%74rue", True),
    ],
)
def test_flags(value: bytes, flag: bool) -> None:
    assert Query(b"f=" + value).flag("f") is flag
    assert Query(b"ff=" + value).flag("f") is None


@pytest.mark.parametrize(
    "value, number",
    [
        (b"0", 0), (b"12", 12), (b"12px", 12), (b"007", 7), (b"-1", 5), (b"", 5), (b"x1", 5),
        (b"+1", 5), (b"%31", 1), (b"9" * 400, 999_999_999), (b"%D9%A3", 5),
    ],
)
def test_numbers(value: bytes, number: int) -> None:
    assert Query(b"n=" + value).number("n", 5) == number


@pytest.mark.parametrize("raw", [b"a=%", b"a=%4", b"a=%zz", b"%=", b"a=%ff", b"\xff", b"a=%c3"])
def test_what_is_refused(raw: bytes) -> None:
    with pytest.raises(ProtocolError):
        Query(raw)


@given(st.binary())
def test_any_bytes(raw: bytes) -> None:
    try:
        query = Query(raw)
    except ProtocolError:
        return
    for key in (*query.keys, "missing"):
        query.text(key), query.flag(key), query.number(key, 1)
