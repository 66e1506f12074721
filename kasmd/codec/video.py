"""Streams of video: pictures to access units and back, by PyAV.

PyAV is the optional extra ``video``: without it `available` is empty.  Nothing
is delayed: each picture gives one access unit, which holds the parameter sets if
it is a key picture (H.264 and HEVC as Annex B, AV1 as low overhead OBUs).

Colours are BT.601 of limited range, and say so: those who do not read what a
stream says take it for that.
"""

from __future__ import annotations

from enum import Enum
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Collection, Iterable, NamedTuple, Optional

import numpy as np

from kasmd.codec.base import check_area
from kasmd.errors import ProtocolError
from kasmd.scheduling import unchanged
from kasmd.screen.geometry import Rect
from kasmd.screen.pixels import Pixels

if TYPE_CHECKING:
    from av import VideoCodecContext


class Codec(Enum):
    """The kinds of stream."""

    H264 = "h264"
    HEVC = "hevc"
    AV1 = "av1"


class Unit(NamedTuple):
    """One picture of a stream; one that is ``key`` needs none before it."""

    data: bytes
    key: bool


class Encoding(NamedTuple):
    """An encoder of the library; ``quality`` names the options that are 0 (best) to ``worst``.

    It takes ``pixels`` (FFmpeg's name of a format of 4:2:0), looks as well with
    ``finer`` more than the others of its kind, and bears no quality under ``best``.
    """

    name: str
    quality: str
    worst: int
    options: dict[str, str]
    finer: int = 0
    best: int = 0
    pixels: str = "yuv420p"

    def coarser(self, quality: int, steps: int) -> int:
        """Give a quality that is so many steps worse, each about half the bytes."""
        return min(quality + steps * (self.worst // _STEPS), self.worst)

    def bearable(self, quality: int) -> int:
        """Give what the encoder is told for a quality of its kind."""
        return min(max(quality + self.finer, self.best), self.worst)


#: x264's ultrafast would blur what moves: CABAC and the filter give more than they
#: cost, and the small dead zones keep the grain that makes a picture look sharp.
#: Motion in quarters of a pixel (subme) saves two thirds of a real film's bytes;
#: transforms of 8 x 8 and quantisers that follow the grain (aq-mode) some more; see
#: docs/decisions/014.
#: With qcomp 1 what stands still is left alone, and not refined for seconds.
_X264 = ":".join((
    "cabac=1", "deblock=0,0", "qcomp=1", "8x8dct=1", "partitions=none", "subme=1",
    "aq-mode=2", "psy=0", "no-dct-decimate=1", "deadzone-inter=6", "deadzone-intra=6",
))
_NVENC = {
    "preset": "p1", "tune": "ull", "rc": "constqp", "zerolatency": "1", "delay": "0",
    "forced-idr": "1",
}

_QSV = {"preset": "veryfast", "async_depth": "1", "forced_idr": "1"}
_AMF = {"usage": "ultralowlatency", "rc": "cqp", "async_depth": "1", "forced_idr": "1"}
#: Nothing but the bounds of the quantiser says how good it is to be.
_V4L2 = {"b": "50M"}

#: Pictures that are all of one layer (hierarchical-levels) take even times, and up to a fifth
#: less bytes than those of three, at a quality that is `finer`; see docs/decisions/014.
_SVT_AV1 = "pred-struct=1:hierarchical-levels=0:lookahead=0:rtc=1:lp=1"

#: The encoders of a kind, the best first: those in hardware, each of which is tried, then
#: the processor's.  VA-API's is not among them: PyAV cannot give it pictures; nor is
#: libx265: its quickest takes 30 to 50 ms for a picture of 1280 x 720.  SVT-AV1 ends the
#: process (a segmentation fault) with a CRF of 1 or 2, and FFmpeg takes 0 for none.
ENCODINGS: dict[Codec, tuple[Encoding, ...]] = {
    Codec.H264: (
        Encoding("h264_nvenc", "qp", 51, _NVENC),
        Encoding("h264_qsv", "global_quality", 51, _QSV, pixels="nv12"),
        Encoding("h264_amf", "qp_i qp_p", 51, _AMF, pixels="nv12"),
        Encoding("h264_v4l2m2m", "qmin qmax", 51, _V4L2, pixels="nv12"),
        Encoding("libx264", "crf", 51, {
            "preset": "ultrafast", "tune": "zerolatency", "forced-idr": "1", "x264-params": _X264,
        }, finer=5),
    ),
    Codec.HEVC: (
        Encoding("hevc_nvenc", "qp", 51, _NVENC),
        Encoding("hevc_qsv", "global_quality", 51, _QSV, pixels="nv12"),
        Encoding("hevc_amf", "qp_i qp_p", 51, _AMF, pixels="nv12"),
    ),
    Codec.AV1: (
        Encoding("av1_nvenc", "qp", 255, _NVENC),
        Encoding("libsvtav1", "crf", 63, {"preset": "12", "svtav1-params": _SVT_AV1},
                 finer=-10, best=8),
    ),
}
_DECODERS = {Codec.H264: "h264", Codec.HEVC: "hevc", Codec.AV1: "libdav1d"}

#: FFmpeg's numbers: AVCOL_RANGE_MPEG, AVCOL_SPC_SMPTE170M, AVCOL_PRI_BT709 and
#: AVCOL_TRC_IEC61966_2_1.  Chromium believes the second only where it is told the rest.
_LIMITED, _BT601, _BT709, _SRGB = 1, 6, 1, 13
#: Twice as quick as AREA, and as good for films: the colour of every other line.
_INTERPOLATION = "POINT"
#: A stream is coarser by such a share of the worst quality with each step, and has then
#: about such a share of the bytes.
_STEPS = 10
STEP_SAVES = 0.5
#: The size of the picture that tells whether an encoder works.
_TRIAL = 320, 192
_RATE = 30
_NEVER = 1 << 20
#: What a stream calls its size may exceed the picture's by less than one such block.
_BLOCK = 128


class VideoFailed(Exception):
    """The library would not encode: begin another stream, or do without."""


@lru_cache(maxsize=None)
def available(failed: frozenset[str] = frozenset()) -> dict[Codec, Encoding]:
    """Give the best encoder of each kind that works here; empty without PyAV.

    Those of the names ``failed`` are left out.
    """
    best = {codec: best_of(encodings, failed) for codec, encodings in ENCODINGS.items()}
    return {codec: encoding for codec, encoding in best.items() if encoding is not None}


def best_of(encodings: Iterable[Encoding], failed: Collection[str] = ()) -> Optional[Encoding]:
    """Give the first that works and is none of the names ``failed``."""
    left = (encoding for encoding in encodings if encoding.name not in failed)
    return next(filter(_works, left), None)


def _works(encoding: Encoding) -> bool:
    """Tell whether it opens, holds nothing back, and makes key pictures when asked to."""
    blank = np.zeros((*_TRIAL[::-1], 4), np.uint8)
    try:
        encoder = VideoEncoder(*_TRIAL, encoding)
        keys = [encoder.encode(blank, key).key for key in (False, False, True)]
        encoder.close()
    except VideoFailed:
        return False
    return keys == [True, False, True]


def even(rect: Rect) -> Rect:
    """Give the part of a rectangle that a stream can show: its sides rounded down to even."""
    return rect._replace(width=rect.width & ~1, height=rect.height & ~1)


class VideoEncoder:
    """One stream of pictures of one size, both sides even (else ValueError).

    ``quality`` is from 0, the best, to the encoding's ``worst``, by default in
    the middle.  VideoFailed where the encoder does not work, now or later.
    """

    def __init__(self, width: int, height: int, encoding: Encoding,
                 quality: Optional[int] = None, threads: int = 1) -> None:
        if width & 1 or height & 1 or not width or not height:
            raise ValueError(f"a stream of {width} x {height}")
        check_area(width, height)
        self.width, self.height = width, height
        self._pictures = 0
        quality = encoding.worst // 2 if quality is None else quality
        qualities = dict.fromkeys(encoding.quality.split(), str(encoding.bearable(quality)))
        self._format = encoding.pixels
        try:
            self._load()
        except ImportError as error:
            raise VideoFailed(f"PyAV: {error}") from error
        try:
            self._context = _opened(encoding, width, height, qualities, threads)
        except (self._error, ValueError, RuntimeError) as error:
            raise VideoFailed(f"{encoding.name}: {error}") from error

    def _load(self) -> None:
        """Take what is used for each picture from the library."""
        import av
        from av.video.frame import PictureType
        from av.video.reformatter import VideoReformatter

        self._error: type[Exception] = av.FFmpegError
        self._new_frame = av.VideoFrame.from_numpy_buffer
        self._kinds = {True: PictureType.I, False: PictureType.NONE}
        self._reformatter = VideoReformatter()

    def encode(self, pixels: Pixels, key: bool = False) -> Unit:
        """Give the next picture of the stream; the first is key in any case."""
        if pixels.shape != (self.height, self.width, 4):
            raise ValueError(f"pixels of shape {pixels.shape}")
        whole = self._new_frame(np.ascontiguousarray(pixels), format="bgra")
        frame = self._reformatter.reformat(
            whole, format=self._format, interpolation=_INTERPOLATION, threads=1
        )
        frame.pts = self._pictures
        frame.pict_type = self._kinds[key]
        self._pictures += 1
        try:
            packets = self._context.encode(frame)
        except self._error as error:
            raise VideoFailed(str(error)) from error
        if not packets:
            raise VideoFailed("a picture is held back")
        return Unit(b"".join(map(bytes, packets)), any(packet.is_keyframe for packet in packets))

    def close(self) -> None:
        """End the stream."""
        try:
            self._context.encode(None)
        except self._error as error:
            raise VideoFailed(str(error)) from error


def _opened(
    encoding: Encoding, width: int, height: int, qualities: dict[str, str], threads: int
) -> VideoCodecContext:
    """Give an encoder that holds no picture back."""
    import av

    context = av.CodecContext.create(encoding.name, "w")
    assert isinstance(context, av.VideoCodecContext)
    context.width, context.height, context.pix_fmt = width, height, encoding.pixels
    context.time_base, context.framerate = Fraction(1, _RATE), Fraction(_RATE)
    context.color_range, context.colorspace = _LIMITED, _BT601
    context.color_primaries, context.color_trc = _BT709, _SRGB
    context.thread_count, context.gop_size, context.max_b_frames = threads, _NEVER, 0
    context.options = {**encoding.options, **qualities}
    with unchanged():
        context.open()
    return context


class VideoDecoder:
    """The reading end of a stream whose pictures are all of one size."""

    def __init__(self, width: int, height: int, codec: Codec) -> None:
        check_area(width, height)
        try:
            import av
        except ImportError as error:
            raise VideoFailed(f"PyAV: {error}") from error
        self.width, self.height = width, height
        self._error = av.FFmpegError
        self._packet = av.Packet
        context = av.CodecContext.create(_DECODERS[codec], "r")
        assert isinstance(context, av.VideoCodecContext)
        self._context = context
        context.thread_count = 1
        context.options = {
            "flags": "low_delay", "max_pixels": str((width + _BLOCK) * (height + _BLOCK)),
        }

    def decode(self, data: bytes) -> Optional[Pixels]:
        """Read one access unit: the picture, or None if it is not to be shown yet.

        ProtocolError for what is no stream, and for pictures of another size.
        """
        try:
            return self._decoded(data)
        except (self._error, ValueError) as error:
            raise ProtocolError(f"video: {error}") from error

    def _decoded(self, data: bytes) -> Optional[Pixels]:
        frames = self._context.decode(self._packet(data))
        if not frames:
            return None
        frame = frames[-1]
        if (frame.width, frame.height) != (self.width, self.height):
            raise ProtocolError(
                f"a video of {frame.width} x {frame.height} for {self.width} x {self.height}"
            )
        pixels = np.zeros((self.height, self.width, 4), np.uint8)
        # swscale (of FFmpeg 8) leaves out the last columns of some widths in "bgra".
        pixels[..., :3] = frame.to_ndarray(format="bgr24")
        return pixels
