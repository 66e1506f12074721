"""SetEncodings of clients in the field, and every range: `kasmd.rfb.capabilities`."""

import pytest

from kasmd.rfb.capabilities import Capabilities, KasmSettings, capabilities_of, speaks_kasm
from kasmd.rfb.dialect import Dialect
from kasmd.rfb.numbers import Encoding

#: kasmvnc-protocol.md section 4.1, with the stand-alone defaults.
KASM = [1, 7, -260, 5, 2, 0, -26, -254, -223, -224, -258, -308, -309, -312, -313, -307]
KASM += [-1063131698, -1885, -1884, -1024, -1016, -1006, -996, -987, -972, -907, -865]
KASM += [-1984, -1996, -2034, -1997, -1141, -1087, -1025, -992, 0x574D5664, -239, 0x574D5666]

#: Upstream noVNC 1.7.
NOVNC = [1, 7, -260, 16, 21, 5, 2, 6, 0, -26, -254, -223, -224, -258, -261, -308, -309]
NOVNC += [-312, -313, -307, -1063131698, -316, 0x574D5664, -239]


def test_kasmds_own_page() -> None:
    without = capabilities_of(NOVNC, Dialect.STANDARD)
    assert not without.columns
    can = capabilities_of([Encoding.COLUMNS, *NOVNC], Dialect.STANDARD)
    assert can == without._replace(columns=True)
    assert not speaks_kasm([Encoding.COLUMNS])


def test_kasms_client() -> None:
    assert speaks_kasm(KASM)
    can = capabilities_of(KASM, Dialect.KASM)
    assert can == Capabilities(
        preferred=Encoding.TIGHT,
        copy_rect=True,
        jpeg_level=6,
        compress_level=2,
        last_rect=True,
        cursor=Encoding.VMWARE_CURSOR,
        desktop_size=True,
        extended_desktop_size=True,
        desktop_name=True,
        qemu_key=True,
        fence=True,
        continuous_updates=True,
        extended_clipboard=True,
        disconnect_notice=True,
        webp=True,
        kasm=KasmSettings(
            jpeg_video_quality=7,
            treat_lossless=7,
            prefer_bandwidth=True,
            dynamic_quality_min=4,
            dynamic_quality_max=9,
            video_area=65,
            video_time=5,
            video_out_time=3,
            frame_rate=24,
            video_scaling=0,
            gop=24,
            stream_quality=17,
            stream_mode=-1025,
        ),
    )


def test_upstream_novnc() -> None:
    assert not speaks_kasm(NOVNC)
    can = capabilities_of(NOVNC, Dialect.STANDARD)
    assert can.preferred == Encoding.TIGHT
    assert can.led_state and can.extended_mouse and can.jpeg
    assert can.kasm == KasmSettings()


@pytest.mark.parametrize(
    "listed, dialect, preferred",
    [
        ([16, 7], Dialect.STANDARD, Encoding.ZRLE),
        ([5, 16, 0], Dialect.STANDARD, Encoding.HEXTILE),
        ([21, 6, 0], Dialect.STANDARD, Encoding.ZLIB),
        ([21], Dialect.STANDARD, Encoding.RAW),
        ([0, 7], Dialect.STANDARD, Encoding.RAW),
        ([2, 99], Dialect.STANDARD, Encoding.RAW),
        ([], Dialect.STANDARD, Encoding.RAW),
        ([0, 5, 16, 7], Dialect.KASM, Encoding.TIGHT),
        ([], Dialect.KASM, Encoding.TIGHT),
    ],
)
def test_the_first_encoding_that_both_can_wins(
    listed: list[int], dialect: Dialect, preferred: Encoding
) -> None:
    assert capabilities_of(listed, dialect).preferred == preferred


@pytest.mark.parametrize(
    "first, last, field, first_value, last_value",
    [
        (-1023, -1014, "jpeg_video_quality", 0, 9),
        (-1003, -993, "treat_lossless", 0, 10),
        (-991, -982, "dynamic_quality_min", 0, 9),
        (-981, -972, "dynamic_quality_max", 0, 9),
        (-971, -872, "video_area", 1, 100),
        (-870, -770, "video_time", 0, 100),
        (-1986, -1887, "video_out_time", 1, 100),
        (-2048, -1998, "frame_rate", 10, 60),
        (-1996, -1994, "video_scaling", 0, 2),
        (-1165, -1105, "gop", 0, 60),
        (-1104, -1041, "stream_quality", 0, 63),
        (-1040, -1025, "stream_mode", -1040, -1025),
    ],
)
def test_each_range_of_kasms(
    first: int, last: int, field: str, first_value: int, last_value: int
) -> None:
    for number, value in ((first, first_value), (last, last_value)):
        assert speaks_kasm([number])
        settings = capabilities_of([number], Dialect.KASM).kasm
        assert settings._asdict() == {**KasmSettings()._asdict(), field: value}
    neighbours = [number for number in (first - 1, last + 1) if number != -992]
    assert getattr(capabilities_of(neighbours, Dialect.KASM).kasm, field) is None


@pytest.mark.parametrize("number", [-1170, -1166, -1013, -1004, -1993, -1987, -871, -1886])
def test_values_that_set_nothing_are_evidence(number: int) -> None:
    assert speaks_kasm([number])
    assert capabilities_of([number], Dialect.KASM).kasm == KasmSettings()


@pytest.mark.parametrize("number", [-2049, -1171, -769, -512, -256, -32, 0, 17, 0x574D5666])
def test_values_of_others_are_no_evidence(number: int) -> None:
    assert not speaks_kasm([number])


def test_who_reads_qoi_is_sent_no_copies() -> None:
    assert capabilities_of([1, 7], Dialect.KASM).copy_rect
    can = capabilities_of([1, 7, Encoding.KASM_QOI], Dialect.KASM)
    assert can.qoi and not can.copy_rect


def test_earlier_entries_win() -> None:
    can = capabilities_of([-23, -32, -2048, -1998], Dialect.KASM)
    assert (can.jpeg_level, can.kasm.frame_rate) == (9, 10)


def test_prefer_bandwidth_is_a_preset_that_earlier_entries_override() -> None:
    assert capabilities_of([-990, -992], Dialect.KASM).kasm == KasmSettings(
        prefer_bandwidth=True, dynamic_quality_min=1, dynamic_quality_max=9, treat_lossless=8
    )
    assert capabilities_of([-992, -990], Dialect.KASM).kasm.dynamic_quality_min == 2


@pytest.mark.parametrize(
    "listed, expected",
    [
        ([-32], ("jpeg_level", 0)),
        ([-23], ("jpeg_level", 9)),
        ([-512], ("fine_quality", 0)),
        ([-412], ("fine_quality", 100)),
        ([-768], ("subsampling", "444")),
        ([-767], ("subsampling", "420")),
        ([-766], ("subsampling", "422")),
        ([-765], ("subsampling", "gray")),
        ([-763], ("subsampling", "420")),
    ],
)
def test_any_kind_of_quality_allows_jpeg(listed: list[int], expected: tuple[str, object]) -> None:
    can = capabilities_of(listed, Dialect.STANDARD)
    assert can.jpeg
    assert getattr(can, expected[0]) == expected[1]


def test_without_quality_there_is_no_jpeg() -> None:
    assert not capabilities_of([7, -250], Dialect.STANDARD).jpeg


@pytest.mark.parametrize(
    "listed, kind",
    [
        ([-239, -314, 0x574D5664], Encoding.VMWARE_CURSOR),
        ([-239, -314], Encoding.CURSOR_WITH_ALPHA),
        ([-239], Encoding.CURSOR),
        ([], None),
    ],
)
def test_the_best_cursor_wins(listed: list[int], kind: Encoding | None) -> None:
    assert capabilities_of(listed, Dialect.STANDARD).cursor == kind
