"""The way out: order, pauses, patience and bounds."""

from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from kasmd.viewer.outbox import MAX_HELD, OVERHEAD, Outbox


class Wire:
    """A transport that remembers, and asks for a pause after ``room`` messages."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.room = 1_000_000
        self.outbox: Outbox

    def send(self, data: bytes) -> None:
        self.sent.append(data)
        if len(self.sent) == self.room:
            self.outbox.pauseProducing()


class OutboxTests(TestCase):
    def setUp(self) -> None:
        self.clock, self.wire = Clock(), Wire()
        self.failures: list[str] = []
        self.resumed = 0
        self.outbox = Outbox(self.wire, self.clock, 30.0, self._resumed, self.failures.append)
        self.wire.outbox = self.outbox

    def _resumed(self) -> None:
        self.resumed += 1

    def test_is_a_push_producer(self) -> None:
        self.assertTrue(IPushProducer.providedBy(self.outbox))

    def test_sends_at_once_while_free(self) -> None:
        self.outbox.put([b"a", b"b"])
        self.assertEqual(self.wire.sent, [b"a", b"b"])
        self.assertEqual(self.outbox.sent, 2)

    def test_holds_during_a_pause_and_keeps_the_order(self) -> None:
        self.outbox.pauseProducing()
        self.outbox.put([b"a", b"b"])
        self.assertEqual(self.wire.sent, [])
        self.outbox.resumeProducing()
        self.outbox.put([b"c"])
        self.assertEqual(self.wire.sent, [b"a", b"b", b"c"])
        self.assertEqual(self.resumed, 1)

    def test_a_pause_in_the_middle_holds_the_rest(self) -> None:
        self.wire.room = 1
        self.outbox.put([b"a", b"b"])
        self.assertEqual(self.wire.sent, [b"a"])
        self.outbox.resumeProducing()
        self.assertEqual(self.wire.sent, [b"a", b"b"])

    def test_nothing_comes_between_the_slices_of_an_update(self) -> None:
        self.outbox.put_slice(b"1", last=False)
        self.outbox.put([b"fence"])
        self.outbox.put_slice(b"2", last=True)
        self.assertEqual(self.wire.sent, [b"1", b"2", b"fence"])

    def test_patience_ends_when_nothing_is_taken(self) -> None:
        self.outbox.pauseProducing()
        self.clock.advance(29)
        self.assertEqual(self.failures, [])
        self.clock.advance(2)
        self.assertEqual(self.failures, ["took nothing for 30 s"])

    def test_another_patience_holds_for_a_wait_that_has_begun(self) -> None:
        self.outbox.pauseProducing()
        self.outbox.set_patience(5)
        self.clock.advance(6)
        self.assertEqual(self.failures, ["took nothing for 5 s"])

    def test_a_slow_viewer_that_takes_something_is_kept(self) -> None:
        for _ in range(5):
            self.outbox.pauseProducing()
            self.clock.advance(29)
            self.outbox.resumeProducing()
        self.assertEqual(self.failures, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_one_that_asks_and_never_takes_is_given_up(self) -> None:
        self.outbox.pauseProducing()
        self.outbox.put([bytes(MAX_HELD - OVERHEAD)])
        self.assertEqual(self.failures, [])
        self.outbox.put([b"x"])
        self.assertEqual(self.failures, ["asked for more than it takes"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_held_messages_of_a_type_can_be_dropped(self) -> None:
        self.outbox.pauseProducing()
        self.outbox.put([b"\x03secret", b"\x02", b"\xb4secret", b"\x03more"])
        self.outbox.drop(3, 180)
        self.outbox.put([bytes(MAX_HELD - 2 * OVERHEAD - 1)])
        self.outbox.resumeProducing()
        self.assertEqual([item[0] for item in self.wire.sent], [2, 0])
        self.assertEqual(self.failures, [])

    def test_nothing_leaves_after_the_end(self) -> None:
        self.outbox.put_slice(b"1", last=False)
        self.outbox.put([b"held"])
        self.outbox.close()
        self.outbox.put([b"late"])
        self.outbox.put_slice(b"2", last=True)
        self.outbox.resumeProducing()
        self.assertEqual(self.wire.sent, [b"1"])
        self.assertEqual((self.resumed, self.outbox.stopped), (0, True))
