"""A viewer's way in and out, as a script of the wire."""

from __future__ import annotations

import struct

from twisted.trial.unittest import TestCase

from kasmd.errors import LockedOut, LoginRefused
from kasmd.interfaces import IViewer, Principal
from kasmd.rfb.client import KasmMessageSent
from kasmd.rfb.limits import Limits
from kasmd.rfb.numbers import Encoding
from kasmd.viewer.protocol import Viewer
from tests.viewer.scene import HANDSHAKE, MAX_VIEWERS, Line, Scene

VERSION = b"RFB 003.008\n"


class EntranceTests(TestCase):
    """Through a carrier that has proven who it is."""

    def setUp(self) -> None:
        self.scene, self.line = Scene(), Line()

    def enter(self, name: str = "writer") -> Viewer:
        return Viewer(self.line, Principal(name), self.scene.around)

    def test_is_a_viewer(self) -> None:
        viewer = self.enter()
        self.assertTrue(IViewer.providedBy(viewer))
        self.assertEqual((viewer.name, viewer.peer), ("writer", "192.0.2.1"))

    def test_the_handshake(self) -> None:
        viewer = self.enter()
        self.assertEqual(self.line.take(), [VERSION])
        viewer.received(VERSION)
        self.assertEqual(self.line.take(), [b"\x01\x01"])
        viewer.received(b"\x01")
        self.assertEqual(self.line.take(), [b"\x00\x00\x00\x00"])
        self.assertEqual(self.scene.roster.viewers(), ())
        viewer.received(b"\x01")
        (init,) = self.line.take()
        self.assertEqual(struct.unpack(">HH", init[:4]), (320, 240))
        self.assertEqual(init[20:], b"\x00\x00\x00\x06memory")
        self.assertEqual(self.scene.roster.viewers(), (viewer,))
        self.scene.clock.advance(0)
        self.assertEqual(self.scene.clock.getDelayedCalls(), [])

    def test_all_at_once(self) -> None:
        viewer = self.enter()
        viewer.received(VERSION + b"\x01\x01" + bytes([4, 1, 0, 0, 0, 0, 0, 97]))
        self.assertEqual(self.scene.display.keys, [(97, 0, True)])

    def test_one_who_does_not_finish_is_cut_off(self) -> None:
        viewer = self.enter()
        viewer.received(VERSION)
        self.scene.clock.advance(HANDSHAKE - 1)
        self.assertFalse(self.line.aborted)
        self.scene.clock.advance(2)
        self.assertTrue(self.line.aborted)
        self.assertEqual(self.scene.around.totals.limits["handshake_seconds"], 1)
        self.assertEqual(self.scene.left_behind(), (0, 0, 0, 0))

    def test_one_who_goes_in_the_middle_leaves_nothing(self) -> None:
        viewer = self.enter()
        viewer.received(VERSION)
        viewer.lost("gone")
        viewer.lost("gone twice")
        viewer.received(b"\x01\x01")
        self.assertEqual(self.scene.left_behind(), (0, 0, 0, 0))

    def test_no_account_no_entrance(self) -> None:
        viewer = self.enter("stranger")
        viewer.received(VERSION + b"\x01\x01")
        self.assertEqual(self.line.closed, (1008, "there is no account 'stranger'"))
        self.assertEqual(self.scene.left_behind(), (0, 0, 0, 0))

    def test_too_many(self) -> None:
        watchers = [self.scene.watch() for _ in range(MAX_VIEWERS)]
        late = self.scene.watch()
        self.assertEqual(late.line.closed, (1013, "there are 20 viewers already"))
        self.assertEqual(self.scene.around.totals.limits["viewers"], 1)
        watchers[0].leave()
        self.assertIsNone(self.scene.watch().line.closed)

    def test_a_broken_protocol_is_closed_with_the_reason(self) -> None:
        watcher = self.scene.watch()
        watcher.client.send(b"\x63")
        watcher.exchange()
        self.assertEqual(watcher.line.closed, (1002, "unknown message type 99"))
        self.assertEqual(self.scene.left_behind(), (0, 0, 0, 0))

    def test_a_broken_display_is_closed_and_logged(self) -> None:
        watcher = self.scene.watch()
        self.scene.display.broken = ZeroDivisionError()
        watcher.client.send_key(True, 97)
        watcher.exchange()
        self.assertEqual(watcher.line.closed, (1011, "internal error; the log has more"))
        self.assertEqual(self.scene.left_behind(), (0, 0, 0, 0))
        # Once for the press, once for the release on leaving.
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_nothing_is_heard_after_the_end(self) -> None:
        watcher = self.scene.watch()
        watcher.viewer.disconnect(1001, "the server is stopping")
        watcher.viewer.disconnect(1008, "again")
        watcher.client.send_key(True, 97)
        watcher.exchange()
        self.assertEqual(watcher.line.closed, (1001, "the server is stopping"))
        self.assertEqual(self.scene.display.keys, [])

    def test_leaving_lets_go_of_what_is_held(self) -> None:
        watcher = self.scene.watch()
        watcher.client.send_key(True, 97)
        watcher.client.send_pointer(5, 6, 1)
        watcher.exchange()
        watcher.leave()
        self.assertEqual(self.scene.display.keys[-1], (97, 0, False))
        self.assertEqual(self.scene.display.pointers[-1], (5, 6, 0))
        self.assertEqual(self.scene.left_behind(), (0, 0, 0, 0))

    def test_leaving_in_the_middle_of_an_update_leaves_nothing(self) -> None:
        watcher = self.scene.watch()
        watcher.request()
        self.assertNotEqual(self.scene.clock.getDelayedCalls(), [])
        watcher.leave()
        self.assertEqual(self.scene.left_behind(), (0, 0, 0, 0))


class OthersTests(TestCase):
    """Who came, who went and what the desktop is called, to clients that can show it."""

    def test_kasms_clients_are_told_who_comes_and_goes(self) -> None:
        scene = Scene()
        first = scene.watch(kasm=True)
        standard = scene.watch(name="nobody")
        second = scene.watch(name="reader", kasm=True)
        second.viewer.disconnect(1000, "lunch")
        second.leave()
        for watcher in (first, standard):
            watcher.exchange()
        self.assertEqual(first.kasm_told(253), [b"nobody", b"reader"])
        self.assertEqual(first.kasm_told(254), [b"reader"])
        self.assertEqual(standard.told(KasmMessageSent), [])
        self.assertEqual(second.kasm_told(253), [])

    def test_kasms_clients_come_back_unless_they_may_not(self) -> None:
        for code, flag in ((1001, 0), (1011, 0), (1008, 1)):
            watcher = Scene().watch(Encoding.KASM_DISCONNECT_NOTICE, kasm=True)
            watcher.viewer.disconnect(code, "bye")
            watcher.exchange()
            self.assertEqual(watcher.kasm_told(186), [bytes([flag]) + b"\0\0\0bye"])

    def test_one_who_never_came_in_is_no_matter(self) -> None:
        scene = Scene()
        first = scene.watch(kasm=True)
        Viewer(Line(), Principal("reader"), scene.around).lost("gone")
        first.exchange()
        self.assertEqual(first.kasm_told(254), [])

    def test_a_new_name(self) -> None:
        scene = Scene()
        knows, knows_not = scene.watch(Encoding.DESKTOP_NAME), scene.watch(Encoding.RAW)
        for watcher in (knows, knows_not):
            scene.settle(watcher)
            watcher.heard.clear()
        scene.display.rename("den")
        for watcher in (knows, knows_not):
            watcher.exchange()
        (rectangle,) = knows.rectangles
        self.assertEqual((rectangle.encoding, rectangle.payload), (-307, b"\0\0\0\x03den"))
        self.assertEqual(knows_not.heard, [])


class OtherNumbersTests(TestCase):
    """What the surroundings say anew holds for those who are here."""

    def test_numbers(self) -> None:
        scene = Scene()
        watcher = scene.watch(Encoding.RAW)
        around = scene.around
        around.patience, around.frame, around.limits = 3.0, 1 / 10, Limits(cut_text=4)
        watcher.viewer.serve_anew()
        self.assertEqual(watcher.viewer.measures.frame, 1 / 10)
        for text in ("long text", "text"):
            watcher.client.send_cut_text(text)
            watcher.exchange()
        self.assertEqual(scene.display.clipboard, {"text/plain": b"text"})
        watcher.line.pause()
        scene.clock.advance(4)
        self.assertTrue(watcher.line.aborted)

    def test_before_it_is_in(self) -> None:
        scene, line = Scene(), Line()
        viewer = Viewer(line, Principal("writer"), scene.around)
        viewer.serve_anew()
        viewer.lost("gone")


class LogInTests(TestCase):
    """VeNCrypt: who it is, is said on the wire."""

    def setUp(self) -> None:
        self.scene, self.line = Scene(), Line()
        self.viewer = Viewer(self.line, None, self.scene.around)

    def log_in(self, name: bytes = b"writer", password: bytes = b"secret") -> None:
        self.line.take()
        self.viewer.received(VERSION)
        self.assertEqual(self.line.take(), [b"\x01\x13"])
        self.viewer.received(b"\x13")
        self.assertEqual(self.line.take(), [b"\x00\x02"])
        self.viewer.received(b"\x00\x02")
        self.assertEqual(b"".join(self.line.take()), b"\x00" + struct.pack(">BII", 2, 262, 259))
        self.viewer.received(struct.pack(">I", 262))
        self.assertEqual(self.line.take(), [b"\x01"])
        self.assertEqual(self.line.tls, [True])
        self.viewer.received(struct.pack(">II", len(name), len(password)) + name + password)

    def test_accepted(self) -> None:
        self.log_in()
        self.assertEqual(self.scene.logins, [("writer", "secret", "192.0.2.1")])
        self.viewer.received(b"\x01")
        self.assertEqual(self.line.take(), [])
        self.assertEqual(self.viewer.name, "")
        self.scene.login.callback("writer")
        result, init = self.line.take()
        self.assertEqual(result, bytes(4))
        self.assertEqual(self.viewer.name, "writer")
        self.assertEqual(self.scene.roster.viewers(), (self.viewer,))

    def test_anonymous_tls(self) -> None:
        self.viewer.received(VERSION + b"\x13\x00\x02" + struct.pack(">I", 259))
        self.assertEqual(self.line.tls, [False])

    def test_refused(self) -> None:
        self.log_in()
        self.scene.login.errback(LoginRefused("wrong"))
        self.assertEqual(self.line.take(), [struct.pack(">II", 1, 5) + b"wrong"])
        self.assertEqual(self.line.closed, (1008, "wrong"))
        self.assertEqual(self.scene.left_behind(), (0, 0, 0, 0))

    def test_locked_out(self) -> None:
        self.scene.login.errback(LockedOut("192.0.2.1", 7))
        self.log_in()
        (answer,) = self.line.take()
        self.assertIn(b"192.0.2.1 is locked out for 7 s", answer)
        self.assertEqual(self.line.closed[0], 1008)

    def test_a_failing_check_lets_nobody_in(self) -> None:
        self.log_in()
        self.scene.login.errback(ZeroDivisionError())
        self.assertTrue(self.line.aborted)
        self.assertEqual(self.line.take(), [])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_nothing_can_be_done_before(self) -> None:
        self.log_in()
        self.viewer.received(b"\x01" + bytes([4, 1, 0, 0, 0, 0, 0, 97]))
        self.assertEqual((self.scene.display.keys, self.line.take()), ([], []))
        self.scene.login.callback("writer")
        self.assertEqual(self.scene.display.keys, [(97, 0, True)])

    def test_bytes_in_clear_before_tls_end_it(self) -> None:
        self.viewer.received(VERSION + b"\x13\x00\x02" + struct.pack(">I", 262) + b"x")
        self.viewer.received(struct.pack(">II", 1, 1) + b"ab")
        self.assertEqual(self.line.closed[0], 1002)
        self.assertEqual(self.scene.logins, [])

    def test_one_who_left_meanwhile_is_not_let_in(self) -> None:
        self.log_in()
        self.viewer.lost("gone")
        self.scene.login.callback("writer")
        self.assertEqual(self.scene.left_behind(), (0, 0, 0, 0))

    def test_the_deadline_holds_for_a_slow_check_too(self) -> None:
        self.log_in()
        self.scene.clock.advance(HANDSHAKE + 1)
        self.assertTrue(self.line.aborted)
        self.scene.login.callback("writer")
        self.assertEqual(self.scene.left_behind(), (0, 0, 0, 0))
