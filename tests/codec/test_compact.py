"""Compact lengths against the bytes that rfbproto gives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.codec.base import complete
from kasmd.codec.compact import (
    MAX_LENGTH,
    TooLong,
    compact_length,
    counted,
    read_counted,
)


@pytest.mark.parametrize(
    "length, wire",
    [
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (10000, "904e"),
        (16383, "ff7f"),
        (16384, "808001"),
        (MAX_LENGTH, "ffffff"),
    ],
)
def test_compact_length(length, wire):
    assert compact_length(length).hex() == wire


def test_too_long():
    with pytest.raises(TooLong):
        compact_length(MAX_LENGTH + 1)


@given(st.one_of(st.integers(0, 300), st.integers(16000, 40000)))
def test_what_is_counted_is_read(length):
    data = bytes(length)
    assert complete(read_counted(), counted(data) + b"next") == (data, len(counted(data)))
