"""Screenshots: of now, of the size that was asked for, named once, made elsewhere."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from kasmd.interfaces import Principal
from kasmd.permission.dlp import Edge, Rules, VisibleRegion
from kasmd.permission.watermark import Watermark
from kasmd.screen.framebuffer import Identity, Snapshot
from kasmd.screen.geometry import Rect
from kasmd.web import screenshot
from kasmd.web.screenshot import Wanted, make, scaled
from tests.web.asking import Answer
from tests.web.owner import Served


def shot(width: int, height: int, seed: int = 0) -> Snapshot:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 4), np.uint8)
    pixels[..., 3] = 0
    return Snapshot(Identity(1, 1), Rect(0, 0, width, height), pixels)


def size(jpeg: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(jpeg)) as image:
        return image.size


@pytest.mark.parametrize(
    "wanted, found",
    [
        ((320, 200), (320, 200)),
        ((4096, 4096), (320, 200)),
        ((160, 200), (160, 100)),
        ((320, 100), (160, 100)),
        ((33, 4096), (33, 21)),
        ((1, 1), (1, 1)),
        ((320, 1), (2, 1)),
        ((319, 199), (318, 199)),
    ],
)
def test_sizes_keep_their_proportion(wanted: tuple[int, int], found: tuple[int, int]) -> None:
    assert size(make(shot(320, 200), Wanted(*wanted, 5)).jpeg) == found


@pytest.mark.parametrize("quality", range(10))
def test_each_quality_is_larger_than_the_last(quality: int) -> None:
    lengths = [len(make(shot(64, 64), Wanted(64, 64, each)).jpeg) for each in range(10)]
    assert lengths == sorted(set(lengths))


def test_colours_stay_what_they_are() -> None:
    pixels = np.zeros((40, 60, 4), np.uint8)
    pixels[:] = 10, 90, 200, 0
    assert scaled(pixels, 30, 30).shape == (20, 30, 4)
    taken = make(Snapshot(Identity(1, 1), Rect(0, 0, 60, 40), pixels), Wanted(30, 30, 9))
    with Image.open(io.BytesIO(taken.jpeg)) as image:
        assert all(abs(a - b) <= 2 for a, b in zip(image.getpixel((5, 5)), (200, 90, 10)))


def test_the_digest_is_of_size_and_pixels() -> None:
    blank = [
        Snapshot(Identity(1, 1), Rect(0, 0, w, h), np.zeros((h, w, 4), np.uint8))
        for w, h in ((20, 10), (10, 20), (20, 10))
    ]
    digests = [make(each, Wanted(5, 5, 5)).digest for each in (*blank, shot(20, 10))]
    assert digests[0] == digests[2] and len(set(digests)) == 3
    assert all(len(digest) == 16 and int(digest, 16) >= 0 for digest in digests)


def test_the_same_is_not_made_twice() -> None:
    first = make(shot(20, 10), Wanted(5, 5, 5))
    assert make(shot(20, 10), Wanted(5, 5, 5), first) is first
    assert make(shot(20, 10), Wanted(5, 5, 6), first) is not first
    assert make(shot(20, 10, seed=1), Wanted(5, 5, 5), first) is not first


class ScreenshotTests(Served, TestCase):
    """On the port."""

    async def test_it_is_of_now_though_nobody_watches(self) -> None:
        for colour in ((200, 30, 40), (10, 220, 60)):
            self.display.fill(colour)
            answer = await self.get("get_screenshot?quality=9")
            with Image.open(io.BytesIO(answer.body)) as image:
                self.assertEqual(image.size, (320, 200))
                found = image.getpixel((100, 100))
            self.assertTrue(all(abs(a - b) <= 3 for a, b in zip(found, colour)), found)

    async def test_deduplicate(self) -> None:
        target = "get_screenshot?deduplicate=true"
        self.assertEqual((await self.get(target)).type, "image/jpeg")
        digest = await self.get(target)
        self.assertEqual((digest.status, digest.type), (200, "text/plain"))
        self.assertRegex(digest.body, rb"\A[0-9a-f]{16}\Z")
        self.assertEqual((await self.get("get_screenshot")).type, "image/jpeg")
        self.assertEqual((await self.get(target + "&width=100")).type, "image/jpeg")
        self.assertEqual((await self.get(target)).type, "image/jpeg")
        self.display.fill((1, 2, 3))
        self.assertEqual((await self.get(target)).type, "image/jpeg")
        self.assertNotEqual((await self.get(target)).body, digest.body)

    async def test_larger_than_the_screen_is_the_screen(self) -> None:
        await self.get("get_screenshot?width=70000")
        again = await self.get("get_screenshot?deduplicate=t&width=320&height=4096")
        self.assertEqual(again.type, "text/plain")

    async def test_too_many_at_once(self) -> None:
        coming: list[Deferred[Snapshot]] = []
        full: Deferred[None] = Deferred()

        def slowly() -> Deferred[Snapshot]:
            coming.append(Deferred())
            if len(coming) == screenshot.MAX_WAITING:
                full.callback(None)
            return coming[-1]

        self.display.screenshot = slowly  # type: ignore[method-assign]
        waiting = gatherResults(
            [self.get("get_screenshot") for _ in range(screenshot.MAX_WAITING)]
        )
        await full
        self.assertEqual((await self.get("get_screenshot")).status, 503)
        for each in coming:
            each.callback(shot(20, 10))
        answers: list[Answer] = await waiting
        self.assertEqual({answer.status for answer in answers}, {200})

    async def test_a_right_lost_while_it_is_taken(self) -> None:
        coming: Deferred[Snapshot] = Deferred()
        begun: Deferred[None] = Deferred()

        def slowly() -> Deferred[Snapshot]:
            begun.callback(None)
            return coming

        self.display.screenshot = slowly  # type: ignore[method-assign]
        waiting = self.get("get_screenshot")
        await begun
        await self.accounts.remove("own")
        coming.callback(shot(20, 10))
        self.assertIn((await waiting).status, (401, 403))


class RuledTests(Served, TestCase):
    """With a concealed part and a watermark."""

    rules = Rules(
        VisibleRegion(Edge(0), Edge(0), Edge(-160), Edge(0)),
        watermark=Watermark(template="MINE", tint=(255, 0, 0, 255), location=(10, 10)),
    )

    async def test_it_shows_what_a_viewer_is_shown(self) -> None:
        self.display.fill((0, 0, 200))
        viewer = self.around.admit(Principal("reader"))
        seen = viewer.snapshot(Rect(0, 0, 320, 200)).pixels[..., 2::-1]
        with Image.open(io.BytesIO((await self.get("get_screenshot?quality=9")).body)) as image:
            shown = np.asarray(image)
        self.assertLess(np.abs(shown.astype(int) - seen).mean(), 3)
        self.assertFalse(seen[:, 160:].any())
        self.assertLess(shown[:, 176:].max(), 8)
        self.assertGreater((seen[10:80, 10:160] == (255, 0, 0)).all(-1).sum(), 500)
        viewer.leave()


class PatienceTests(Served, TestCase):
    """Time is the test's."""

    def setUp(self) -> None:
        self.clock = Clock()
        super().setUp()

    async def test_a_display_that_does_not_answer(self) -> None:
        asked: Deferred[None] = Deferred()

        def silent() -> Deferred[Snapshot]:
            reactor.callLater(0, asked.callback, None)  # type: ignore[attr-defined]
            return Deferred()

        self.display.screenshot = silent  # type: ignore[method-assign]
        waiting = self.get("get_screenshot")
        await asked
        self.clock.advance(screenshot.SECONDS)
        answer = await waiting
        self.assertEqual(answer.status, 503)
        self.assertTrue(answer.body.startswith(b"503 Service Unavailable\n"), answer.body)
