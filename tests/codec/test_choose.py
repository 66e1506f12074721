"""What is chosen, and that vncdotool and our decoders see the picture."""

from struct import pack
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from vncdotool.rfb import RFBClient

from kasmd.codec import columns, copyrect, jpeg21, raw, tight, zlib, zrle
from kasmd.codec.base import COLUMNS, HEXTILE
from kasmd.codec.base import JPEG as JPEG_RECTANGLE
from kasmd.codec.base import RAW, TIGHT, ZLIB, ZRLE, Parameters, complete
from kasmd.codec.choose import encode
from kasmd.codec.compact import TooLong
from kasmd.codec.deflate import Inflater, ZlibStreams
from kasmd.codec.pieces import pieces_of
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.pixels import BGRX, RGBX, PixelFormat
from kasmd.screen.region import Region
from tests.written import written

BGR233 = PixelFormat(8, 8, False, True, 7, 7, 3, 0, 3, 6)
LOSSY = Parameters(jpeg_quality=80)
FILL, JPEG, WEBP, QOI, COPY, PALETTE = 0x80, 0x90, 0xB0, 0xC0, 0x01, 0x41


class Viewer(RFBClient):
    """vncdotool, fed with bytes, that keeps 32 bit pixels."""

    def __init__(self, width, height, fmt):
        super().__init__()
        self.transport = SimpleNamespace(write=lambda data: None)
        self.factory = SimpleNamespace(shared=True)
        self.picture = np.zeros((height, width, 4), np.uint8)
        self.dataReceived(b"RFB 003.003\n" + pack(">I", 1))
        self.dataReceived(pack(">HH16sI", width, height, fmt.pack(), 0))

    def receive(self, rectangles):
        """One FramebufferUpdate of these rectangles."""
        body = b"".join(
            pack(">HHHHi", *rectangle.rect, rectangle.encoding) + rectangle.payload
            for rectangle in rectangles
        )
        self.dataReceived(pack(">BxH", 0, len(rectangles)) + body)
        assert not self._packet

    def vncConnectionMade(self):
        pass

    def updateRectangle(self, x, y, width, height, data):
        pixels = np.frombuffer(data, np.uint8).reshape(height, width, 4)
        self.picture[y:y + height, x:x + width] = pixels

    def copyRectangle(self, srcx, srcy, x, y, width, height):
        pixels = self.picture[srcy:srcy + height, srcx:srcx + width].copy()
        self.picture[y:y + height, x:x + width] = pixels


def noise(height, width, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 4), np.uint8)
    pixels[..., 3] = 0
    return pixels


def text(height, width, seed=0):
    pixels = np.full((height, width, 4), 255, np.uint8)
    pixels[noise(height, width, seed)[..., 0] < 60] = 30
    pixels[noise(height, width, seed)[..., 0] > 240] = 130
    pixels[..., 3] = 0
    return pixels


def mixed(height, width, seed=0):
    """A desktop of one colour with a window of text and a photograph."""
    pixels = np.full((height, width, 4), (60, 90, 30, 0), np.uint8)
    window = pixels[height // 8:height // 2, width // 8:width // 2]
    window[...] = text(*window.shape[:2], seed)
    photo = pixels[height // 3:, width * 2 // 3:]
    photo[...] = noise(*photo.shape[:2], seed)
    return pixels


pictures = st.builds(
    lambda make, height, width, seed: make(height, width, seed=seed),
    st.sampled_from([noise, text, mixed, written]),
    st.integers(1, 150), st.integers(1, 150), st.integers(0, 99),
)


def kinds(rectangles):
    return [rectangle.payload[0] for rectangle in rectangles]


@pytest.mark.parametrize("encoding", [RAW, HEXTILE, ZRLE])
@given(pictures, st.sampled_from([BGRX, RGBX]))
def test_vncdotool_sees_the_picture(encoding, pixels, fmt):
    height, width = pixels.shape[:2]
    parameters = Parameters(encoding, fmt)
    viewer, stream = Viewer(width + 9, height + 5, fmt), ZlibStreams()
    for part in pieces_of(Region([Rect(0, 0, width, height)]), parameters):
        shown = pixels[part.y:part.bottom, part.x:part.right]
        viewer.receive(encode(shown, part.moved(9, 5), parameters, stream))
    seen = viewer.picture[5:, 9:, :3]
    assert (seen == (pixels[..., :3] if fmt is BGRX else pixels[..., 2::-1])).all()


@given(st.integers(0, 50), st.integers(0, 50), st.integers(1, 50), st.integers(1, 50),
       st.integers(0, 50), st.integers(0, 50))
def test_vncdotool_copies(x, y, width, height, from_x, from_y):
    viewer = Viewer(100, 100, BGRX)
    before = noise(100, 100)
    viewer.receive(encode(before, Rect(0, 0, 100, 100), Parameters(RAW)))
    viewer.receive([copyrect.encode(Move(Rect(x, y, width, height), x - from_x, y - from_y))])
    expected = before.copy()
    expected[y:y + height, x:x + width] = before[from_y:from_y + height, from_x:from_x + width]
    assert (viewer.picture == expected).all()


def drawn(rectangles, shape, fmt=BGRX):
    """What our decoder sees, and that the rectangles tile the picture."""
    picture = np.zeros(shape, np.uint8)
    times = np.zeros(shape[:2], int)
    decoder = tight.TightDecoder()
    for rect, encoding, payload in rectangles:
        at = np.s_[rect.y:rect.bottom, rect.x:rect.right]
        assert encoding in (TIGHT, COLUMNS)
        reader = decoder.decode(rect.width, rect.height, fmt)
        if encoding == COLUMNS:
            reader = columns.decode(rect.width, rect.height)
        pixels, end = complete(reader, payload)
        assert end == len(payload)
        picture[at] = pixels
        times[at] += 1
    assert (times == 1).all()
    return picture


@given(pictures, st.booleans(), st.integers(0, 9), st.booleans(), st.booleans())
def test_tight_without_loss(pixels, single, level, qoi, reads_columns):
    height, width = pixels.shape[:2]
    parameters = Parameters(compress_level=level, single=single, qoi=qoi, columns=reads_columns)
    rectangles = encode(pixels, Rect(0, 0, width, height), parameters)
    assert (drawn(rectangles, pixels.shape) == pixels).all()
    assert not single or len(rectangles) == 1


@given(pictures, st.booleans(), st.sampled_from([(None, 8), (100, 50)]))
def test_tight_with_loss_loses_little(pixels, single, webp):
    height, width = pixels.shape[:2]
    # WebP halves the resolution of colours, and noise has nothing else.
    quality, most = webp
    parameters = Parameters(jpeg_quality=95, single=single, webp_quality=quality)
    rectangles = encode(pixels, Rect(0, 0, width, height), parameters)
    error = np.abs(drawn(rectangles, pixels.shape).astype(int) - pixels)
    assert error.mean() < most
    assert not single or len(rectangles) == 1


def test_equal_arguments_give_equal_bytes():
    rect = Rect(0, 0, 600, 400)
    assert encode(mixed(400, 600), rect, LOSSY) == encode(mixed(400, 600), rect, LOSSY)


def test_higher_levels_have_fewer_bytes_of_a_screen_of_smooth_text():
    """However it is cut: each piece has a palette and a stream of its own."""
    random = np.random.default_rng(1)
    glyphs = np.full((50, 16, 8, 4), 255, np.uint8)
    for number, glyph in enumerate(glyphs):
        glyph[3:13, 2 + number % 2] = glyph[3 + number % 10, 1:7] = number * 3
        glyph[3:13, 4] = 130 + number
    glyphs[..., 3] = 0
    words = glyphs[np.minimum(random.integers(0, 70, (40, 120)), 49)]
    screen = words.swapaxes(1, 2).reshape(640, 960, 4)

    def size(level):
        parameters = Parameters(compress_level=level)
        rects = pieces_of(Region([Rect(0, 0, 960, 640)]), parameters)
        return sum(
            len(each.payload) + 12 for rect in rects
            for each in encode(screen[rect.y:rect.bottom], rect, parameters)
        )

    sizes = [size(level) for level in (0, 2, 5, 9)]
    assert sizes == sorted(set(sizes), reverse=True)


def test_rectangles_are_where_the_piece_is():
    rectangles = encode(mixed(400, 600), Rect(1000, 2000, 600, 400), LOSSY)
    assert Region(r.rect for r in rectangles) == Region([Rect(1000, 2000, 600, 400)])


@pytest.mark.parametrize(
    "pixels, parameters, expected",
    [
        (noise(200, 300), LOSSY, [JPEG]),
        (noise(200, 300), Parameters(), [COPY]),
        (noise(200, 300), LOSSY._replace(single=True), [JPEG]),
        (noise(64, 64), LOSSY, [JPEG]),
        (noise(200, 300), LOSSY._replace(webp_quality=78), [WEBP]),
        (noise(200, 300), Parameters(webp_quality=78), [COPY]),
        (noise(200, 300), LOSSY._replace(webp_quality=78, qoi=True), [QOI]),
        (text(200, 300), LOSSY._replace(qoi=True), [PALETTE]),
        (noise(16, 16), LOSSY, [PALETTE]),
        (text(200, 300), LOSSY, [PALETTE]),
        (text(200, 300), LOSSY._replace(single=True), [PALETTE]),
        (np.zeros((200, 300, 4), np.uint8), LOSSY, [FILL]),
        (np.zeros((9, 9, 4), np.uint8), LOSSY, [FILL]),
    ],
)
def test_what_is_chosen(pixels, parameters, expected):
    rect = Rect(0, 0, pixels.shape[1], pixels.shape[0])
    assert kinds(encode(pixels, rect, parameters)) == expected


def test_a_desktop_is_of_all_kinds():
    rectangles = encode(mixed(512, 1024), Rect(0, 0, 1024, 512), LOSSY)
    assert {FILL, JPEG, PALETTE} <= set(kinds(rectangles))


def test_no_jpeg_for_eight_bits():
    parameters = LOSSY._replace(format=BGR233)
    rectangles = encode(noise(100, 100), Rect(0, 0, 100, 100), parameters)
    assert JPEG not in kinds(rectangles)


def test_what_does_not_fit_one_length_is_halved():
    pixels = noise(1100, 1400)
    rect = Rect(7, 9, 1400, 1100)
    rectangles = encode(pixels, rect, Parameters())
    assert [r.rect for r in rectangles] == [Rect(7, 9, 1400, 550), Rect(7, 559, 1400, 550)]
    with pytest.raises(TooLong):
        encode(pixels, rect, Parameters(single=True))


def test_windows_of_two_colours_are_a_rectangle_each():
    pixels = np.full((300, 1000, 4), (9, 9, 9, 0), np.uint8)
    for left in (20, 520):
        window = pixels[20:280, left:left + 460]
        window[...] = 0
        window[:100, :200] = noise(100, 200, left)[..., :1] & (128, 128, 128, 0)
        window[200:, :100] = noise(60, 100, left)[..., :1] & (128, 128, 128, 0)
    rectangles = encode(pixels, Rect(0, 0, 1000, 300), Parameters())
    assert kinds(rectangles).count(PALETTE) == 2
    assert kinds(rectangles).count(FILL) == len(rectangles) - 2 == 5
    assert (drawn(rectangles, pixels.shape) == pixels).all()


READS_COLUMNS = Parameters(columns=True)


def encodings_of(pixels, parameters):
    return [r.encoding for r in encode(pixels, Rect(0, 0, *pixels.shape[1::-1]), parameters)]


@pytest.mark.parametrize("quality", [None, 80])
@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("smooth", [False, True])
def test_a_text_goes_in_columns_for_who_lists_them(smooth, single, quality):
    text = written(320, 800, smooth)
    parameters = READS_COLUMNS._replace(single=single, jpeg_quality=quality)
    assert encodings_of(text, parameters) == [COLUMNS]
    assert COLUMNS not in encodings_of(text, parameters._replace(columns=False))


def test_a_window_of_text_beside_one_of_dots():
    pixels = np.zeros((330, 1000, 4), np.uint8)
    pixels[..., :3] = 90
    pixels[5:325, 20:480] = written(320, 460, smooth=False)
    pixels[10:325, 540:980] = noise(315, 440)[..., :1] & (128, 128, 128, 0)
    rectangles = encode(pixels, Rect(0, 0, 1000, 330), READS_COLUMNS)
    assert (drawn(rectangles, pixels.shape) == pixels).all()
    assert [r.encoding for r in rectangles].count(COLUMNS) == 1
    assert PALETTE in kinds(rectangles)


def test_a_photograph_beside_text_loses_what_it_may():
    pixels = np.hstack([written(320, 800), noise(320, 128)])
    lossy = encode(pixels, Rect(0, 0, 928, 320), LOSSY._replace(columns=True))
    assert {r.encoding for r in lossy} == {COLUMNS, TIGHT} and JPEG in kinds(lossy)


LINES = (Rect(5, 9, 700, 150), Rect(5, 159, 790, 170))


def test_lines_of_one_text_go_with_what_is_beside_them():
    text = written(320, 790)
    rectangle, = encode(text, Rect(5, 9, 790, 320), READS_COLUMNS, lines=LINES)
    assert rectangle[:2] == (Rect(5, 9, 790, 320), COLUMNS)


@pytest.mark.parametrize("parameters", [READS_COLUMNS, LOSSY._replace(columns=True)])
def test_a_photograph_beside_lines_is_not_sent(parameters):
    picture = written(320, 790)
    picture[:128, 704:] = noise(128, 86)
    rectangles = encode(picture, Rect(5, 9, 790, 320), parameters, lines=LINES)
    assert Region(rectangle.rect for rectangle in rectangles) == Region(LINES)


def test_a_letter_is_not_worth_columns():
    assert encodings_of(written(16, 500), READS_COLUMNS) == [TIGHT]


@pytest.mark.parametrize("encoding", [ZLIB, ZRLE])
def test_some_need_their_stream(encoding):
    with pytest.raises(ValueError):
        encode(noise(1, 1), Rect(0, 0, 1, 1), Parameters(encoding))


def test_a_photograph_smaller_than_a_jpegs_tables_is_none():
    parameters = Parameters(TIGHT, BGRX, jpeg_quality=15, subsampling="420")
    for height, width, lossless in ((16, 19, True), (16, 20, False)):
        pixels, rect = noise(height, width), Rect(0, 0, width, height)
        rectangles = encode(pixels, rect, parameters)
        seen = drawn(rectangles, pixels.shape)
        assert (seen[..., :3] == pixels[..., :3]).all() == lossless
        assert sum(len(rectangle.payload) for rectangle in rectangles) < 1000


@pytest.mark.parametrize("encoding", [RAW, ZLIB, ZRLE])
def test_photographs_of_those_who_list_jpeg_and_not_tight(encoding):
    parameters = Parameters(encoding, jpeg_quality=95, jpeg_rectangles=True)
    rect, stream = Rect(5, 6, 200, 100), ZlibStreams()
    photograph, = encode(noise(100, 200), rect, parameters, stream)
    assert photograph[:2] == (rect, JPEG_RECTANGLE)
    seen, _ = complete(jpeg21.JpegDecoder().decode(200, 100), photograph.payload)
    assert np.abs(seen.astype(int) - noise(100, 200)).mean() < 8
    other, = encode(text(100, 200), rect, parameters, stream)
    assert other[:2] == (rect, encoding)
    inflater = Inflater()
    decoder = {
        RAW: raw.decode(200, 100, BGRX),
        ZLIB: zlib.decode(200, 100, BGRX, inflater),
        ZRLE: zrle.decode(200, 100, BGRX, inflater),
    }[encoding]
    assert (complete(decoder, other.payload)[0] == text(100, 200)).all()
    without = encode(noise(100, 200), rect, parameters._replace(jpeg_quality=None), stream)
    assert [rectangle.encoding for rectangle in without] == [encoding]
