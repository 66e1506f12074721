"""Somebody far away presses keys while a film plays, a text scrolls, or a photograph appears."""

from __future__ import annotations

from math import sin
from typing import Callable, Mapping

import numpy as np

from bench.pictures import film
from kasmd.codec.video import Codec, Encoding
from kasmd.rfb.client import UpdateReceived
from kasmd.screen.geometry import Move, Rect
from kasmd.screen.pixels import Pixels
from kasmd.screen.region import Region
from kasmd.viewer.quality import Rules
from tests.viewer.link import Faraway
from tests.viewer.scene import Scene, Watcher

SIZE = 1280, 720
#: Seconds of one step of a simulation, and from one picture to the next.
_STEP, _FRAME = 0.005, 1 / 30


class Keyboard:
    """Presses keys from second ``first`` on; each changes the colour of a square.

    ``ages`` is how long each took to show; a last one that does not counts as it is.
    """

    PLACE = Rect(600, 660, 20, 20)
    COLOURS = (255, 0, 0), (0, 0, 255)
    REST = 0.37

    def __init__(self, scene: Scene, watcher: Watcher, delay: float, first: float) -> None:
        self._ages: list[float] = []
        self._scene = scene
        self.watcher = watcher
        self._delay = delay
        self._drawn = 0
        self._pressed_at = first
        self._waiting = False

    @property
    def ages(self) -> list[float]:
        waits = [self._scene.clock.seconds() - self._pressed_at] if self._waiting else []
        return self._ages + waits

    def draw_into(self, picture: Pixels) -> None:
        """Draw the square that there is."""
        place = self.PLACE
        picture[place.y:place.bottom, place.x:place.right, :3] = self.COLOURS[self._drawn % 2]

    def go_on(self) -> None:
        """Draw what was pressed, and see whether it shows."""
        now = self._scene.clock.seconds()
        if not self._waiting and now >= self._pressed_at + self._delay:
            self._waiting = True
            self._drawn += 1
            self._scene.display.fill(self.COLOURS[self._drawn % 2][::-1], self.PLACE)
        shown = self.watcher.picture[670, 610, :3].astype(int)
        if self._waiting and abs(shown - self.COLOURS[self._drawn % 2]).max() < 80:
            self._ages.append(now - self._pressed_at)
            self._waiting = False
            self._pressed_at = now + self.REST


#: Paints what the desktop shows in its frame of this number, over the square or not.
Paint = Callable[[Scene, Keyboard, int], None]


def film_of(height: int) -> Paint:
    """Play a film as wide as the desktop; over the square where it has all of the 720 rows."""
    frames = film(SIZE[0], height, 6)

    def paint(scene: Scene, keyboard: Keyboard, number: int) -> None:
        frame = frames[number % len(frames)]
        if height == SIZE[1]:
            keyboard.draw_into(frame)
        scene.display.paint(Rect(0, 0, SIZE[0], height), frame)

    return paint


def text() -> Paint:
    """Scroll a text by a line of 16 rows every other frame; a second of it has about 10 KB."""
    chance = np.random.default_rng(20)
    letters = chance.integers(0, 4, (54, 12, 6)) // 3 * 240
    page = np.zeros((608, 800, 4), np.uint8)

    def scroll() -> None:
        page[:-16] = page[16:].copy()
        page[-16:] = 0
        line = np.concatenate(letters[chance.integers(0, 54, chance.integers(30, 120))], axis=1)
        page[-14:-2, 2:2 + line.shape[1], :3] = line[..., None]

    for _ in range(38):
        scroll()

    def paint(scene: Scene, _keyboard: Keyboard, number: int) -> None:
        if number % 2:
            scroll()
            scene.display.paint(Rect(100, 20, 800, 608), page)

    return paint


def photograph(shown: int) -> Paint:
    """Show a photograph of 1000 x 600 pixels in frame number ``shown``, and nothing else."""
    picture = film(1000, 600, 1)[0]

    def paint(scene: Scene, _keyboard: Keyboard, number: int) -> None:
        if number == shown:
            scene.display.paint(Rect(0, 0, 1000, 600), picture)

    return paint


def dragged() -> Paint:
    """Drag a window with a photograph along a curve over another."""
    wall, shown = film(*SIZE, 1, seed=3)[0], film(300, 200, 1)[0]
    window = Rect(500, 260, 300, 200)

    def paint(scene: Scene, keyboard: Keyboard, number: int) -> None:
        nonlocal window
        display = scene.display
        if number == 1:
            keyboard.draw_into(wall)
            display.paint(Rect(0, 0, *SIZE), wall)
            display.paint(window, shown)
        before, angle = window, number / 30
        window = window._replace(x=int(490 + 390 * sin(angle)), y=int(240 + 120 * sin(2 * angle)))
        display.move(Move(window, window.x - before.x, window.y - before.y))
        for rect in Region([before]).subtract(Region([window])).rects:
            display.paint(rect, wall[rect.y:rect.bottom, rect.x:rect.right])

    return paint


def keys_over(rate: float, trip: float, seconds: float, paint: Paint, *encodings: int,
              first: float = 2.0, rules: Rules = Rules(),
              video: Mapping[Codec, Encoding] = {}) -> tuple[list[float], int]:
    """Give how long key presses took to show, and how many updates came."""
    scene = Scene(*SIZE)
    scene.encoders.found = video
    scene.around.rules = rules
    watcher = scene.watch(*encodings)
    far = Faraway(watcher, scene.clock, rate, trip / 2)
    watcher.client.send_continuous_updates(True, Rect(0, 0, *SIZE))
    keyboard = Keyboard(scene, watcher, trip / 2, first)
    number = 0
    while scene.clock.seconds() < seconds:
        if scene.clock.seconds() >= number * _FRAME:
            number += 1
            paint(scene, keyboard, number)
        keyboard.go_on()
        scene.clock.advance(_STEP)
        far.carry()
    return keyboard.ages, len(watcher.told(UpdateReceived))
