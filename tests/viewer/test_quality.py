"""Quality: what was asked for while the link carries it, less while not, each its own."""

from __future__ import annotations

import pytest

from kasmd.rfb.capabilities import Capabilities, KasmSettings
from kasmd.rfb.numbers import Encoding
from kasmd.screen.pixels import BGRX
from kasmd.viewer.quality import Kind, Quality, Room, Rules

AREA, THIN, FAST = 1280 * 720, 250e3, 20e6
NOVNC = Capabilities(preferred=Encoding.TIGHT, jpeg_level=6, last_rect=True)


def quality_for(can: Capabilities, rules: Rules = Rules()) -> Quality:
    """Give the quality of one who can do this."""
    quality = Quality(rules)
    quality.serve(can, BGRX)
    return quality


def learned(can: Capabilities, rules: Rules = Rules()) -> Quality:
    """Give one that knows a picture: 90 KB at level 6."""
    quality = quality_for(can, rules)
    for kind in (Kind.STILL, Kind.FILM):
        way = quality.way(kind, AREA, None, 0.0)
        quality.learn(kind, way, AREA, int(90_000 * way.weight))
    return quality


def jpeg(quality: Quality, kind: Kind, budget: int | None, rate: float = THIN) -> int | None:
    """Give the quality of JPEG in which so much goes."""
    return quality.way(kind, AREA, budget, rate).parameters.jpeg_quality


def test_what_was_asked_for_while_nothing_hinders() -> None:
    quality = learned(NOVNC)
    for budget in (None, 1_000_000):
        way = quality.way(Kind.STILL, AREA, budget, FAST).parameters
        assert (way.jpeg_quality, way.subsampling) == (79, "444")
        way = quality.way(Kind.FILM, AREA, budget, FAST).parameters
        assert (way.jpeg_quality, way.subsampling) == (80, "420")


def test_less_over_a_thin_link_but_not_below_the_bound() -> None:
    assert jpeg(learned(NOVNC), Kind.STILL, 40_000) == 42
    assert jpeg(learned(NOVNC), Kind.FILM, 10) == 15
    assert jpeg(learned(NOVNC, Rules(min_quality=4)), Kind.STILL, 10) == 62
    assert jpeg(learned(NOVNC, Rules(max_quality=5)), Kind.STILL, None) == 77


def test_a_small_change_keeps_its_quality() -> None:
    way = learned(NOVNC).way(Kind.STILL, 400, 10_000, THIN)
    assert way.parameters.jpeg_quality == 79


def test_kasms_client_names_its_bounds() -> None:
    kasm = KasmSettings(dynamic_quality_min=4, dynamic_quality_max=9)
    quality = learned(NOVNC._replace(kasm=kasm))
    assert jpeg(quality, Kind.STILL, None) == 100
    assert jpeg(quality, Kind.STILL, 10) == 62
    assert jpeg(quality, Kind.FILM, None) == 80
    quality = learned(NOVNC._replace(kasm=kasm._replace(prefer_bandwidth=True)))
    assert jpeg(quality, Kind.FILM, None) == 63
    quality = learned(NOVNC._replace(kasm=kasm._replace(jpeg_video_quality=7)))
    assert jpeg(quality, Kind.FILM, None) == 87


@pytest.mark.parametrize("can", [
    NOVNC._replace(fine_quality=50), NOVNC._replace(jpeg_level=None, fine_quality=50),
])
def test_a_fine_quality_is_fixed(can: Capabilities) -> None:
    for kind in (Kind.STILL, Kind.FILM):
        way = learned(can).way(kind, AREA, 10, THIN).parameters
        assert (way.jpeg_quality, way.subsampling in ("444",)) == (50, True)


def test_a_subsampling_is_kept() -> None:
    way = learned(NOVNC._replace(subsampling="422")).way(Kind.FILM, AREA, None, FAST)
    assert (way.parameters.jpeg_quality, way.parameters.subsampling) == (79, "422")


def test_nothing_is_lost_for_one_who_names_none_or_what_is_refined() -> None:
    none = Capabilities(preferred=Encoding.TIGHT, webp=True, last_rect=True)
    for kind in Kind:
        parameters = learned(none).way(kind, AREA, 10, THIN).parameters
        assert (parameters.jpeg_quality, parameters.webp_quality) == (None, None)
    assert jpeg(learned(NOVNC._replace(webp=True)), Kind.REFINED, 10) is None
    assert not quality_for(none).refines and quality_for(NOVNC).refines


def test_text_in_columns_but_not_in_a_film() -> None:
    quality = quality_for(NOVNC._replace(columns=True))
    told = {kind: quality.way(kind, AREA, None, FAST).parameters.columns for kind in Kind}
    assert told == {Kind.STILL: True, Kind.REFINED: True, Kind.FILM: False}


def test_nothing_is_taken_for_cheap() -> None:
    quality = quality_for(NOVNC)
    for kind in Kind:
        way = quality.way(kind, AREA, 40_000, THIN)
        assert quality.room(kind, way, None) is None
        if kind is Kind.FILM:
            assert quality.room(kind, way, 40_000) is None
            assert quality.room(kind, way, 1_024) == Room(4_096)
            quality.capped = True
        assert quality.room(kind, way, 40_000) == Room(10_000)
        quality.learn(kind, way, 10_000, 100)
        room = quality.room(kind, way, 40_000)
        assert room is not None and room.pixels > 1_000_000


def test_the_smallest_part_is_worth_its_tables() -> None:
    for kind, most in ((Kind.STILL, 4096), (Kind.REFINED, 1024)):
        quality = quality_for(NOVNC)
        way = quality.way(kind, AREA, 100, THIN)
        quality.learn(kind, way, most - 1, 1)
        assert quality.room(kind, way, 100) == Room(4096), "it told something"
        quality.learn(kind, way, most, 4 * most)
        assert quality.room(kind, way, 100) == Room(most)


def test_the_tables_of_a_jpeg_are_not_what_its_pixels_cost() -> None:
    quality = quality_for(NOVNC)
    way = quality.way(Kind.STILL, AREA, None, THIN)
    quality.learn(Kind.STILL, way, 5_000, 1_120, lossy=1)
    room = quality.room(Kind.STILL, way, 1_120)
    assert room is not None and abs(room.pixels - 5_000) <= 1
    larger = quality.room(Kind.STILL, way, 2_620)
    assert larger is not None and abs(larger.pixels - 20_000) <= 4
    assert abs(room.rectangle - 6_200) <= 2, "as much as 6,200 pixels"
    quality.learn(Kind.STILL, way, 5_000, 500)
    room = quality.room(Kind.STILL, way, 1_120)
    assert room is not None and room.rectangle == 0, "it is text now"


def test_webp_where_the_link_is_thin_and_nothing_moves() -> None:
    quality = learned(NOVNC._replace(webp=True))
    for kind, rate, expected in (
        (Kind.STILL, THIN, 78), (Kind.STILL, FAST, None), (Kind.FILM, THIN, None),
    ):
        assert quality.way(kind, AREA, None, rate).parameters.webp_quality == expected
