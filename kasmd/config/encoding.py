"""KasmVNC's keys for how pictures go: ``encoding``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from kasmd.codec.video import Codec
from kasmd.config.kinds import choice, either, integer, percent
from kasmd.config.pictures import codecs
from kasmd.config.schema import option, section
from kasmd.ranges import BANDWIDTH, FRAME_RATE

#: As Kasm's clients number them.
SCALINGS = "nearest", "bilinear", "progressive_bilinear"

_level = integer(0, 9)


@dataclass(frozen=True)
class VideoStreamingMode:
    """Which streams of video there may be, and how, for Kasm's clients that do not say."""

    codec: tuple[Codec, ...] = option(tuple(Codec), codecs)
    quality: int = option(17, integer(0, 63))
    gop: int = option(0, integer(0, 100))


@dataclass(frozen=True)
class RectEncodingMode:
    """Levels between which quality follows the link, and the one that counts as lossless."""

    min_quality: int = option(0, _level)
    max_quality: int = option(9, _level)
    consider_lossless_quality: int = option(10, integer(0, 10))


@dataclass(frozen=True)
class VideoResolution:
    """The size to which the pictures of video mode are scaled down, in pixels."""

    width: int = option(1920, integer(16, 16384))
    height: int = option(1080, integer(16, 16384))


@dataclass(frozen=True)
class EnterVideoEncodingMode:
    """How much of the screen must change, and for how many seconds (0: always)."""

    time_threshold: int = option(5, integer(0, 2000))
    area_threshold: int = option(45, percent(1, 100))


@dataclass(frozen=True)
class ExitVideoEncodingMode:
    """How many seconds after that it ends."""

    time_threshold: int = option(3, integer(1, 100))


@dataclass(frozen=True)
class VideoEncodingMode:
    """Kasm's client, when much of the screen moves."""

    jpeg_quality: int = option(-1, integer(-1, 9))
    max_resolution: VideoResolution = section(VideoResolution)
    enter_video_encoding_mode: EnterVideoEncodingMode = section(EnterVideoEncodingMode)
    exit_video_encoding_mode: ExitVideoEncodingMode = section(ExitVideoEncodingMode)
    scaling_algorithm: str = option("progressive_bilinear", choice(*SCALINGS))


@dataclass(frozen=True)
class Encoding:
    """Frames and kilobits in a second, for one viewer, and how pictures go."""

    max_frame_rate: int = option(60, integer(*FRAME_RATE))
    max_bandwidth: Optional[int] = option(None, either({"none": None}, integer(*BANDWIDTH)))
    rect_encoding_mode: RectEncodingMode = section(RectEncodingMode)
    video_encoding_mode: VideoEncodingMode = section(VideoEncodingMode)
    video_streaming_mode: VideoStreamingMode = section(VideoStreamingMode)
