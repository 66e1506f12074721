"""If-Match, as RFC 9110 section 13.1.1 has it."""

from __future__ import annotations

from typing import Any

import pytest

from kasmd.web.api.operations import Call
from kasmd.web.api.problems import Refused
from kasmd.web.api.tags import check_match, tag_of

TAG = tag_of({"a": 1})


class Asking:
    """A request with these If-Match fields."""

    def __init__(self, *values: bytes) -> None:
        self._values = values

    def values(self, name: bytes) -> tuple[bytes, ...]:
        return self._values if name == b"If-Match" else ()


def match(*values: bytes) -> None:
    request: Any = Asking(*values)
    check_match(Call(request, {}, {}, None), TAG, "thing is")


def test_tags() -> None:
    assert TAG == tag_of({"a": 1}) != tag_of({"a": 2})
    assert tag_of("x", b"key") != tag_of("x")
    assert TAG[:1] == TAG[-1:] == b'"' and len(TAG) == 26


@pytest.mark.parametrize("values", [(), (b"*",), (TAG,), (b'"x", ' + TAG,), (b'"x"', TAG)])
def test_what_matches(values: tuple[bytes, ...]) -> None:
    match(*values)


@pytest.mark.parametrize("values", [(b'"x"',), (b"W/" + TAG,), (TAG[1:-1],), (b"",)])
def test_what_does_not(values: tuple[bytes, ...]) -> None:
    with pytest.raises(Refused, match="The thing is not as If-Match has it"):
        match(*values)
