"""What most live tests are made with; `daemon` is each module's own."""

from __future__ import annotations

from typing import Iterator

import pytest

from tests.live.chromium import Chromium
from tests.live.daemon import Daemon
from tests.live.painter import Painter


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    """A browser."""
    with Chromium() as chromium:
        yield chromium


@pytest.fixture
def painter(daemon: Daemon) -> Iterator[Painter]:
    """A window on the daemon's desktop that is painted as a test likes."""
    with Painter(daemon.x_environment) as painter:
        yield painter
