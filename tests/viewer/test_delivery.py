"""Delivery: exact in the end, quick over a thin link, never awake for nothing."""

from __future__ import annotations

import json

import pytest
from twisted.trial.unittest import TestCase

from bench.pictures import film
from kasmd.rfb.client import UpdateReceived
from kasmd.rfb.numbers import Encoding
from kasmd.screen.geometry import Move, Rect
from kasmd.viewer.measures import Network, Scores
from kasmd.viewer.quality import Rules
from tests.viewer.link import Faraway, percentile
from tests.viewer.pressing import Keyboard, dragged, film_of, keys_over, photograph, text
from tests.viewer.scene import Scene, Watcher

BEST = -23
QUALITY = {level: -32 + level for level in range(10)}
TIGHT = Encoding.TIGHT, Encoding.LAST_RECT, Encoding.FENCE, Encoding.CONTINUOUS_UPDATES
FINE_50, GRAY = -462, -765
VIDEO_AREA_1, VIDEO_ALWAYS, RATE_10 = -971, -870, -2048
FRAME = 1 / 30


class Play:
    """A desktop with a film on it, and somebody who watches."""

    def __init__(self, *encodings: int, kasm: bool = False, rules: Rules = Rules(),
                 size: tuple[int, int] = (480, 320)) -> None:
        self.scene = Scene(*size)
        self.scene.around.rules = rules
        self.all = Rect(0, 0, *size)
        self.frames = film(*size, 6)
        self.shown = 0
        self.watcher = self.watch(*encodings, kasm=kasm)

    def watch(self, *encodings: int, kasm: bool = False) -> Watcher:
        """Have one more watch all the time, if he can."""
        watcher = self.scene.watch(*encodings, kasm=kasm)
        if Encoding.CONTINUOUS_UPDATES in encodings:
            watcher.client.send_continuous_updates(True, self.all)
        self.pass_time(0.01, watcher)
        return watcher

    def paint(self) -> None:
        """Show the next picture."""
        self.shown += 1
        self.scene.display.paint(self.all, self.frames[self.shown % len(self.frames)])

    def play(self, seconds: float, *watchers: Watcher) -> None:
        """Show the film for so long."""
        for _ in range(round(seconds / FRAME)):
            self.paint()
            self.pass_time(FRAME, *watchers)

    def pass_time(self, seconds: float, *watchers: Watcher) -> None:
        """Let time go by, and carry what is said."""
        for _ in range(8):
            self.scene.clock.advance(seconds / 8)
            for watcher in watchers or (self.watcher,):
                watcher.exchange()

    def exact(self, watcher: Watcher) -> bool:
        """Tell whether all pixels are right."""
        return watcher.shows(self.scene.display.picture)


#: What one lists, whether he is Kasm's, and by which way he loses something.
LOSSY = {
    **{f"level {level}": ((*TIGHT, number), False, "JPEG") for level, number in QUALITY.items()},
    "subsampled": ((*TIGHT, QUALITY[6], -767), False, "JPEG"),
    "gray": ((*TIGHT, QUALITY[6], GRAY), False, "JPEG"),
    "fine": ((*TIGHT, FINE_50), False, "JPEG"),
    "one by one": ((Encoding.TIGHT, QUALITY[6], *TIGHT[2:]), False, "JPEG"),
    **{f"{encoding.name}, JPEG": ((encoding, Encoding.JPEG, *TIGHT[1:], QUALITY[6]), False,
                                  "JPEG rectangles")
       for encoding in (Encoding.RAW, Encoding.HEXTILE, Encoding.ZLIB, Encoding.ZRLE)},
    "Kasm": ((*TIGHT, QUALITY[6]), True, "JPEG"),
    "Kasm, WebP": ((*TIGHT, QUALITY[6], Encoding.KASM_WEBP), True, "WebP"),
    "Kasm, video": ((*TIGHT, QUALITY[6], VIDEO_AREA_1, VIDEO_ALWAYS + 1), True, "smaller"),
}
#: Thin enough that WebP is worth its time, and small enough pictures are scaled.
RULES = Rules(max_bandwidth=900_000, max_resolution=(240, 160))


def ways(watcher: Watcher) -> set[str]:
    """Give how what came was lossy."""
    found = {"smaller"} if watcher.shrunk else set()
    for _, encoding, payload in watcher.rectangles:
        if encoding == Encoding.TIGHT and payload[0] in (0x90, 0xB0):
            found.add({0x90: "JPEG", 0xB0: "WebP"}[payload[0]])
        elif encoding == Encoding.JPEG:
            found.add("JPEG rectangles")
    return found


@pytest.mark.parametrize("encodings, kasm, way", LOSSY.values(), ids=LOSSY.keys())
@pytest.mark.parametrize("seconds", [0.0, 2.0], ids=["still", "film"])
def test_a_still_screen_is_exact(encodings: tuple[int, ...], kasm: bool, way: str,
                                 seconds: float) -> None:
    play = Play(*encodings, kasm=kasm, rules=RULES)
    play.paint()
    play.pass_time(0.02)
    play.play(seconds)
    assert not play.exact(play.watcher), "nothing was lost"
    assert way in ways(play.watcher) or (way == "smaller" and not seconds)
    for _ in range(8):
        play.pass_time(1)
    assert play.exact(play.watcher)
    assert play.scene.clock.getDelayedCalls() == [], "awake for nothing"


class ExactTests(TestCase):
    """When what was lost is made good."""

    def test_it_takes_kasmvncs_time_and_no_less(self) -> None:
        play = Play(*TIGHT, QUALITY[6])
        play.paint()
        play.pass_time(0.11)
        self.assertFalse(play.exact(play.watcher))
        play.pass_time(0.12)
        self.assertTrue(play.exact(play.watcher))

    def test_what_moves_before_it_is_made_good_takes_its_losses_along(self) -> None:
        play = Play(Encoding.COPY_RECT, *TIGHT, QUALITY[6])
        photograph = Rect(0, 0, 200, 160)
        play.pass_time(5)
        play.scene.display.paint(photograph, play.frames[0][:160, :200])
        play.pass_time(0.02)
        for dx, dy in ((240, 0), (0, 160)):
            photograph = photograph.moved(dx, dy)
            play.scene.display.move(Move(photograph, dx, dy))
            play.pass_time(0.02)
        self.assertEqual([each.encoding for each in play.watcher.rectangles[-2:]], [1, 1])
        self.assertFalse(play.exact(play.watcher))
        for _ in range(5):
            play.pass_time(1)
        self.assertTrue(play.exact(play.watcher))

    def test_without_a_quality_all_is_exact_at_once(self) -> None:
        play = Play(*TIGHT)
        play.paint()
        play.pass_time(0.01)
        self.assertTrue(play.exact(play.watcher))
        self.assertEqual(play.scene.clock.getDelayedCalls(), [])

    def test_what_counts_as_lossless_stays_as_it_is(self) -> None:
        play = Play(*TIGHT, QUALITY[6], -1003 + 6, kasm=True)
        play.paint()
        play.pass_time(5)
        self.assertFalse(play.exact(play.watcher))

    def test_one_who_asks_is_refined_too(self) -> None:
        play = Play(Encoding.TIGHT, QUALITY[6], Encoding.LAST_RECT)
        play.paint()
        for _ in range(60):
            play.watcher.request(incremental=True)
            play.pass_time(0.05)
        self.assertTrue(play.exact(play.watcher))

    def test_many_are_refined_with_one_encoding(self) -> None:
        def made(viewers: int) -> int:
            play = Play(*TIGHT, QUALITY[6])
            watchers = [play.watcher] + [
                play.watch(*TIGHT, QUALITY[6]) for _ in range(viewers - 1)
            ]
            play.pass_time(3, *watchers)
            before = play.scene.encodings.made
            play.play(1.0, *watchers)
            play.pass_time(3, *watchers)
            self.assertTrue(all(play.exact(watcher) for watcher in watchers))
            return play.scene.encodings.made - before

        self.assertEqual(made(4), made(1))


class FilmTests(TestCase):
    """What moves has another quality than what stands."""

    def test_a_film_is_subsampled(self) -> None:
        play = Play(*TIGHT, QUALITY[6])
        play.play(1.5)
        kinds = {
            _sampling(rectangle.payload) for rectangle in play.watcher.rectangles[-3:]
        }
        self.assertEqual(kinds, {0x22})

    def test_not_for_one_who_named_another(self) -> None:
        play = Play(*TIGHT, QUALITY[6], -768)
        play.play(1.5)
        self.assertEqual(_sampling(play.watcher.rectangles[-1].payload), 0x11)

    def test_video_mode_is_scaled_for_kasms_client_only(self) -> None:
        for kasm in (True, False):
            rules = RULES._replace(video_time=0)
            play = Play(*TIGHT, QUALITY[6], kasm=kasm, rules=rules)
            play.play(1.0)
            self.assertEqual(bool(play.watcher.shrunk), kasm)
            self.assertTrue(all(width <= 240 for width, _ in play.watcher.shrunk))

    def test_kasms_client_says_how_large(self) -> None:
        play = Play(*TIGHT, QUALITY[6], VIDEO_AREA_1, VIDEO_ALWAYS, kasm=True)
        play.watcher.client.send(bytes([252, 0, 120, 0, 80]))
        play.play(1.0)
        self.assertEqual(max(width for width, _ in play.watcher.shrunk), 120)

    def test_a_frame_rate_of_ones_own(self) -> None:
        play = Play(*TIGHT, QUALITY[6], RATE_10, kasm=True)
        other = play.watch(*TIGHT, QUALITY[6])
        play.pass_time(1, play.watcher, other)
        play.watcher.heard.clear()
        other.heard.clear()
        play.play(2.0, play.watcher, other)
        counts = [len(watcher.told(UpdateReceived)) for watcher in (play.watcher, other)]
        self.assertTrue(17 <= counts[0] <= 22, counts)
        self.assertGreaterEqual(counts[1], 59)


class LinkTests(TestCase):
    """Keys are pressed over 2 Mbit/s, or 56 kbit/s, and 100 ms."""

    def test_over_a_film_a_key_press_shows_within_a_quarter_of_a_second(self) -> None:
        for height in (720, 600):
            ages, updates = keys_over(250_000, 0.1, 10, film_of(height), *TIGHT, QUALITY[6])
            self.assertGreater(len(ages), 10)
            self.assertLessEqual(percentile(ages, 0.95), 0.25)
            self.assertGreater(updates, 10 * 10 * 0.9)

    def test_over_a_film_on_a_very_thin_link_a_key_press_shows_within_a_second(self) -> None:
        for height in (600, 720):
            ages, _ = keys_over(7_000, 0.1, 12, film_of(height), *TIGHT, QUALITY[6])
            assert len(ages) > 8 and max(ages) < 1.0

    def test_a_film_comes_whole_where_the_link_bears_it(self) -> None:
        """At 150 kB/s a picture of the least quality takes less than three updates' time."""
        paint, apart = film_of(600), []

        def watched(scene: Scene, keyboard: Keyboard, number: int) -> None:
            seen = keyboard.watcher.picture[:600, :, :3].astype(int)
            if number > 60 and number % 10 == 5:
                apart.append(abs(seen - scene.display.picture[:600, :, :3]).mean(axis=(1, 2)))
            paint(scene, keyboard, number)

        ages, _ = keys_over(150_000, 0.1, 6, watched, *TIGHT, QUALITY[6])
        self.assertLessEqual(percentile(ages, 0.95), 0.25)
        whole = [max(rows) < 2 * min(rows) for rows in apart]
        self.assertTrue(all(whole), "no row is older than another")

    def test_a_key_press_does_not_wait_for_a_text_that_scrolls(self) -> None:
        """There is more of the text than 56 kbit/s carry."""
        for encodings in ((Encoding.COPY_RECT, *TIGHT, QUALITY[6]), (*TIGHT, QUALITY[6]), TIGHT):
            ages, _ = keys_over(7_000, 0.1, 25, text(), *encodings, first=5.0)
            self.assertGreater(len(ages), 20)
            self.assertLessEqual(percentile(ages, 0.95), 0.6)
            self.assertLess(max(ages), 1.0)

    def test_a_key_press_does_not_wait_for_a_photograph(self) -> None:
        """All of it, without loss, takes minutes; of what is not known 16 KiB may be under way."""
        for encodings in ((*TIGHT, QUALITY[6]), TIGHT):
            for shown in (1, 90):
                ages, _ = keys_over(7_000, 0.1, 25, photograph(shown), *encodings, first=0.5)
                self.assertGreater(len(ages), 20)
                self.assertLessEqual(percentile(ages, 0.85), 0.7)
                self.assertLess(max(ages), 5.0)

    def test_a_key_press_does_not_wait_for_a_window_that_is_dragged(self) -> None:
        """What it uncovers is in many small pieces, and the first picture is on its way, too."""
        for rate, most in ((7_000, 0.6), (30_000, 0.4)):
            ages, _ = keys_over(
                rate, 0.1, 25, dragged(), Encoding.COPY_RECT, *TIGHT, QUALITY[6], first=4.0
            )
            self.assertGreater(len(ages), 12)
            self.assertLessEqual(percentile(ages, 0.95), most)

    def test_one_with_a_thin_link_takes_nothing_from_the_others(self) -> None:
        play = Play(*TIGHT, QUALITY[8], size=(400, 300))
        far = Faraway(play.scene.watch(*TIGHT, QUALITY[8]), play.scene.clock, 40_000, 0.05)
        far.watcher.client.send_continuous_updates(True, play.all)
        for _ in range(150):
            play.paint()
            for _ in range(8):
                play.scene.clock.advance(FRAME / 8)
                play.watcher.exchange()
                far.carry()
        near, thin = (
            [len(rectangle.payload) for rectangle in watcher.rectangles[-5:]]
            for watcher in (play.watcher, far.watcher)
        )
        self.assertGreater(min(near), 2 * max(thin))
        self.assertGreater(len(play.watcher.told(UpdateReceived)), 147)

    def test_a_cap_holds_from_the_first_byte_on(self) -> None:
        for encodings in ((*TIGHT, QUALITY[6]), TIGHT, (Encoding.RAW, *TIGHT[1:])):
            play = Play(*encodings, rules=Rules(max_bandwidth=100_000))
            sent = []
            for _ in range(5):
                play.play(1.0)
                sent.append(sum(len(rectangle.payload) for rectangle in play.watcher.rectangles))
            for seconds, size in enumerate(sent, 1):
                self.assertLess(size, (seconds + 0.15) * 100_000, encodings)
            self.assertGreater(sent[-1], 3.5 * 100_000, encodings)

    def test_a_cap_counts_what_is_said_between_pictures(self) -> None:
        play = Play(*TIGHT, QUALITY[6], rules=Rules(max_bandwidth=100_000))
        play.play(1.0)
        play.watcher.heard.clear()
        play.scene.display.copy({"text/plain": b"x" * 300_000})
        play.play(2.0)
        self.assertLess(len(play.watcher.rectangles), 5)

    def test_with_a_cap_the_newest_picture_wins(self) -> None:
        ages, updates = keys_over(
            12_500_000, 0.02, 10, film_of(720), *TIGHT, QUALITY[6],
            rules=Rules(max_bandwidth=250_000),
        )
        self.assertGreater(len(ages), 10)
        self.assertLessEqual(percentile(ages, 0.95), 0.25)
        self.assertGreater(updates, 10 * 10 * 0.9)


class StatisticsTests(TestCase):
    """What is told of the link and the processor is what they are."""

    KASM = *TIGHT, QUALITY[6]

    def played(self, rate: float, trip: float, frame: float = 1 / 30) -> tuple[Scores, Network]:
        """Play a film over a link, and ask as Kasm's client does (178, 190)."""
        scene = Scene(640, 480)
        scene.around.frame = frame
        watcher = scene.watch(*self.KASM, kasm=True)
        far = Faraway(watcher, scene.clock, rate, trip / 2)
        watcher.client.send_continuous_updates(True, Rect(0, 0, 640, 480))
        frames = film(640, 480, 6)
        for number in range(1000):
            if number % 8 == 0:
                scene.display.paint(Rect(0, 0, 640, 480), frames[number // 8 % len(frames)])
            scene.clock.advance(0.004)
            far.carry()
        for number in (178, 190):
            watcher.client.send(bytes([number, 0, 0, 0]))
        watcher.exchange()
        told = [json.loads(watcher.kasm_told(number)[-1][3:]) for number in (178, 190)]
        return Scores(*told[0]), Network(*told[1])

    def test_the_link(self) -> None:
        for rate, trip in ((250_000, 0.1), (120_000, 0.2), (400_000, 0.04)):
            scores, network = self.played(rate, trip)
            self.assertTrue(0.8 < network.bandwidth / rate < 1.2, (rate, network))
            self.assertTrue(trip <= network.ping / 1000 < trip + 0.03, (trip, network))
            self.assertLess(scores.network, 9.9)
        scores, network = self.played(50e6, 0.01)
        self.assertGreater(scores.network, 9)
        self.assertGreater(network.bandwidth, 2_000_000)

    def test_the_processor(self) -> None:
        """Of a frame that lasts for ever encoding takes no part, and all of one of a moment."""
        for frame, least, most in ((60.0, 10, 10), (1e-5, 0, 1)):
            scores, _ = self.played(50e6, 0.01, frame)
            self.assertTrue(least <= scores.cpu <= most, scores)
            self.assertTrue(least <= scores.cpu_recent <= most, scores)


def _sampling(payload: bytes) -> int:
    """Give the horizontal and vertical factor of the luma of a JPEG."""
    frame = payload.index(b"\xff\xc0")
    return payload[frame + 11]
