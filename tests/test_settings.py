"""Each setting reaches what keeps it; tests/live/test_settings.py shows what comes of it."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from kasmd.config.encoding import (
    Encoding,
    EnterVideoEncodingMode,
    RectEncodingMode,
    VideoEncodingMode,
)
from kasmd.display.recorder import Recorder
from kasmd.display.x11 import X11Display
from kasmd.identity import Identity
from kasmd.interfaces import Account, Principal
from kasmd.log import output
from kasmd.permission.accounts import MemoryAccounts
from kasmd.permission.lockout import AccountLockout, Lockout
from kasmd.permission.registry import Registry
from kasmd.rfb.numbers import Encoding as Encodings
from kasmd.rights import WRITE, Right
from kasmd.screen.geometry import Rect
from kasmd.settings import compose_settings, rules_of
from kasmd.viewer.quality import Rules
from kasmd.web.api.schemas import SCHEMAS
from tests.viewer.scene import Scene

NOT_ASKED: Any = None


class Tests(TestCase):
    def setUp(self) -> None:
        self.scene = Scene()
        self.display = X11Display(Clock(), "", name="old")
        registry = Registry(MemoryAccounts([Account("ann", "x", WRITE)]))
        self.identity = Identity(
            NOT_ASKED, NOT_ASKED, registry, NOT_ASKED, NOT_ASKED, Lockout(5, 10.0),
            AccountLockout(5, 10.0), NOT_ASKED, NOT_ASKED,
        )
        found = compose_settings(self.display, self.scene.around, self.identity)
        self.settings = {setting.name: setting for setting in found}

    def change(self, name: str, before: object, after: object) -> None:
        """Change one, and see that it says so."""
        self.assertEqual(self.settings[name].read(), before)
        self.settings[name].apply(after)
        self.assertEqual(self.settings[name].read(), after)

    def test_they_are_the_schemas(self) -> None:
        self.assertEqual(list(self.settings), list(SCHEMAS["Settings"]["properties"]))

    def test_log_level(self) -> None:
        self.addCleanup(output.set_level, output.level())
        self.change("log_level", output.level(), 77)
        self.assertEqual(output.level(), 77)

    def test_desktop_name(self) -> None:
        recorder = Recorder()
        self.addCleanup(self.display.observe(recorder))
        self.change("desktop_name", "old", "new")
        self.assertEqual(recorder.named("renamed"), [("new",)])

    def test_allow_resize(self) -> None:
        grant = self.identity.registry.admit(Principal("ann"), "desktop")
        self.change("allow_resize", True, False)
        self.assertFalse(grant.holds(Right.RESIZE))
        self.change("allow_resize", False, True)
        self.assertTrue(grant.holds(Right.RESIZE))

    def test_what_viewers_are_served_by(self) -> None:
        watcher = self.scene.watch()
        self.change("max_frame_rate", 60, 10)
        self.assertEqual(watcher.viewer.measures.frame, 1 / 10)
        self.change("stalled_viewer_seconds", 30.0, 2.0)
        watcher.line.pause()
        self.scene.clock.advance(3)
        self.assertTrue(watcher.line.aborted)
        self.change("viewers", 20, 1)
        self.scene.watch()
        refused = self.scene.watch()
        self.assertEqual(refused.line.closed, (1013, "there are 1 viewers already"))

    def test_max_bandwidth(self) -> None:
        watcher, other = self.scene.watch(), self.scene.watch()
        other.viewer.limit_bandwidth(50_000)
        self.change("max_bandwidth", None, 80)
        for each, most in ((watcher, 10_000), (other, 50_000)):
            each.client.send_encodings([Encodings.RAW, Encodings.LAST_RECT])
            came = []
            for _ in range(4000):
                each.exchange()
                each.client.send_update_request(False, Rect(0, 0, *each.size))
                came.append(sum(len(rectangle.payload) for rectangle in each.rectangles))
                self.scene.clock.advance(0.001)
            self.assertTrue(0.8 < came[-1] / (4 * most) < 1.2 + 8192 * 4 / (4 * most), came[-1])

    def test_every_frame_rate_is_read_as_it_was_given(self) -> None:
        for rate in range(1, 241):
            self.settings["max_frame_rate"].apply(rate)
            self.assertEqual(self.settings["max_frame_rate"].read(), rate)

    def test_clipboard_bytes(self) -> None:
        watcher = self.scene.watch()
        self.change("clipboard_bytes", 16 << 20, 4)
        for text in ("too long", "text"):
            watcher.client.send_cut_text(text)
            watcher.exchange()
        self.assertEqual(self.scene.display.clipboard, {"text/plain": b"text"})

    def test_blacklist(self) -> None:
        lockout, guarded = self.identity.lockout, self.identity.guarded
        self.change("blacklist_threshold", 5, 1)
        self.change("blacklist_timeout", 10.0, 3.0)
        now = reactor.seconds()  # type: ignore[attr-defined]
        self.assertTrue(lockout.failed("192.0.2.1", now))
        self.assertEqual(lockout.seconds_left("192.0.2.1", now), 3.0)
        self.assertEqual([guarded.failed("ann", now) for _ in range(4)][-1], True)


def test_what_is_configured_of_quality() -> None:
    assert rules_of(Encoding()) == Rules()
    rules = rules_of(Encoding(
        max_bandwidth=2000,
        rect_encoding_mode=RectEncodingMode(2, 7, 8),
        video_encoding_mode=VideoEncodingMode(
            jpeg_quality=5,
            enter_video_encoding_mode=EnterVideoEncodingMode(1, 60),
            scaling_algorithm="nearest",
        ),
    ))
    assert (rules.min_quality, rules.max_quality, rules.lossless) == (2, 7, 8)
    assert (rules.video_quality, rules.video_time, rules.video_area) == (5, 1, 60)
    assert (rules.scaling, rules.max_bandwidth) == (0, 250_000)
