"""Our zlib against the standard library's."""

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kasmd.codec.deflate import Inflater, ZlibStream, deflate
from kasmd.errors import ProtocolError

levels = st.integers(0, 9)


@given(st.binary(max_size=3000), levels)
def test_what_is_deflated_is_whole_and_stands_alone(data, level):
    packed = b"".join(deflate(data, level))
    assert zlib.decompressobj().decompress(packed) == data
    assert b"".join(deflate(data, level)) == packed


@given(st.lists(st.binary(max_size=500), max_size=8), levels)
def test_a_stream_can_be_read_after_each_part(parts, level):
    stream, theirs, ours = ZlibStream(level), zlib.decompressobj(), Inflater()
    for part in parts:
        packed = stream.compress(part)
        assert theirs.decompress(packed) == part
        assert ours.inflate_exactly(packed, len(part)) == part


def test_higher_levels_are_smaller():
    data = b"".join(b"%d has %d bits, " % (n, n.bit_count()) for n in range(5000))
    sizes = [sum(map(len, deflate(data, level))) for level in (0, 1, 5, 9)]
    assert sizes == sorted(set(sizes), reverse=True)


def test_what_stays_long_is_compressed_quickly():
    data = np.random.default_rng(1).integers(0, 20, 1 << 18, np.uint8).tobytes()
    assert deflate(data, 9) == deflate(data, 1)


@given(st.binary(max_size=200))
def test_only_protocol_errors_leave_the_reader(data):
    try:
        assert len(Inflater().inflate(data, 100)) <= 100
    except ProtocolError:
        pass


def test_a_bomb_is_refused_before_it_grows():
    with pytest.raises(ProtocolError):
        Inflater().inflate(zlib.compress(bytes(10_000_000)), 1000)


@pytest.mark.parametrize("size", [0, 9, 11])
def test_an_exact_size_is_exact(size):
    with pytest.raises(ProtocolError):
        Inflater().inflate_exactly(b"".join(deflate(bytes(10), 1)), size)


def test_bytes_after_the_end_are_refused():
    with pytest.raises(ProtocolError):
        Inflater().inflate(zlib.compress(b"abc") + b"more", 100)
