"""Streams: what is encoded is seen again, at once, and key pictures stand alone."""

import subprocess
import sys

import av
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.pictures import film
from kasmd.codec import jpeg, video
from kasmd.codec.quality import video_quality
from kasmd.codec.video import (
    ENCODINGS,
    Codec,
    Encoding,
    VideoDecoder,
    VideoEncoder,
    VideoFailed,
    available,
    best_of,
    even,
)
from kasmd.errors import ProtocolError
from kasmd.screen.geometry import Rect

WORKING = sorted(available().items(), key=lambda item: item[0].value)
X264 = ENCODINGS[Codec.H264][-1]


def moving(height, width, number):
    """A smooth picture that drifts."""
    y, x = np.mgrid[:height, :width]
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[..., 0] = 128 + 100 * np.sin((x + 3 * number) / 17)
    pixels[..., 1] = 128 + 100 * np.cos((y - 2 * number) / 23)
    pixels[..., 2] = (x + y + number) * 200 // (height + width + 20)
    return pixels


def psnr(one, other):
    error = np.mean((one[..., :3].astype(float) - other[..., :3]) ** 2)
    return 10 * np.log10(255**2 / max(error, 1e-9))


def test_software_encoders_are_there():
    assert {Codec.H264, Codec.AV1} <= set(available())


def test_what_does_not_open_or_holds_pictures_back_is_passed_by():
    absent = Encoding("no such encoder", "qp", 51, {})
    unfit = Encoding("h264_v4l2m2m", "qmin qmax", 51, {"b": "no number"})
    patient = Encoding("libx264", "crf", 51, {"preset": "medium"})
    assert best_of((absent, unfit, patient, X264)) == X264
    assert best_of((absent, unfit, patient)) is None
    assert best_of((X264,), ["libx264"]) is None


def test_encoders_that_make_no_key_pictures_when_asked_are_passed_by():
    assert best_of([X264._replace(options={**X264.options, "x264-params": "keyint=1"})]) is None


def test_a_coarser_stream_is_smaller():
    sizes = []
    for steps in (0, 1, 2):
        encoder = VideoEncoder(320, 192, X264, X264.coarser(20, steps))
        sizes.append(sum(len(encoder.encode(frame).data) for frame in film(320, 192, 6)))
        encoder.close()
    assert sizes[1] < 0.75 * sizes[0] and sizes[2] < 0.75 * sizes[1]
    assert X264.coarser(50, 3) == 51


@pytest.mark.parametrize("codec, encoding", WORKING)
def test_every_quality_is_borne_and_the_best_is_the_largest(codec, encoding):
    pixels, sizes = film(96, 64, 1)[0], []
    for quality in (*range(10), encoding.worst // 2, encoding.worst):
        encoder = VideoEncoder(96, 64, encoding, quality)
        sizes.append(len([encoder.encode(pixels) for _ in range(3)][0].data))
        encoder.close()
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > sizes[-1]


@pytest.mark.parametrize("codec, encoding", WORKING)
@pytest.mark.parametrize("width, height", [(320, 192), (322, 194), (66, 250)])
def test_each_picture_is_seen_at_once(codec, encoding, width, height):
    encoder, decoder = VideoEncoder(width, height, encoding, 15), VideoDecoder(width, height, codec)
    for number in range(8):
        pixels = moving(height, width, number)
        pixels.flags.writeable = False
        unit = encoder.encode(pixels, key=number == 5)
        assert unit.key is (number in (0, 5))
        seen = decoder.decode(unit.data)
        assert seen.shape == pixels.shape and not seen[..., 3].any()
        assert psnr(seen, pixels) > 30
    encoder.close()


@pytest.mark.parametrize("codec, encoding", WORKING)
def test_one_may_join_at_a_key_picture(codec, encoding):
    encoder = VideoEncoder(320, 192, encoding, 15)
    units = [encoder.encode(moving(192, 320, number), key=number == 3) for number in range(5)]
    encoder.close()
    late = VideoDecoder(320, 192, codec)
    for number in (3, 4):
        assert psnr(late.decode(units[number].data), moving(192, 320, number)) > 30


@pytest.mark.parametrize("codec, encoding", WORKING)
def test_a_still_picture_costs_nothing_and_a_worse_one_is_smaller(codec, encoding):
    sizes = []
    for quality in (20, 40):
        encoder = VideoEncoder(320, 192, encoding, quality)
        first, *others = [encoder.encode(moving(192, 320, 1)) for _ in range(6)]
        encoder.close()
        assert len(others[-1].data) < len(first.data) / 10
        sizes.append(len(first.data))
    assert sizes[1] < sizes[0]


def test_a_film_takes_a_quarter_of_its_jpeg():
    frames = film(640, 360, 30)[:8]
    encoder = VideoEncoder(640, 360, X264, video_quality(79))
    decoder = VideoDecoder(640, 360, Codec.H264)
    for frame in frames:
        unit = encoder.encode(frame)
        seen = decoder.decode(unit.data)
    encoder.close()
    assert len(unit.data) < 0.27 * len(jpeg.encode(frames[-1], 84, "420"))
    assert psnr(seen, frames[-1]) > 35.5


def test_h264_is_annex_b_with_its_parameter_sets():
    encoder = VideoEncoder(320, 192, X264)
    for number in range(4):
        unit = encoder.encode(moving(192, 320, number), key=number == 2)
        assert unit.data.startswith(b"\0\0\0\1")
        kinds = [part[0] & 31 for part in unit.data.split(b"\0\0\1")[1:]]
        assert ({7, 8, 5} <= set(kinds)) is unit.key


def test_colours_are_what_the_stream_says():
    pixels = np.full((64, 64, 4), (200, 40, 90, 0), np.uint8)
    unit = VideoEncoder(64, 64, X264, 5).encode(pixels)
    theirs = av.CodecContext.create("h264", "r")
    frame, = theirs.decode(av.Packet(unit.data)) + theirs.decode(None)
    assert (frame.colorspace, frame.color_range) == (6, 1)
    assert (frame.color_primaries, frame.color_trc) == (1, 13)
    seen = VideoDecoder(64, 64, Codec.H264).decode(unit.data)
    assert np.abs(seen.astype(int) - pixels).max() < 6


@pytest.mark.parametrize("width, height", [(321, 192), (320, 191), (0, 2), (2, 0)])
def test_sizes_that_no_stream_has(width, height):
    with pytest.raises(ValueError):
        VideoEncoder(width, height, X264)


def test_a_picture_of_another_size_is_refused():
    with pytest.raises(ValueError):
        VideoEncoder(320, 192, X264).encode(moving(192, 322, 0))


def test_an_encoder_that_is_not_there():
    with pytest.raises(VideoFailed, match="nonsense"):
        VideoEncoder(320, 192, X264._replace(name="nonsense"))


def test_without_the_library_nothing_is_available():
    script = """
import sys
sys.modules["av"] = None
from kasmd.codec import video
assert video.available() == {}
try:
    video.VideoDecoder(2, 2, video.Codec.H264)
except video.VideoFailed:
    print("refused")
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60)
    assert run.stdout == b"refused\n", run.stderr


def test_even():
    assert even(Rect(3, 5, 801, 600)) == Rect(3, 5, 800, 600)
    assert even(Rect(3, 5, 1, 600)).area == 0


@pytest.mark.parametrize("width, height", [(64, 64), (352, 192)])
def test_a_stream_of_another_size_is_refused(width, height):
    unit = VideoEncoder(640, 640, X264).encode(moving(640, 640, 0))
    with pytest.raises(ProtocolError):
        VideoDecoder(width, height, Codec.H264).decode(unit.data)


def test_a_size_beyond_reason_is_refused():
    with pytest.raises(ProtocolError, match="too large"):
        VideoDecoder(0xFFFF, 0xFFFF, Codec.H264)


GOOD = {codec: VideoEncoder(128, 128, encoding).encode(moving(128, 128, 0)).data
        for codec, encoding in WORKING}


@settings(deadline=None)
@given(st.sampled_from(sorted(GOOD, key=lambda codec: codec.value)), st.binary(max_size=60),
       st.integers(0, 400))
@example(Codec.AV1, b"\0\4", 14)  # Colours that nobody can convert.
def test_only_protocol_errors_leave_the_decoder(codec, noise, where):
    good = GOOD[codec]
    decoder = VideoDecoder(128, 128, codec)
    for data in (noise, good[:where] + noise, good[:where] + noise + good[where + len(noise):]):
        try:
            seen = decoder.decode(data)
        except ProtocolError:
            continue
        assert seen is None or seen.shape == (128, 128, 4)


def test_each_kind_has_a_decoder():
    assert set(video._DECODERS) == set(Codec)
    for codec in Codec:
        VideoDecoder(2, 2, codec)
