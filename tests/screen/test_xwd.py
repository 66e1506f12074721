"""Heads of window dumps, as Xvfb writes them and otherwise."""

from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.errors import ProtocolError
from kasmd.screen.xwd import HEAD_BYTES, MAX_BYTES, Dump, parse

#: What Xvfb's head says, of a screen of 3840 x 2160.
XVFB = [
    160, 7, 2, 24, 3840, 2160, 0, 0, 32, 0, 32, 32, 15360, 4, 0xFF0000, 0xFF00, 0xFF,
    8, 256, 256, 3840, 2160, 0, 0, 0,
]
LENGTH = 160 + 12 * 256 + 15360 * 2160


def head(**changed):
    fields = list(XVFB)
    for place, value in changed.items():
        fields[int(place[1:])] = value
    return pack(">25I", *fields)


def test_what_xvfb_writes():
    assert parse(head() + b"Xvfb :1.0", LENGTH) == Dump(3840, 2160, 15360, 3232)


@pytest.mark.parametrize(
    "changed",
    [
        {"_1": 6}, {"_2": 1}, {"_3": 16}, {"_6": 1}, {"_7": 1}, {"_11": 24},
        {"_14": 0xFF, "_16": 0xFF0000},
        {"_0": 99}, {"_0": 1 << 20}, {"_19": 1 << 31},
        {"_4": 0}, {"_5": 0}, {"_4": 3841}, {"_5": 2161}, {"_12": 15359}, {"_12": 1 << 31},
        {"_4": 40000, "_12": 160000}, {"_5": 40000, "_12": 0, "_4": 0},
    ],
)
def test_other_heads_are_refused(changed):
    with pytest.raises(ProtocolError):
        parse(head(**changed), LENGTH)


@pytest.mark.parametrize("data, length", [
    (b"", 0), (head()[:-1], LENGTH), (head(), LENGTH - 1), (head(), MAX_BYTES + 1),
])
def test_what_is_too_short_or_too_long_is_refused(data, length):
    with pytest.raises(ProtocolError):
        parse(data, length)


@given(st.binary(max_size=HEAD_BYTES + 20), st.integers(0, 1 << 40))
def test_nothing_else_leaves_the_parser(data, length):
    with pytest.raises(ProtocolError):
        parse(data, length)


@given(st.dictionaries(st.integers(0, 24), st.integers(0, (1 << 32) - 1)), st.integers(0, 1 << 31))
def test_all_rows_are_in_the_dump(changed, length):
    try:
        dump = parse(head(**{f"_{place}": value for place, value in changed.items()}), length)
    except ProtocolError:
        return
    assert dump.offset >= HEAD_BYTES and dump.stride >= 4 * dump.width > 0
    assert dump.offset + dump.stride * dump.height <= length <= MAX_BYTES
