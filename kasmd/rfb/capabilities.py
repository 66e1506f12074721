"""What a client can do and wants, read from SetEncodings by table."""

from __future__ import annotations

from typing import Any, Iterable, NamedTuple, Optional, Sequence, Union

from kasmd.rfb.dialect import RULES, Dialect
from kasmd.rfb.numbers import Encoding


class KasmSettings(NamedTuple):
    """Kasm's knobs, as one viewer turned them; None where it said nothing."""

    jpeg_video_quality: Optional[int] = None  # 0 to 9
    treat_lossless: Optional[int] = None  # 0 to 10; 10 is off
    prefer_bandwidth: bool = False
    dynamic_quality_min: Optional[int] = None  # 0 to 9
    dynamic_quality_max: Optional[int] = None  # 0 to 9
    video_area: Optional[int] = None  # 1 to 100 per cent of the screen
    video_time: Optional[int] = None  # 0 to 100 s
    video_out_time: Optional[int] = None  # 1 to 100 s
    frame_rate: Optional[int] = None  # 10 to 60 a second
    video_scaling: Optional[int] = None  # 0 nearest, 1 bilinear, 2 progressive
    gop: Optional[int] = None  # 0 to 60 frames
    stream_quality: Optional[int] = None  # 0 to 63
    stream_mode: Optional[int] = None  # the pseudo-encoding itself, -1025 is images


class Capabilities(NamedTuple):
    """What SetEncodings says about a client."""

    #: The best of what the client listed and we encode; see `Rules.encodings`.
    preferred: Encoding = Encoding.RAW
    copy_rect: bool = False
    jpeg_level: Optional[int] = None  # 0 to 9
    fine_quality: Optional[int] = None  # 0 to 100
    subsampling: Optional[str] = None  # "444", "422", "420" or "gray"
    compress_level: Optional[int] = None  # 0 to 9
    jpeg_rectangles: bool = False
    open_h264: bool = False
    columns: bool = False
    last_rect: bool = False
    #: VMWARE_CURSOR before CURSOR_WITH_ALPHA before CURSOR.
    cursor: Optional[Encoding] = None
    desktop_size: bool = False
    extended_desktop_size: bool = False
    desktop_name: bool = False
    led_state: bool = False
    qemu_key: bool = False
    extended_mouse: bool = False
    fence: bool = False
    continuous_updates: bool = False
    extended_clipboard: bool = False
    disconnect_notice: bool = False
    webp: bool = False
    qoi: bool = False
    kasm: KasmSettings = KasmSettings()

    @property
    def jpeg(self) -> bool:
        """Whether JPEG may be sent: any of the three kinds of quality was listed."""
        return (self.jpeg_level, self.fine_quality, self.subsampling) != (None, None, None)


Value = Union[int, str]

#: Encodings that stand for themselves.
_FLAGS = {
    Encoding.COPY_RECT: "copy_rect",
    Encoding.JPEG: "jpeg_rectangles",
    Encoding.OPEN_H264: "open_h264",
    Encoding.COLUMNS: "columns",
    Encoding.LAST_RECT: "last_rect",
    Encoding.DESKTOP_SIZE: "desktop_size",
    Encoding.EXTENDED_DESKTOP_SIZE: "extended_desktop_size",
    Encoding.DESKTOP_NAME: "desktop_name",
    Encoding.LED_STATE: "led_state",
    Encoding.QEMU_EXTENDED_KEY_EVENT: "qemu_key",
    Encoding.EXTENDED_MOUSE_BUTTONS: "extended_mouse",
    Encoding.FENCE: "fence",
    Encoding.CONTINUOUS_UPDATES: "continuous_updates",
    Encoding.EXTENDED_CLIPBOARD: "extended_clipboard",
    Encoding.KASM_DISCONNECT_NOTICE: "disconnect_notice",
    Encoding.KASM_WEBP: "webp",
    Encoding.KASM_QOI: "qoi",
}


class Span(NamedTuple):
    """Encodings from ``first`` to ``last`` mean ``first_value`` and upward."""

    first: int
    last: int
    field: str
    first_value: int


_STANDARD_SPANS = (
    Span(-32, -23, "jpeg_level", 0),
    Span(-256, -247, "compress_level", 0),
    Span(-512, -412, "fine_quality", 0),
)

#: In the order of TurboVNC's pseudo-encodings: 1x, 4x, 2x, gray, 8x, 16x; who can
#: bear the last two gets 4:2:0, the coarsest that encoders commonly do.
_SUBSAMPLINGS = ("444", "420", "422", "gray", "420", "420")

_KASM_SPANS = (
    Span(-1023, -1014, "jpeg_video_quality", 0),
    Span(-1003, -993, "treat_lossless", 0),
    Span(-991, -982, "dynamic_quality_min", 0),
    Span(-981, -972, "dynamic_quality_max", 0),
    Span(-971, -872, "video_area", 1),
    Span(-870, -770, "video_time", 0),
    Span(-1986, -1887, "video_out_time", 1),
    Span(-2048, -1998, "frame_rate", 10),
    Span(-1996, -1994, "video_scaling", 0),
    Span(-1165, -1105, "gop", 0),
    Span(-1104, -1041, "stream_quality", 0),
    Span(-1040, -1025, "stream_mode", -1040),
)

#: What -992 stands for, unless an earlier entry says otherwise.
_BANDWIDTH_PRESET = {"dynamic_quality_min": 2, "dynamic_quality_max": 9, "treat_lossless": 8}

_KASM_FLAGS = (
    Encoding.KASM_DISCONNECT_NOTICE,
    Encoding.KASM_DIRECT_MOUSE,
    Encoding.KASM_MAX_VIDEO_RESOLUTION,
    Encoding.KASM_WEBP,
    Encoding.KASM_QOI,
)

_CURSORS = (Encoding.VMWARE_CURSOR, Encoding.CURSOR_WITH_ALPHA, Encoding.CURSOR)


def _values(spans: Iterable[Span]) -> dict[int, tuple[str, Value]]:
    return {
        number: (span.field, span.first_value + number - span.first)
        for span in spans
        for number in range(span.first, span.last + 1)
    }


_STANDARD: dict[int, tuple[str, Value]] = {
    **{int(number): (field, True) for number, field in _FLAGS.items()},
    **_values(_STANDARD_SPANS),
    **{-768 + n: ("subsampling", name) for n, name in enumerate(_SUBSAMPLINGS)},
}
_KASM: dict[int, tuple[str, Value]] = {
    **_values(_KASM_SPANS),
    Encoding.KASM_PREFER_BANDWIDTH: ("prefer_bandwidth", True),
}
#: Kasm's, but they set nothing: hardware profiles, WebP's quality in video mode, which is
#: not sent as WebP, values out of a setting's range.
_KASM_UNUSED = {*range(-1170, -1165), *range(-1013, -1003), *range(-1993, -1986), -871}
_EVIDENCE = frozenset(_KASM) | frozenset(_KASM_FLAGS) | _KASM_UNUSED


def speaks_kasm(encodings: Iterable[int]) -> bool:
    """Tell whether any of ``encodings`` is one that only Kasm's client lists."""
    return not _EVIDENCE.isdisjoint(encodings)


def capabilities_of(encodings: Sequence[int], dialect: Dialect) -> Capabilities:
    """Read a list of SetEncodings; of values for the same thing, the earlier wins."""
    said: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for number in reversed(encodings):
        if number in _STANDARD:
            field, value = _STANDARD[number]
            said[field] = value
        elif number in _KASM:
            field, value = _KASM[number]
            if field == "prefer_bandwidth":
                settings.update(_BANDWIDTH_PRESET)
            settings[field] = value
    if Encoding.KASM_QOI in encodings:
        # It decodes QOI aside, and may copy before that is drawn (KasmVNC: ConnParams.cxx).
        said.pop("copy_rect", None)
    return Capabilities(
        preferred=_preferred(encodings, RULES[dialect].encodings),
        cursor=next((kind for kind in _CURSORS if kind in encodings), None),
        kasm=KasmSettings(**settings),
        **said,
    )


def _preferred(listed: Sequence[int], usable: tuple[Encoding, ...]) -> Encoding:
    """The first listed that is usable, else the last resort of the dialect."""
    return next((Encoding(number) for number in listed if number in usable), usable[-1])
