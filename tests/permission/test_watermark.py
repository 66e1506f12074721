"""Watermarks from configuration to levels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kasmd.errors import ConfigError
from kasmd.permission.watermark import MAX_SIDE, MAX_TEXT, Drawing, Watermark
from kasmd.screen.mask import Stamp

#: 2026-11-21 03:17:30 UTC.
NOW = 1795231050.0


def stamp(text: str = "", **values: Any) -> Stamp:
    return Drawing(Watermark(**values)).stamp(text)


def image(path: Path, pixels: Any, mode: str = "L") -> str:
    Image.fromarray(np.array(pixels, np.uint8), mode).save(path)
    return str(path)


def test_an_image_is_as_opaque_as_it_is_white(tmp_path: Path) -> None:
    path = image(tmp_path / "w.png", [[0, 51, 255]])
    drawn = stamp(image=path, tint=(1, 2, 3, 255), location=(4, 5))
    assert drawn.levels.tolist() == [[0, 51, 256]]
    assert drawn.colour == (3, 2, 1) and drawn.location == (4, 5)
    assert stamp(image=path, tint=(0, 0, 0, 127)).levels.tolist() == [[0, 25, 127]]


def test_what_is_transparent_in_an_image_is_not_seen(tmp_path: Path) -> None:
    pixels = [[[255, 255, 255, 0], [255, 255, 255, 255]]]
    assert stamp(image=image(tmp_path / "w.png", pixels, "RGBA")).levels.tolist() == [[0, 256]]


def test_repeated(tmp_path: Path) -> None:
    drawn = stamp(image=image(tmp_path / "w.png", [[255]]), spacing=2)
    assert drawn.location is None
    assert drawn.levels.tolist() == [[256, 0, 0], [0, 0, 0], [0, 0, 0]]


def test_text_is_as_large_as_it_is_and_turns() -> None:
    level = stamp("Secret", template="x", font_size=40)
    small = stamp("Secret", template="x", font_size=20)
    assert level.levels.shape[1] > 1.8 * small.levels.shape[1]
    assert level.levels.max() == 256 and level.levels.any(axis=1).all()
    upright = stamp("Secret", template="x", font_size=40, angle=90)
    assert upright.levels.shape == level.levels.shape[::-1]
    assert np.array_equal(upright.levels, np.rot90(level.levels))


def test_text_is_not_only_ascii() -> None:
    shapes = {stamp(text, template="x").levels.tobytes() for text in ("ä", "ö", "é", "a")}
    assert len(shapes) == 4


def test_a_long_text_is_cut_off() -> None:
    drawn = stamp("W" * MAX_TEXT, template="x", font_size=256)
    assert drawn.levels.shape[1] == MAX_SIDE


@pytest.mark.parametrize("watermark", [
    Watermark(template=" "),
    Watermark(template=" ", spacing=3),
    Watermark(template="x", tint=(255, 0, 0, 0)),
])
def test_what_nobody_sees(watermark: Watermark) -> None:
    drawing = Drawing(watermark)
    assert not drawing.stamp(drawing.text(NOW)).levels.any()


@pytest.mark.parametrize("zone, text", [
    ("UTC", "2026-11-21 03:17 UTC"),
    ("Australia/Adelaide", "2026-11-21 13:47 ACDT"),
])
def test_the_time(zone: str, text: str) -> None:
    assert Drawing(Watermark(template="%F %H:%M %Z", timezone=zone)).text(NOW) == text


def test_what_tells_no_time() -> None:
    assert Drawing(Watermark(template="Größe")).text(NOW) == "Größe"
    assert Drawing(Watermark(template="of %n one%t line")).text(NOW) == "of one line"
    assert len(Drawing(Watermark(template="%F" * 128)).text(NOW)) == MAX_TEXT


def test_files_that_are_wrong(tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(b"no picture, no font")
    large = image(tmp_path / "large.png", np.zeros((1, MAX_SIDE + 1)))
    for values, said in [
        ({"image": str(tmp_path / "none")}, "watermark.image: .*none"),
        ({"image": str(bad)}, "watermark.image: .*bad"),
        ({"image": large}, "is larger than 4096 pixels"),
        ({"template": "x", "font": str(bad)}, "watermark.text.font: .*bad"),
    ]:
        with pytest.raises(ConfigError, match=said):
            Drawing(Watermark(**values))  # type: ignore[arg-type]
