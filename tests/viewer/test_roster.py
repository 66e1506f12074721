"""Who is here."""

from types import SimpleNamespace

from twisted.trial.unittest import TestCase

from kasmd.viewer.roster import Roster


class RosterTests(TestCase):
    def setUp(self) -> None:
        self.roster = Roster()
        self.told: list[int] = []
        self.stop = self.roster.watch(lambda: self.told.append(len(self.roster.viewers())))
        self.ann = SimpleNamespace(name="ann", peer="127.0.0.1")
        self.bob = SimpleNamespace(name="bob", peer="127.0.0.1")

    def test_oldest_first_and_watchers_told(self) -> None:
        self.roster.joined(self.ann)
        self.roster.joined(self.bob)
        self.roster.left(self.ann)
        self.assertEqual(self.told, [1, 2, 1])
        self.assertEqual(self.roster.viewers(), (self.bob,))

    def test_one_who_never_joined_leaves_quietly(self) -> None:
        self.roster.left(self.ann)
        self.assertEqual(self.told, [])

    def test_no_word_after_stopping(self) -> None:
        self.stop()
        self.stop()
        self.roster.joined(self.ann)
        self.assertEqual(self.told, [])

    def test_one_failing_watcher_does_not_hurt_another(self) -> None:
        self.stop()
        self.roster.watch(lambda: 1 / 0)
        self.roster.watch(lambda: self.told.append(1))
        self.roster.joined(self.ann)
        self.assertEqual(self.told, [1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_alone_when_the_last_connection_is_closed(self) -> None:
        self.successResultOf(self.roster.when_alone())
        for viewer in (self.ann, self.bob):
            self.roster.joined(viewer)
            self.roster.left(viewer)
        alone = self.roster.when_alone()
        self.roster.lost(self.ann)
        self.assertNoResult(alone)
        self.roster.lost(self.bob)
        self.successResultOf(alone)
