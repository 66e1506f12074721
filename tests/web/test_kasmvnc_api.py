"""KasmVNC's owner API, fact by fact, as a caller of KasmVNC meets it on a port."""

from __future__ import annotations

import socket
from functools import partial
from typing import Any, Awaitable, Callable, NamedTuple, Optional

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kasmd.errors import KasmdError
from kasmd.http.faults import FAULTS
from kasmd.permission import durable
from kasmd.rights import Right
from kasmd.web.kasmvnc_api import MAX_BODY, MAX_TARGET
from tests.garbage import uncollected
from tests.web.asking import basic
from tests.web.owner import Served

OK = (200, "text/plain", b"200 OK")
BAD = (400, "text/plain", b"400 Bad Request")
DENIED = (401, "text/plain", b"401 Unauthorized")
MISSING = (404, "text/plain", b"404")
GONE = "-"


class Fact(NamedTuple):
    """One request and what it comes to; ``then`` is who has which letters afterwards."""

    what: str
    method: str
    target: str
    body: Any
    answer: tuple[int, str, bytes]
    then: dict[str, str] = {}
    name: Optional[str] = "own"
    headers: dict[str, str] = {}


def get(what: str, target: str, answer: tuple[int, str, bytes] = OK, name: Optional[str] = "own",
        headers: dict[str, str] = {}, **then: str) -> Fact:
    return Fact(what, "GET", target, None, answer, then, name, headers)


def post(what: str, target: str, body: Any, answer: tuple[int, str, bytes] = OK,
         headers: dict[str, str] = {}, **then: str) -> Fact:
    return Fact(what, "POST", target, body, answer, then, "own", headers)


NEW = "create_user?name=eve&password=pw"
CROSS = (403, "text/plain; charset=utf-8", b"")

FACTS = (
    # Gate and dispatch.
    get("a_writer_is_no_owner", "get_users", DENIED, "writer"),
    get("nor_is_a_reader", "create_user?name=a&password=b", DENIED, "reader", a=GONE),
    get("nor_does_he_learn_what_there_is", "no/such", DENIED, "nobody"),
    get("an_owner_does", "no/such", MISSING),
    get("a_slash_at_the_end_is_another_address", "get_users/", MISSING),
    get("the_longest_target", "get_users?" + "x" * (MAX_TARGET - 15), (200, "text/plain", b"")),
    get("one_byte_more", "get_users?" + "x" * (MAX_TARGET - 14), MISSING),
    post("what_takes_no_post", "get_users", [], MISSING),
    post("nor_this", "no/such", [], MISSING),
    Fact("other_methods", "PUT", "get_users", None, (405, "text/plain; charset=utf-8", b"")),
    Fact("no_deed_by_head", "HEAD", "remove_user?name=reader", None, (405, "text/plain", b""),
         {"reader": "r"}),
    Fact("head_reads", "HEAD", "get_users", None, (200, "text/plain", b"")),
    get("without_credentials", "get_users", (401, "text/plain; charset=utf-8", b""), None),
    # Creating.
    get("create", NEW, eve=""),
    get("create_with_all", NEW + "&read=true&write=true&owner=true", eve="rwo"),
    get("create_to_read", NEW + "&read=true", eve="r"),
    get("who_writes_reads", NEW + "&write=true", eve="rw"),
    get("an_owner_of_nothing_else", NEW + "&owner=true", eve="o"),
    get("beginnings_of_true_are_true", NEW + "&read=t&owner=tr", eve="ro"),
    get("this_is_not_true", NEW + "&read=True&write=1&owner=yes", eve=""),
    get("nor_is_more_than_true", NEW + "&read=truest", eve=""),
    get("the_first_of_two_counts", NEW + "&read=true&read=false", eve="r"),
    get("keys_are_whole", "create_user?namesake=x&name=eve&password=p&readx=true", eve=""),
    get("escapes", "create_user?name=%65v%65&password=%20", eve=""),
    get("a_plus_is_a_plus", "create_user?name=e+e&password=pw", **{"e+e": ""}),
    get("no_name", "create_user?password=pw", BAD),
    get("an_empty_name", "create_user?name=&password=pw", BAD),
    get("no_password", "create_user?name=eve", BAD, eve=GONE),
    get("an_empty_password", "create_user?name=eve&password=", BAD, eve=GONE),
    get("one_who_is_there", "create_user?name=reader&password=pw&write=true", BAD, reader="r"),
    get("the_longest_name", f"create_user?name={'n' * 127}&password=pw", **{"n" * 127: ""}),
    get("utf_8", "create_user?name=%C3%A9&password=pw", é=""),
    # Updating.
    get("update_to_write", "update_user?name=reader&write=true", reader="rw"),
    get("no_more_writing", "update_user?name=writer&write=false", writer="r"),
    get("no_more_reading", "update_user?name=reader&read=false", reader=""),
    get("no_reading_no_writing", "update_user?name=writer&read=false", writer=""),
    get("but_to_write_is_to_read", "update_user?name=reader&read=false&write=true", reader="rw"),
    get("what_is_not_named_stays", "update_user?name=writer&owner=true", writer="rwo"),
    get("no_flag", "update_user?name=reader", BAD, reader="r"),
    get("a_number_is_no_flag", "update_user?name=reader&read=0", BAD, reader="r"),
    get("a_password_alone_is_no_flag", "update_user?name=reader&password=x", BAD),
    get("update_nobody", "update_user?read=true", BAD),
    get("update_a_stranger", "update_user?name=eve&read=true", BAD, eve=GONE),
    # Removing.
    get("remove", "remove_user?name=reader", reader=GONE),
    get("remove_nobody", "remove_user", BAD),
    get("remove_a_stranger", "remove_user?name=eve", BAD),
    get("the_last_owner_stays", "remove_user?name=own", (409, "text/plain", b""), own="o"),
    get("and_an_owner", "update_user?name=own&owner=false", (409, "text/plain", b""), own="o"),
    get("unless_it_is_meant", "remove_user?name=own&force=true", own=GONE),
    get("or_this_is", "update_user?name=own&owner=false&force=true", own=""),
    post("nor_by_an_array", "update_user", [{"user": "own"}], (409, "text/plain", b""), own="o"),
    post("an_array_that_means_it", "update_user?force=true", [{"user": "own"}], own=""),
    post("not_even_replaced", "create_user", [{"user": "own", "password": "p"}],
         (409, "text/plain", b""), own="o"),
    post("an_heir_will_do", "update_user", [{"user": "own"}, {"user": "writer", "owner": True}],
         own="", writer="o"),
    # Arrays.
    post("create_several", "create_user", [
        {"user": "a", "password": "p", "read": True}, {"user": "b", "password": "q"},
    ], a="r", b=""),
    post("create_replaces", "create_user", [{"user": "writer", "password": "p"}], writer=""),
    post("create_needs_a_password", "create_user", [
        {"user": "a", "password": "p"}, {"user": "b"}], BAD, a=GONE, b=GONE),
    post("create_needs_a_name", "create_user", [{"password": "p"}], BAD),
    post("update_several", "update_user", [
        {"user": "reader", "write": True}, {"user": "writer", "read": True},
    ], reader="rw", writer="r"),
    post("what_an_array_does_not_name_goes", "update_user", [{"user": "writer"}], writer=""),
    post("all_or_none", "update_user", [
        {"user": "reader", "write": True}, {"user": "eve", "read": True}], BAD, reader="r"),
    post("remove_several", "remove_user", [{"user": "reader"}, {"user": "writer"}],
         reader=GONE, writer=GONE),
    post("remove_all_or_none", "remove_user", [{"user": "reader"}, {"user": "eve"}], BAD,
         reader="r"),
    post("remove_ignores_the_rest", "remove_user", [
        {"user": "reader", "password": "p", "owner": True}], reader=GONE),
    post("nothing_to_create", "create_user", []),
    post("nothing_to_update", "update_user", []),
    post("nothing_to_remove", "remove_user", []),
    post("an_object", "create_user", {"user": "a", "password": "p"}, BAD, a=GONE),
    post("no_object", "create_user", [["user", "a"]], BAD),
    post("another_key", "create_user", [{"user": "a", "password": "p", "name": "a"}], BAD, a=GONE),
    post("a_word_for_a_boolean", "create_user", [
        {"user": "a", "password": "p", "read": "true"}], BAD, a=GONE),
    post("a_number_for_a_boolean", "create_user", [
        {"user": "a", "password": "p", "read": 1}], BAD, a=GONE),
    post("a_number_for_a_name", "remove_user", [{"user": 1}], BAD),
    post("no_json", "create_user", b"user=a", BAD),
    post("nothing", "create_user", b"", BAD),
    post("a_deep_one", "create_user", b"[" * 100_000, BAD),
    post("a_query", "create_user?user=a", [{"user": "a", "password": "p"}], MISSING, a=GONE),
    post("an_empty_query", "create_user?", [{"user": "a", "password": "p"}], MISSING, a=GONE),
    post("no_content_type_is_asked_for", "create_user", [{"user": "a", "password": "p"}],
         headers={"Content-Type": "image/png"}, a=""),
    # Other deeds.
    get("a_full_frame", "send_full_frame"),
    get("a_clear_clipboard", "clear_clipboard"),
    # Other sites.
    get("a_page_elsewhere", "remove_user?name=reader", CROSS,
        headers={"Sec-Fetch-Site": "cross-site"}, reader="r"),
    get("or_next_door", "remove_user?name=reader", CROSS,
        headers={"Sec-Fetch-Site": "same-site"}, reader="r"),
    get("or_of_an_older_browser", "remove_user?name=reader", CROSS,
        headers={"Origin": "https://example.com"}, reader="r"),
    post("its_form", "remove_user", [{"user": "reader"}], CROSS,
         headers={"Origin": "null"}, reader="r"),
    get("our_own_page", "remove_user?name=reader",
        headers={"Sec-Fetch-Site": "same-origin"}, reader=GONE),
    get("what_was_typed", "remove_user?name=reader", headers={"Sec-Fetch-Site": "none"},
        reader=GONE),
    get("to_read_is_no_deed", "get_users", (200, "text/plain", b""),
        headers={"Sec-Fetch-Site": "cross-site"}),
    # Pictures.
    get("a_width_of_nothing", "get_screenshot?width=0", BAD),
    get("a_height_of_nothing", "get_screenshot?height=0", BAD),
    get("more_than_the_best", "get_screenshot?quality=10", BAD),
    get("numbers_do_not_wrap", "get_screenshot?quality=257", BAD),
    get("words_are_no_numbers", "get_screenshot?width=-5&height=x&quality=high",
        (200, "image/jpeg", b"")),
    get("one_pixel", "get_screenshot?width=1&height=1", (200, "image/jpeg", b"")),
    # Statistics.
    get("no_sessions", "get_sessions", (200, "text/plain", b'{"users": []}\n')),
    get("no_bottlenecks", "get_bottleneck_stats", (200, "text/plain", b"{}\n")),
    get("whose_frames", "get_frame_stats", BAD),
    get("nobodys_frames", "get_frame_stats?client=", BAD),
    get("the_machine", "system/stats", (200, "text/json", b"")),
    # Files.
    get("no_files", "downloads", (200, "text/json", b'{"files": []}\n')),
    get("no_such_folder", "downloads?path=no", BAD),
    get("above", "downloads?path=..", BAD),
    get("above_and_down", "downloads?path=../Downloads", BAD),
    get("above_in_escapes", "downloads?path=%2e%2e%2f", BAD),
    get("an_end_of_text", "downloads?path=%00", BAD),
)

#: What says why; KasmVNC takes these names.
UNKEPT = {
    "a_colon": "%3a",
    "a_line_break": "a%0aroot:x:rwo",
    "a_return": "%0d",
    "an_end_of_text": "a%00",
    "an_escape_code": "%1b[2J",
    "128_bytes": "n" * 128,
    "64_letters_of_two_bytes": "%c3%a9" * 64,
    "no_utf_8": "%ff",
    "no_escape": "%zz",
}


class FactTests(Served, TestCase):
    """One test for each fact and each name."""


def fact_test(fact: Fact) -> Callable[[FactTests], Awaitable[None]]:
    async def test(self: FactTests) -> None:
        body = fact.body
        asked = self.post if fact.method == "POST" else self.ask
        if fact.method == "POST":
            answer = await asked(fact.target, body, name=fact.name, **fact.headers)
        else:
            answer = await asked(
                fact.method, f"/api/{fact.target}", name=fact.name, **fact.headers
            )
        status, kind, content = fact.answer
        self.assertEqual((answer.status, answer.type), (status, kind), answer.body)
        if content:
            self.assertEqual(answer.body, content)
        for name, letters in fact.then.items():
            self.assertEqual(self.letters(name), letters, name)

    return test


def unkept_test(name: str) -> Callable[[FactTests], Awaitable[None]]:
    async def test(self: FactTests) -> None:
        with open(self.path, "rb") as file:
            before = file.read()
        answer = await self.get(f"create_user?name={name}&password=pw&owner=true")
        self.assertEqual((answer.status, answer.type), (400, "text/plain"))
        self.assertRegex(answer.body, rb"^400 Bad Request\nRefused: .{10,}\.\n$")
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), before)

    return test


for _fact in FACTS:
    assert not hasattr(FactTests, f"test_{_fact.what}"), _fact.what
    setattr(FactTests, f"test_{_fact.what}", fact_test(_fact))
for _what, _name in UNKEPT.items():
    setattr(FactTests, f"test_a_name_of_{_what}", unkept_test(_name))


class WireTests(Served, TestCase):
    """Bytes on the port."""

    def talk(self, *parts: bytes) -> Any:
        def talking() -> bytes:
            with socket.create_connection(("127.0.0.1", self.port), timeout=60) as client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for part in parts:
                    client.sendall(part)
                answer = b""
                while b"\r\n\r\n" not in answer:
                    more = client.recv(65536)
                    if not more:
                        break
                    answer += more
                return answer

        return deferToThread(talking)

    def head(self, *lines: str) -> bytes:
        first = ("POST /api/create_user HTTP/1.1", "Host: h", "Authorization: " + basic("own"))
        return "\r\n".join((*first, *lines, "", "")).encode()

    async def test_a_body_in_many_segments(self) -> None:
        body = b'[{"user": "eve", "password": "pw", "read": true}]'
        answer = await self.talk(
            self.head(f"Content-Length: {len(body)}"), *(bytes([byte]) for byte in body)
        )
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
        self.assertEqual(self.letters("eve"), "r")

    async def test_a_body_in_chunks(self) -> None:
        answer = await self.talk(
            self.head("Transfer-Encoding: chunked"),
            b'9\r\n[{"user":\r\n', b'18\r\n"eve", "password": "pw"}\r\n', b"1\r\n]\r\n",
            b"0\r\n\r\n",
        )
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
        self.assertEqual(self.letters("eve"), "")

    async def test_a_body_of_the_largest_size(self) -> None:
        users = b'[{"user": "eve", "password": "pw"}]'
        answer = await self.post("create_user", users + b" " * (MAX_BODY - len(users)))
        self.assertEqual(answer.body, b"200 OK")
        answer = await self.post("create_user", users + b" " * (MAX_BODY - len(users) + 1))
        self.assertEqual(answer.status, 413)

    async def test_too_large_a_body_is_refused_before_it_comes(self) -> None:
        answer = await self.talk(self.head(f"Content-Length: {MAX_BODY + 1}"))
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
        answer = await self.talk(
            self.head(f"Content-Length: {MAX_BODY + 1}", "Expect: 100-continue")
        )
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)

    async def test_chunks_without_end(self) -> None:
        chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
        answer = await self.talk(self.head("Transfer-Encoding: chunked"), *[chunk] * 40)
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)

    async def test_a_path_in_a_referer_is_none(self) -> None:
        answer = await self.ask("GET", "/", name="reader", Referer="https://h/api/get_users")
        self.assertEqual(answer.status, 200)

    async def test_a_refusal_leaves_no_garbage(self) -> None:
        left = uncollected(self, KasmdError)
        for status, target, name in (
            (400, "create_user?name=eve", "own"), (401, "get_users", "writer"),
            (404, "nothing", "own"), (409, "remove_user?name=own", "own"),
        ):
            self.assertEqual((await self.get(target, name=name)).status, status)
        self.assertEqual(left(), 0)

    async def test_no_challenge_for_one_who_is_known(self) -> None:
        answer = await self.get("get_users", name="writer")
        self.assertNotIn("WWW-Authenticate", answer.headers)
        answer = await self.get("get_users", name=None)
        self.assertIn("WWW-Authenticate", answer.headers)


class BusyTests(Served, TestCase):
    """Another program writes the accounts, and does not end."""

    async def test_who_comes_is_to_come_again(self) -> None:
        with durable.exclusive(self.path):
            busy = await self.get("remove_user?name=reader")
        self.assertEqual((busy.status, busy.type), (503, "text/plain"))
        self.assertEqual(busy.headers["Retry-After"], "1")
        told = f"503 Service Unavailable\n{FAULTS['accounts-busy'].said}\n"
        self.assertEqual(busy.body.decode(), told)
        self.assertEqual(self.site.counts.failures["accounts-busy"], 1)
        self.assertEqual(self.letters("reader"), "r")
        self.assertEqual((await self.get("remove_user?name=reader")).body, b"200 OK")


class PublishedTests(Served, TestCase):
    """Gate two."""

    async def test_one_who_is_no_owner_hears_kasmvncs_401_at_every_address(self) -> None:
        for endpoint in self.api.endpoints:
            for asking in (self.get, partial(self.post, value=[])):
                answer = await asking(endpoint.path.decode(), name="writer")
                self.assertEqual((answer.status, answer.type, answer.body), DENIED)

    def test_everything_needs_a_right(self) -> None:
        for route in self.api.routes():
            wanted = Right.DOWNLOAD if route.path == b"/Downloads/*" else Right.MANAGE
            self.assertEqual(route.needs, wanted, route.path)
