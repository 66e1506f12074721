"""Each viewer is told who changed the size or the screens, and each who asked is answered."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import TestCase

from kasmd.rfb.numbers import DesktopSizeReason, Encoding
from kasmd.rfb.shape import screens_of
from kasmd.rights import READ
from kasmd.screen.geometry import Rect, Screen
from kasmd.viewer.resizes import Resizes
from tests.viewer.scene import Scene, Watcher

SERVER, OURS, OTHERS = DesktopSizeReason
LISTED = Encoding.RAW, Encoding.LAST_RECT, Encoding.EXTENDED_DESKTOP_SIZE
TWO = (Screen(3, 0, 0, 300, 200, 9), Screen(7, 300, 0, 100, 200))

Told = tuple[int, int, int, int, tuple[Screen, ...]]


class ReasonTests(TestCase):
    """The oldest who waits is the one whose change is made."""

    def test_in_turn(self) -> None:
        resizes, a, b, c = Resizes(), object(), object(), object()
        first, second, refused = Deferred[int](), Deferred[int](), succeed(3)
        self.assertEqual(resizes.reason(a), SERVER)
        answers = [resizes.ask(a, lambda: first), resizes.ask(b, lambda: second)]
        self.assertEqual(self.successResultOf(resizes.ask(a, lambda: refused)), 3)
        self.assertEqual([resizes.reason(who) for who in (a, b, c)], [OURS, OTHERS, OTHERS])
        first.callback(0)
        self.assertEqual([resizes.reason(who) for who in (a, b, c)], [OTHERS, OURS, OTHERS])
        second.callback(2)
        self.assertEqual([resizes.reason(who) for who in (a, b, c)], [SERVER] * 3)
        self.assertEqual([self.successResultOf(answer) for answer in answers], [0, 2])

    def test_one_that_fails_has_had_its_turn(self) -> None:
        resizes = Resizes()
        self.failureResultOf(resizes.ask("a", lambda: succeed(1 // 0)), ZeroDivisionError)
        self.assertEqual(resizes.reason("b"), SERVER)


class ToldTests(TestCase):
    """What goes over the wire."""

    def setUp(self) -> None:
        self.scene = Scene()
        self.one, self.other = self.scene.watch(*LISTED), self.scene.watch(*LISTED)
        self.told()

    def told(self) -> tuple[list[Told], list[Told]]:
        """Give what each was told of sizes since: reason, status, size, screens."""
        both = []
        for watcher in (self.one, self.other):
            self.scene.settle(watcher)
            both.append([
                (*received.rect, screens_of(received)) for received in watcher.rectangles
                if received.encoding == Encoding.EXTENDED_DESKTOP_SIZE
            ])
            watcher.heard.clear()
        return both[0], both[1]

    def ask(self, watcher: Watcher, width: int, height: int, *screens: Screen) -> None:
        watcher.client.send_desktop_size(width, height, screens)
        watcher.exchange()

    def test_several_screens(self) -> None:
        for size in ((400, 200), (400, 201)):
            self.ask(self.one, *size, *TWO[::-1])
            ours, others = self.told()
            self.assertEqual(ours, [(1, 0, *size, TWO)])
            self.assertEqual(others, [(2, 0, *size, TWO)])
            self.assertTrue(self.other.shows(self.scene.display.picture))
        self.ask(self.other, 400, 201, *TWO[:1])
        ours, others = self.told()
        self.assertEqual(ours, [(2, 0, 400, 201, TWO[:1])])
        self.assertEqual(others, [(1, 0, 400, 201, TWO[:1])])

    def test_what_changes_nothing_is_answered_and_not_told(self) -> None:
        self.ask(self.one, 400, 200, *TWO)
        self.told()
        self.ask(self.one, 400, 200, *TWO)
        self.assertEqual(self.told(), ([(1, 0, 400, 200, TWO)], []))

    def test_the_desktop_itself(self) -> None:
        self.scene.display.resize(400, 200, TWO)
        self.assertEqual(self.told(), ([(0, 0, 400, 200, TWO)],) * 2)

    def test_refused(self) -> None:
        """With the layout that there is; the others hear nothing of it."""
        self.ask(self.one, 400, 200, *TWO)
        self.told()
        for status, screens in (
            (3, ()),
            (3, (TWO[0], TWO[0])),
            (3, (TWO[0], Screen(1, 399, 199, 2, 1))),
            (3, (TWO[0], Screen(1, 0, 0, 1, 0))),
            (2, tuple(Screen(number, 0, 0, 9, 9) for number in range(5))),
            (3, tuple(Screen(number, 0, 0, 0, 9) for number in range(255))),
        ):
            self.ask(self.one, 400, 200, *screens)
            self.assertEqual(self.told(), ([(1, status, 400, 200, TWO)], []))
        self.scene.registry.set("writer", READ)
        self.told()
        self.ask(self.one, 500, 200, *TWO)
        self.assertEqual(self.told(), ([(1, 1, 400, 200, TWO)], []))

    def test_one_who_comes_later_is_told_the_screens(self) -> None:
        self.ask(self.one, 320, 240, Screen(1, 0, 0, 160, 240), Screen(2, 160, 0, 160, 240))
        self.told()
        self.other = self.scene.watch(*LISTED)
        self.other.request()
        self.assertEqual(
            self.told()[1],
            [(0, 0, 320, 240, (Screen(1, 0, 0, 160, 240), Screen(2, 160, 0, 160, 240)))],
        )

    def test_a_view_that_comes_back_has_the_screens(self) -> None:
        self.scene.display.resize(400, 200, TWO)
        reader = self.scene.watch(*LISTED, name="nobody")
        reader.request()
        self.scene.registry.set("nobody", READ)
        self.scene.settle(reader)
        told = [received for received in reader.rectangles
                if received.encoding == Encoding.EXTENDED_DESKTOP_SIZE]
        self.assertEqual([screens_of(received) for received in told][-1:], [TWO])
        self.assertTrue(reader.shows(self.scene.display.picture))

    def test_viewers_of_one_screen_see_all_of_it(self) -> None:
        """They are told the size only."""
        simple = self.scene.watch(Encoding.RAW, Encoding.DESKTOP_SIZE)
        simple.request()
        self.ask(self.one, 400, 200, *TWO)
        self.scene.display.noise(Rect(0, 0, 400, 200), 1)
        self.scene.settle(simple)
        self.assertTrue(simple.shows(self.scene.display.picture))
