"""Tight against a decoder that shares nothing with ours but the specification."""

import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kasmd.codec import tight
from kasmd.codec.base import complete
from kasmd.codec.compact import compact_length
from kasmd.codec.palette import palette_of
from kasmd.errors import ProtocolError
from kasmd.screen.pixels import BGRX, RGBX, PixelFormat, from_format, to_format

RGB565 = PixelFormat(16, 16, True, True, 31, 63, 31, 11, 5, 0)
BGR233 = PixelFormat(8, 8, False, True, 7, 7, 3, 0, 3, 6)
FORMATS = [BGRX, RGBX, RGB565, BGR233, BGRX._replace(depth=32, big_endian=True)]


class Client:
    """Reads Tight into rows of pixels, each as its bytes on the wire."""

    def __init__(self, pixel):
        self.pixel = pixel
        self.streams = [zlib.decompressobj() for _ in range(4)]

    def read(self, data, width, height):
        """Give (rows, rest); for JPEG (image, rest)."""
        control, data = data[0], data[1:]
        for number in range(4):
            if control >> number & 1:
                self.streams[number] = zlib.decompressobj()
        control >>= 4
        if control == 8:
            return [[data[:self.pixel]] * width] * height, data[self.pixel:]
        if control == 9:
            length, data = self.length(data)
            return Image.open(BytesIO(data[:length])), data[length:]
        assert control < 8
        filter_id = 0
        if control & 4:
            filter_id, data = data[0], data[1:]
        assert filter_id in (0, 1)
        if filter_id == 0:
            flat, data = self.body(data, control & 3, width * height * self.pixel)
            return self.rows(flat, width, height), data
        count = data[0] + 1
        assert count > 1
        table = data[1:1 + count * self.pixel]
        data = data[1 + count * self.pixel:]
        colours = [table[i:i + self.pixel] for i in range(0, len(table), self.pixel)]
        if count > 2:
            flat, data = self.body(data, control & 3, width * height)
            return [
                [colours[i] for i in flat[y * width:y * width + width]] for y in range(height)
            ], data
        stride = (width + 7) // 8
        flat, data = self.body(data, control & 3, stride * height)
        return [
            [colours[flat[y * stride + x // 8] >> (7 - x % 8) & 1] for x in range(width)]
            for y in range(height)
        ], data

    def rows(self, flat, width, height):
        pixels = [flat[i:i + self.pixel] for i in range(0, len(flat), self.pixel)]
        return [pixels[y * width:y * width + width] for y in range(height)]

    def body(self, data, stream, size):
        if size < 12:
            return data[:size], data[size:]
        length, data = self.length(data)
        flat = self.streams[stream].decompress(data[:length])
        assert len(flat) == size
        return flat, data[length:]

    @staticmethod
    def length(data):
        length = shift = 0
        for count, byte in enumerate(data[:3], 1):
            length |= (byte & 127 if count < 3 else byte) << shift
            shift += 7
            if byte < 128:
                break
        return length, data[count:]


def expected_rows(pixels, fmt):
    """The pixels as a client of this format should have them."""
    height, width = pixels.shape[:2]
    if fmt in (BGRX, RGBX):
        return [[bytes(pixel[2::-1]) for pixel in row] for row in pixels]
    flat, size = to_format(pixels, fmt), fmt.bytes_per_pixel
    split = [flat[i:i + size] for i in range(0, len(flat), size)]
    return [split[y * width:y * width + width] for y in range(height)]


def picture(height, width, colours, seed):
    random = np.random.default_rng(seed)
    table = random.integers(0, 256, (colours, 4), np.uint8)
    table[:, 3] = 0
    return table[random.integers(0, colours, (height, width))]


pictures = st.builds(
    picture, st.integers(1, 20), st.integers(1, 20), st.integers(1, 300), st.integers(0, 999)
)
formats = st.sampled_from(FORMATS)


def check(payload, pixels, fmt):
    """Both decoders must see what was encoded, and read to the end."""
    height, width = pixels.shape[:2]
    client = Client(3 if fmt.bits_per_pixel == 32 and fmt.depth == 24 else fmt.bytes_per_pixel)
    rows, rest = client.read(payload, width, height)
    assert rows == expected_rows(pixels, fmt) and not rest
    ours, end = complete(tight.TightDecoder().decode(width, height, fmt), payload)
    assert end == len(payload)
    assert (ours == from_format(to_format(pixels, fmt), fmt, height, width)).all()


@given(pictures, formats, st.integers(0, 9))
def test_copy(pixels, fmt, level):
    check(tight.encode_copy(pixels, fmt, level), pixels, fmt)


@given(pictures, formats, st.integers(0, 9))
def test_palette(pixels, fmt, level):
    palette = palette_of(pixels)
    if palette is not None and palette.size > 1:
        check(tight.encode_palette(palette, fmt, level), pixels, fmt)


@given(st.integers(1, 9), st.integers(1, 9), formats)
def test_fill(height, width, fmt):
    pixels = picture(height, width, 1, 7)
    payload = tight.encode_fill(pixels, fmt)
    assert payload[0] == 0x80
    check(payload, pixels, fmt)


def test_jpeg():
    pixels = np.zeros((40, 60, 4), np.uint8)
    pixels[..., :3] = np.linspace(0, 255, 60)[None, :, None]
    payload = tight.encode_jpeg(pixels, 90, "420")
    assert payload[0] == 0x90
    image, rest = Client(3).read(payload, 60, 40)
    assert image.size == (60, 40) and not rest
    assert np.abs(np.asarray(image).astype(int) - pixels[..., 2::-1]).max() < 12
    ours, end = complete(tight.TightDecoder().decode(60, 40, BGRX), payload)
    assert np.abs(ours.astype(int) - pixels).max() < 12 and end == len(payload)


def test_images_of_kasm():
    pixels = picture(20, 30, 900, 3)
    webp, qoi = tight.encode_webp(pixels, 100), tight.encode_qoi(pixels)
    assert (webp[0], qoi[0]) == (0xB0, 0xC0)
    length, body = Client.length(qoi[1:])
    assert length == len(body) and body.startswith(b"qoif")
    for payload, error in ((webp, 45), (qoi, 0)):
        ours, end = complete(tight.TightDecoder().decode(30, 20, BGRX), payload)
        assert np.abs(ours.astype(int) - pixels).mean() <= error and end == len(payload)


def test_rectangles_do_not_depend_on_those_before():
    client = Client(3)
    for seed in range(5):
        pixels = picture(9, 30, 200, seed)
        for payload in (
            tight.encode_copy(pixels, BGRX, 2),
            tight.encode_palette(palette_of(pixels), BGRX, 6),
        ):
            assert client.read(payload, 30, 9) == (expected_rows(pixels, BGRX), b"")
            assert Client(3).read(payload, 30, 9) == (expected_rows(pixels, BGRX), b"")


def test_other_servers_go_on_with_their_streams():
    decoder, theirs = tight.TightDecoder(), zlib.compressobj()
    for seed in range(3):
        pixels = picture(5, 5, 9, seed)
        data = theirs.compress(pixels[..., 2::-1].tobytes()) + theirs.flush(zlib.Z_SYNC_FLUSH)
        payload = bytes([0x20]) + compact_length(len(data)) + data
        ours, _ = complete(decoder.decode(5, 5, BGRX), payload)
        assert (ours == pixels).all()


def test_who_may_have_jpeg():
    assert tight.allows_jpeg(BGRX) and tight.allows_jpeg(RGB565)
    assert not tight.allows_jpeg(BGR233)


@pytest.mark.parametrize(
    "data, reason",
    [
        ("a0", "control byte"),
        ("f0", "control byte"),
        ("4002", "filter 2"),
        ("4101" + "02" + "000000" * 3 + "03", "has no 3"),
        ("0105" + "0011223344", "zlib"),
        ("9003" + "ffd8ff", "JPEG"),
        ("b003" + "524946", "no WebP"),
        ("c003" + "716f69", "no QOI"),
    ],
)
def test_refusals(data, reason):
    width, height = (1, 1) if "has no" in reason else (8, 8)
    with pytest.raises(ProtocolError, match=reason):
        complete(tight.TightDecoder().decode(width, height, BGRX), bytes.fromhex(data))


@given(st.binary(max_size=200), formats, st.integers(1, 30), st.integers(1, 30))
def test_only_protocol_errors_leave_the_decoder(data, fmt, width, height):
    try:
        pixels, _ = complete(tight.TightDecoder().decode(width, height, fmt), data)
    except ProtocolError:
        return
    assert pixels.shape == (height, width, 4)
