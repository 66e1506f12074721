"""One mask for all seats of a display, drawn anew when the watermark tells another time."""

from __future__ import annotations

from typing import Any, Callable, Optional

import numpy as np
import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer

from kasmd.errors import ConfigError
from kasmd.interfaces import IWorker
from kasmd.permission.dlp import Edge, Rules, VisibleRegion
from kasmd.permission.prevention import COVERED_BYTES, Prevention
from kasmd.permission.watermark import Watermark
from kasmd.screen.framebuffer import Identity, Snapshot
from kasmd.screen.geometry import Rect
from kasmd.screen.mask import Mask
from kasmd.screen.region import Region

SIZE = (60, 40)
TOP = Rules(visible_region=VisibleRegion(*map(Edge, (0, 0, 0, 30))))
CLOCK = Rules(watermark=Watermark(template="%H:%M:%S", timezone="UTC", font_size=12))


def snapshot(rect: Rect, frame: int = 1) -> Snapshot:
    return Snapshot(Identity(1, frame), rect, np.full((rect.height, rect.width, 4), 9, np.uint8))


def mask_of(rules: Prevention) -> Mask:
    mask = rules.mask(SIZE)
    assert mask is not None
    return mask


@implementer(IWorker)
class Later:
    """Does one piece of work when it is told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = []

    def do(self, work: Callable[..., Any], *args: Any) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self.waiting.append((done, work, args))
        return done

    def work(self) -> None:
        done, work, args = self.waiting.pop(0)
        done.callback(work(*args))


class Scene:
    """A watermark that tells the time, and who hears of its changes."""

    def __init__(self, worker: Optional[Later] = None, rules: Rules = CLOCK) -> None:
        self.seconds = 0.0
        self.prevention = Prevention(rules, worker, wall=lambda: self.seconds)
        self.redrawn: list[Region] = []
        self.end = self.prevention.when_redrawn(
            lambda: self.redrawn.append(self.prevention.redrawn)
        )

    def after(self, seconds: float) -> None:
        self.seconds += seconds
        self.prevention.refresh()


def test_without_rules_nothing_is_touched() -> None:
    free = Prevention()
    given = snapshot(Rect(0, 0, *SIZE))
    assert free.mask(SIZE) is None and free.look(given, SIZE) is given
    assert free.visible(SIZE) == given.rect and free.refresh() is None
    given_back: list[Snapshot] = []
    free.cover(given).addCallback(given_back.append)
    assert given_back[0] is given


def test_a_mask_is_of_one_size_and_of_nobody_else() -> None:
    first, other = Prevention(TOP), Prevention(TOP)
    assert first.mask(SIZE) is first.mask(SIZE)
    idents = [mask_of(first).ident, mask_of(other).ident]
    assert first.mask((10, 10)) is not first.mask(SIZE)
    idents.append(mask_of(first).ident)
    assert len(set(idents)) == 3 and 0 not in idents
    assert mask_of(first).visible == Rect(0, 0, 60, 30)


def test_what_was_covered_is_the_same_for_all() -> None:
    rules, rect = Prevention(TOP), Rect(0, 20, 10, 20)
    seen = rules.look(snapshot(rect), SIZE)
    assert seen.identity == Identity(1, 1, mask_of(rules).ident)
    assert seen.pixels[:10].all() and not seen.pixels[10:].any()
    assert rules.look(snapshot(rect), SIZE) is seen
    again = rules.look(snapshot(rect, frame=2), SIZE)
    assert again is not seen and again.identity.frame == 2
    assert rules.look(snapshot(rect, frame=2), SIZE) is again


def test_what_is_kept_is_bounded() -> None:
    rules, size, small = Prevention(TOP), (2000, 2000), Rect(0, 1965, 10, 10)
    kept = rules.look(snapshot(small), size)
    large = Rect(0, 0, 2000, 2000)
    assert 4 * large.area > COVERED_BYTES
    assert rules.look(snapshot(large), size) is not rules.look(snapshot(large), size)
    assert rules.look(snapshot(small), size) is kept
    half = Rect(0, 0, 1000, 1000)
    for frame in range(2, 9):
        assert rules.look(snapshot(half, frame), size) is rules.look(snapshot(half, frame), size)


def test_the_time_is_drawn_anew_when_it_changes() -> None:
    scene = Scene()
    before = mask_of(scene.prevention)
    scene.after(0.5)
    assert scene.prevention.mask(SIZE) is before and scene.redrawn == []
    scene.after(0.5)
    after = mask_of(scene.prevention)
    assert after.ident != before.ident
    assert scene.redrawn == [before.stamped.union(after.stamped)] and scene.redrawn[0]
    whole = snapshot(Rect(0, 0, *SIZE))
    assert not np.array_equal(before.cover(whole).pixels, after.cover(whole).pixels)
    scene.end()
    scene.after(1)
    assert len(scene.redrawn) == 1


def test_where_a_wider_text_was_is_drawn_anew_as_well() -> None:
    scene = Scene(rules=Rules(watermark=Watermark(template="%-M", timezone="UTC", font_size=12)))
    scene.after(59 * 60)
    wide = mask_of(scene.prevention).stamped
    scene.after(60)
    narrow = mask_of(scene.prevention).stamped
    assert wide.subtract(narrow) and scene.redrawn == [wide.union(narrow)]


def test_nobody_hears_of_a_watermark_that_nobody_saw() -> None:
    scene = Scene()
    scene.after(1)
    assert scene.redrawn == []


def test_long_work_is_the_workers() -> None:
    worker = Later()
    scene = Scene(worker)
    before = mask_of(scene.prevention)
    scene.after(1)
    assert scene.prevention.mask(SIZE) is before
    worker.work()
    assert scene.prevention.mask(SIZE) is not before and len(scene.redrawn) == 1
    covered: list[Snapshot] = []
    whole = snapshot(Rect(0, 0, *SIZE))
    scene.prevention.cover(whole).addCallback(covered.append)
    assert covered == []
    worker.work()
    assert covered[0].identity.mask == mask_of(scene.prevention).ident
    assert np.array_equal(covered[0].pixels, mask_of(scene.prevention).cover(whole).pixels)


def test_a_wrong_file() -> None:
    with pytest.raises(ConfigError):
        Prevention(Rules(watermark=Watermark(image="/nowhere.png")))
