"""The two hops of Kasm Workspaces, and what they ask of a control plane."""

from __future__ import annotations

from typing import Optional

from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.trial.unittest import TestCase

from kasmd.edge.asking import Allowed, Trust, Upstream
from kasmd.edge.kasm import LEAST_RENEWAL, Timing
from kasmd.edge.webapp import WebappHop
from kasmd.h1.fields import Field, Fields
from kasmd.h1.head import HTTP_1_1, ResponseHead
from kasmd.http.failures import Refusal
from kasmd.permission.leases import Leases
from kasmd.rights import Right
from tests.edge.remembered import holds

DESK = "01234567-89ab-cdef-0123-456789abcdef"
COOKIE = b"username=ada; session_token=t1; theme=dark; kasm_client_key=k"
API = Upstream("127.0.0.1", 8080)


class Asking:
    """As much of a request as is looked at here."""

    request_id = "id-1"
    address = "192.0.2.7"
    host = b"kasm.test"

    def __init__(self, uri: str, cookie: bytes = COOKIE) -> None:
        self.uri = uri.encode()
        self.path = self.uri.partition(b"?")[0]
        self._fields = Fields([(b"User-Agent", b"UA"), (b"Cookie", cookie)])

    def values(self, name: bytes) -> list[bytes]:
        return self._fields.all(name.lower())

    def value(self, name: bytes) -> bytes:
        return self._fields.get(name.lower())


def reply(status: int, fields: Fields) -> ResponseHead:
    return ResponseHead(status, b"", HTTP_1_1, fields)


def connected(path: Optional[str] = None, **more: str) -> ResponseHead:
    told = {"connect_hostname": "10.0.0.9", "connect_port": "6901", "connect_schema": "https",
            "connect_auth": "Basic c2VjcmV0", "connect_kasm_id": DESK, **more}
    if path is not None:
        told["connect_path"] = path
    return reply(202, Fields([(name.encode(), text.encode()) for name, text in told.items()]))


class ControlPlane:
    """Answers what it is told to, when it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[Upstream, bytes, list[Field]]] = []
        self.answer: object = connected()
        self.waiting: list[Deferred[ResponseHead]] = []
        self.slow = False

    def ask(self, upstream: Upstream, target: bytes, fields: list[Field]) -> Deferred[ResponseHead]:
        self.asked.append((upstream, target, fields))
        if self.slow:
            self.waiting.append(Deferred())
            return self.waiting[-1]
        if isinstance(self.answer, Exception):
            return fail(self.answer)
        assert isinstance(self.answer, ResponseHead)
        return succeed(self.answer)


class WebappTests(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.plane = ControlPlane()
        self.leases = Leases(self.clock.seconds)

    def hop(self, lease: float = 5.0) -> WebappHop:
        return WebappHop(self.plane.ask, self.leases, self.clock.seconds, API, Trust(),
                         Timing(lease, grace=30.0))

    def allowed(self, hop: WebappHop, uri: str, cookie: bytes = COOKIE) -> Allowed:
        return self.successResultOf(maybeDeferred(hop.authorise, Asking(uri, cookie)))

    def refused(self, hop: WebappHop, uri: str, cookie: bytes = COOKIE) -> Refusal:
        failure = self.failureResultOf(maybeDeferred(hop.authorise, Asking(uri, cookie)))
        assert isinstance(failure.value, Refusal), failure
        return failure.value

    def test_the_question_is_as_kasms_own_hop_puts_it(self) -> None:
        self.allowed(self.hop(), f"/desktop/{DESK}/vnc/vnc.html?a=b")
        upstream, target, fields = self.plane.asked[0]
        self.assertEqual((upstream, target), (API, b"/api/kasm_connect/"))
        told = dict(fields)
        self.assertEqual(told[b"X-Original-URI"], f"/desktop/{DESK}/vnc/vnc.html?a=b".encode())
        self.assertEqual(told[b"Cookie"], b"username=ada; session_token=t1; kasm_client_key=k")
        self.assertEqual(told[b"Host"], b"kasm.test")
        self.assertEqual(told[b"X-Real-IP"], b"192.0.2.7")

    def test_the_answer_is_obeyed(self) -> None:
        self.plane.answer = connected("/desktop/x/vnc/other.html?c=d")
        allowed = self.allowed(self.hop(), f"/desktop/{DESK}/vnc/vnc.html?a=b")
        self.assertEqual(allowed.upstream, Upstream("10.0.0.9", 6901, "", Trust()))
        self.assertEqual(allowed.target, b"/desktop/x/vnc/other.html?c=d")
        self.assertIn((b"Authorization", b"Basic c2VjcmV0"), allowed.fields)
        self.assertIn((b"X-Kasm-ID", DESK.encode()), allowed.fields)
        self.assertEqual((allowed.session, allowed.principal.name), (DESK, "ada"))
        self.assertTrue(allowed.grant.holds(Right.ENTER))

    def test_fields_may_be_spelt_with_dashes(self) -> None:
        fields = [(n.replace(b"_", b"-"), v) for n, v in connected().fields]
        self.plane.answer = reply(200, Fields(fields))
        self.assertEqual(self.allowed(self.hop(), f"/desktop/{DESK}/vnc/").upstream.port, 6901)

    def test_plain_http_goes_without_tls(self) -> None:
        self.plane.answer = connected(connect_schema="http")
        self.assertIsNone(self.allowed(self.hop(), f"/desktop/{DESK}/vnc/").upstream.tls)

    def test_without_a_path_the_public_one_is_kept(self) -> None:
        uri = f"/desktop/{DESK}/vnc/websockify?x=1"
        self.assertEqual(self.allowed(self.hop(), uri).target, uri.encode())

    def test_one_question_serves_a_page_of_files(self) -> None:
        hop = self.hop()
        self.plane.answer = connected(f"/desktop/{DESK}/vnc/a.js")
        targets = [self.allowed(hop, f"/desktop/{DESK}/vnc/{name}").target
                   for name in ("a.js", "b.js", "c/d.css?v=1", "websockify")]
        self.assertEqual(len(self.plane.asked), 1)
        self.assertEqual(targets[2], f"/desktop/{DESK}/vnc/c/d.css?v=1".encode())

    def test_the_cookies_of_who_left_are_forgotten(self) -> None:
        hop = self.hop()
        self.allowed(hop, f"/desktop/{DESK}/vnc/", COOKIE).grant.release()
        self.plane.asked.clear()
        self.clock.advance(5)
        self.assertTrue(holds(hop, b"session_token"))
        hop.look()
        self.assertFalse(holds(hop, b"session_token"))

    def test_a_way_with_another_beginning_serves_other_files_too(self) -> None:
        hop = self.hop()
        self.plane.answer = connected("/inside/vnc/a.js?x=/y")
        self.allowed(hop, f"/desktop/{DESK}/vnc/a.js?x=/y")
        self.assertEqual(self.allowed(hop, f"/desktop/{DESK}/vnc/b.js").target, b"/inside/vnc/b.js")
        self.assertEqual(len(self.plane.asked), 1)

    def test_a_way_that_says_nothing_of_other_files_is_asked_for_again(self) -> None:
        hop = self.hop()
        self.plane.answer = connected("/one-file-only")
        self.allowed(hop, f"/desktop/{DESK}/vnc/a.js")
        self.plane.answer = connected("/another")
        self.assertEqual(self.allowed(hop, f"/desktop/{DESK}/vnc/b.js").target, b"/another")

    def test_each_service_person_session_and_token_is_a_question(self) -> None:
        hop = self.hop()
        other = DESK.replace("0", "1")
        for uri, cookie in (
            (f"/desktop/{DESK}/vnc/a", COOKIE),
            (f"/desktop/{DESK}/audio/a", COOKIE),
            (f"/desktop/{other}/vnc/a", COOKIE),
            (f"/desktop/{DESK}/vnc/a", COOKIE.replace(b"t1", b"t2")),
            (f"/desktop/{DESK}/vnc/a", COOKIE.replace(b"ada", b"bob")),
        ):
            self.allowed(hop, uri, cookie)
        self.assertEqual(len(self.plane.asked), 5)

    def test_a_session_is_the_same_with_and_without_dashes(self) -> None:
        hop = self.hop()
        self.allowed(hop, f"/desktop/{DESK}/vnc/a")
        plain = DESK.replace("-", "").upper()
        self.assertEqual(self.allowed(hop, f"/desktop/{plain}/vnc/a").session, DESK)

    def test_a_lease_ends(self) -> None:
        hop = self.hop(5.0)
        self.allowed(hop, f"/desktop/{DESK}/vnc/a").grant.release()
        self.clock.advance(5)
        self.plane.answer = reply(401, Fields())
        self.assertEqual(self.refused(hop, f"/desktop/{DESK}/vnc/a").word, "expired-cookie")

    def test_a_lease_of_nothing_asks_each_time(self) -> None:
        hop = self.hop(0)
        for _ in range(3):
            self.allowed(hop, f"/desktop/{DESK}/vnc/a").grant.release()
        self.assertEqual(len(self.plane.asked), 3)

    def test_files_asked_for_at_once_wait_for_one_answer(self) -> None:
        hop = self.hop()
        self.plane.slow = True
        asked = [maybeDeferred(hop.authorise, Asking(f"/desktop/{DESK}/vnc/{n}"))
                 for n in range(20)]
        self.assertEqual(len(self.plane.waiting), 1)
        self.plane.waiting.pop().callback(connected())
        self.assertEqual({self.successResultOf(each).target for each in asked},
                         {f"/desktop/{DESK}/vnc/{n}".encode() for n in range(20)})
        self.assertEqual(len(self.plane.asked), 1)

    def test_files_asked_for_at_once_are_refused_together(self) -> None:
        hop = self.hop()
        self.plane.slow = True
        asked = [maybeDeferred(hop.authorise, Asking(f"/desktop/{DESK}/vnc/{n}"))
                 for n in range(3)]
        self.plane.waiting.pop().callback(reply(403, Fields()))
        for each in asked:
            self.assertEqual(self.failureResultOf(each, Refusal).value.word, "foreign-cookie")

    def test_what_keeps_people_out_has_its_own_word(self) -> None:
        uri = f"/desktop/{DESK}/vnc/a"
        for answer, word in (
            (reply(401, Fields()), "expired-cookie"),
            (reply(403, Fields()), "foreign-cookie"),
            (reply(404, Fields()), "no-such-session"),
            (reply(500, Fields()), "auth-service-down"),
            (reply(302, Fields()), "auth-service-down"),
            (RuntimeError("refused"), "auth-service-down"),
            (reply(202, Fields()), "auth-service-down"),
            (connected(connect_port="x"), "auth-service-down"),
            (connected(connect_port="\xb2"), "auth-service-down"),
            (connected(connect_port="65536"), "auth-service-down"),
            (connected(connect_path="/a b"), "auth-service-down"),
            (connected(connect_schema="file"), "auth-service-down"),
        ):
            self.plane.answer = answer
            with capturedLogs() as events:
                self.assertEqual(self.refused(self.hop(), uri).word, word, answer)
            told = [event["request_id"] for event in events]
            self.assertEqual(told, ["id-1"] if word == "auth-service-down" else [], answer)

    def test_cookies_that_are_not_there_or_there_twice(self) -> None:
        uri = f"/desktop/{DESK}/vnc/a"
        for cookie, word in (
            (b"", "no-cookie"),
            (b"username=ada", "no-cookie"),
            (b"session_token=t", "no-cookie"),
            (b"username=; session_token=t", "no-cookie"),
            (b"username=ada; session_token=t; username=bob", "cookie-conflict"),
            (b"username=ada; session_token=t; session_token=t", "cookie-conflict"),
        ):
            self.assertEqual(self.refused(self.hop(), uri, cookie).word, word, cookie)
        self.assertEqual(self.plane.asked, [])

    def test_a_conflict_clears_what_can_be_cleared(self) -> None:
        refused = self.refused(self.hop(), f"/desktop/{DESK}/vnc/a",
                               b"username=ada; session_token=t; username=bob")
        cleared = [value for name, value in refused.headers if name == b"Set-Cookie"]
        self.assertTrue(all(value.startswith(b"username=; Max-Age=0") for value in cleared))
        self.assertTrue(any(f"/desktop/{DESK}".encode() in value for value in cleared))
        self.assertTrue(any(b"Domain=kasm.test" in value for value in cleared))

    def test_what_names_no_session_is_not_asked_for(self) -> None:
        for uri in ("/", "/desktop/", "/desktop/x/vnc", f"/desktop/{DESK}0/vnc", "/other/" + DESK):
            self.assertEqual(self.refused(self.hop(), uri).word, "no-such-session", uri)
        self.assertEqual(self.plane.asked, [])

    # Sockets that stay open.

    def test_the_leave_of_an_open_socket_is_asked_for_again(self) -> None:
        hop = self.hop(20.0)
        grant = self.allowed(hop, f"/desktop/{DESK}/vnc/websockify").grant
        self.clock.advance(20)
        hop.look()
        self.assertEqual(len(self.plane.asked), 2)
        self.assertTrue(grant.holds(Right.ENTER))
        self.clock.advance(1)
        hop.look()
        self.assertEqual(len(self.plane.asked), 2)

    def test_with_a_short_lease_sockets_are_not_asked_for_all_the_time(self) -> None:
        hop = self.hop(0)
        held = self.allowed(hop, f"/desktop/{DESK}/vnc/websockify").grant
        for _ in range(int(LEAST_RENEWAL) - 1):
            self.clock.advance(1)
            hop.look()
        self.assertEqual(len(self.plane.asked), 1)
        self.clock.advance(1)
        hop.look()
        self.assertEqual(len(self.plane.asked), 2)
        self.assertTrue(held.holds(Right.ENTER))

    def test_a_socket_whose_leave_is_refused_loses_its_grant(self) -> None:
        hop = self.hop(20.0)
        grant = self.allowed(hop, f"/desktop/{DESK}/vnc/websockify").grant
        told: list[bool] = []
        grant.when_changed(lambda: told.append(grant.holds(Right.ENTER)))
        self.plane.answer = reply(403, Fields())
        self.clock.advance(20)
        hop.look()
        self.assertEqual(told, [False])

    def test_a_socket_outlives_a_control_plane_that_is_down_for_its_grace_only(self) -> None:
        hop = self.hop(20.0)
        grant = self.allowed(hop, f"/desktop/{DESK}/vnc/websockify").grant
        self.plane.answer = RuntimeError("connection refused")
        for _ in range(49):
            self.clock.advance(1)
            hop.look()
        self.assertTrue(grant.holds(Right.ENTER))
        self.assertEqual(self.refused(hop, f"/desktop/{DESK}/vnc/a").word, "auth-service-down")
        self.clock.advance(1)
        hop.look()
        self.assertFalse(grant.holds(Right.ENTER))

    def test_a_revocation_takes_the_grant_at_once(self) -> None:
        hop = self.hop(20.0)
        grant = self.allowed(hop, f"/desktop/{DESK}/vnc/websockify").grant
        self.leases.revoke("ada")
        self.assertFalse(grant.holds(Right.ENTER))
        self.allowed(hop, f"/desktop/{DESK}/vnc/a")
        self.assertEqual(len(self.plane.asked), 2)
