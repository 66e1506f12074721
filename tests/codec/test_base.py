"""Running decoders over bytes."""

import pytest

from kasmd.codec.base import CHUNK, MAX_PIXELS, check_area, complete, read_many
from kasmd.errors import ProtocolError


def pair():
    first = yield 2
    nothing = yield 0
    second = yield 1
    return first, nothing, second


def test_a_decoder_is_sent_what_it_asks_for():
    assert complete(pair(), b"xabc-rest", 1) == ((b"ab", b"", b"c"), 4)


def test_too_few_bytes_are_a_protocol_error():
    with pytest.raises(ProtocolError, match="1 bytes needed, 0 are left"):
        complete(pair(), b"ab")


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1])
def test_many_bytes_are_read_in_parts(size):
    data = bytes(range(256)) * (size // 256 + 1)
    asked = []

    def watched():
        reading = read_many(size)
        try:
            block = next(reading)
            while True:
                asked.append(block)
                block = reading.send((yield block))
        except StopIteration as stop:
            return stop.value

    assert complete(watched(), data) == (data[:size], size)
    assert all(0 < block <= CHUNK for block in asked)


def test_the_ceiling_of_a_rectangle():
    check_area(MAX_PIXELS, 1)
    with pytest.raises(ProtocolError):
        check_area(MAX_PIXELS, 2)
