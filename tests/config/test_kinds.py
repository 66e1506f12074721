"""Kinds by themselves; with their places and messages: test_load.py."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.config import kinds

EVERY = [
    kinds.text,
    kinds.boolean,
    kinds.integer(0, 9),
    kinds.percent(1, 100),
    kinds.seconds(0, 9),
    kinds.path,
    kinds.address,
    kinds.choice("a", "b"),
    kinds.either({"auto": 1}, kinds.integer(0, 9)),
    kinds.command,
    kinds.program,
    kinds.headers,
    kinds.origins,
    kinds.numbers(0, 9, "1,2"),
    kinds.timezone,
    kinds.mime_types,
]


@pytest.mark.parametrize("kind", EVERY)
@given(raw=st.text(max_size=20) | st.lists(st.text(max_size=9), max_size=3))
def test_only_value_errors_that_say_what_must_be(kind: kinds.Kind[object], raw: kinds.Raw) -> None:
    try:
        kind(raw)
    except ValueError as error:
        assert str(error).startswith("must ")


@given(st.integers())
def test_integers_are_those_of_the_range(number: int) -> None:
    kind = kinds.integer(-5, 5)
    if -5 <= number <= 5:
        assert kind(str(number)) == number
    else:
        with pytest.raises(ValueError):
            kind(str(number))


@pytest.mark.parametrize("raw", ["1_0", " 1", "１", "+1", "1.0", "0x1", "1e3", ""])
def test_what_python_takes_for_a_number_and_kasmvnc_does_not(raw: str) -> None:
    with pytest.raises(ValueError):
        kinds.integer(0, 99)(raw)


def test_percent() -> None:
    assert kinds.percent(1, 100)("45%") == 45
    for raw in ("45", "0%", "101%", "%", "4.5%"):
        with pytest.raises(ValueError):
            kinds.percent(1, 100)(raw)


@pytest.mark.parametrize("raw", ["https://a", "http://a.b:1", "https://[::1]:8443", "HTTPS://A"])
def test_origins(raw: str) -> None:
    assert kinds.origins(raw) == (raw.lower(),)


@pytest.mark.parametrize(
    "raw",
    ["a", "//a", "ftp://a", "https://", "https://a/", "https://a?b", "https://u@a", "null", "*"]
    + ["https://a:x", "https://a:99999", "https://a:0", "https://[::1", "https://a b", "https://é"],
)
def test_what_is_no_origin(raw: str) -> None:
    with pytest.raises(ValueError, match="is not"):
        kinds.origins([raw])


@pytest.mark.parametrize("raw", ["10.0.0.0/8", "::1", ["192.0.2.1", "2001:db8::/32"], []])
def test_networks(raw: kinds.Raw) -> None:
    assert kinds.networks(raw) == tuple([raw] if isinstance(raw, str) else raw)


@pytest.mark.parametrize("raw", ["", "proxy", "10.0.0.1/8", "10.0.0.0/33", "*", ["::1", "x"]])
def test_what_is_no_network(raw: kinds.Raw) -> None:
    with pytest.raises(ValueError, match="addresses or networks"):
        kinds.networks(raw)


@pytest.mark.parametrize("raw", ["self", "none", ["self", "https://a:1"], ["https://a"]])
def test_framers(raw: kinds.Raw) -> None:
    assert kinds.framers(raw) == tuple([raw] if isinstance(raw, str) else raw)


@pytest.mark.parametrize(
    "raw", [[], ["none", "self"], "*", "https:", "self; script-src *", ["'self'"]]
)
def test_what_frames_nothing(raw: kinds.Raw) -> None:
    with pytest.raises(ValueError, match="must be none"):
        kinds.framers(raw)
