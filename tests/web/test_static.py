"""Static files: containment, types, validators, ranges."""

import gzip
import os
import shutil
import socket
import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kasmd.http.server import HttpFactory, Limits
from kasmd.web.static import MAX_KEPT_FILE, MAX_PACKED_FILE, Mount, StaticFiles


def talk(port, method, path, *lines):
    head = [method + b" " + path + b" HTTP/1.1", b"Host: a", b"Connection: close", *lines, b"", b""]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(b"\r\n".join(head))
        answer = b""
        while data := client.recv(65536):
            answer += data
    status, _, rest = answer.partition(b"\r\n")
    fields, _, body = rest.partition(b"\r\n\r\n")
    headers = dict(line.split(b": ", 1) for line in fields.split(b"\r\n"))
    return int(status.split()[1]), headers, body


def new_directory(case):
    """Give a directory that ends with the test."""
    made = tempfile.mkdtemp()
    case.addCleanup(shutil.rmtree, made)
    return Path(made).resolve()


TEXT = b"let a = 1;\n" * 100
GZIP = b"Accept-Encoding: br, gzip"


class StaticTests(TestCase):
    def setUp(self):
        base = new_directory(self)
        self.root, self.library = base / "www", base / "library"
        for path, content in {
            "www/index.html": b"<p>front",
            "www/a.mjs": b"0123456789",
            "www/sub dir/index.html": b"<p>sub",
            "www/empty/x.txt": b"",
            "www/text.js": TEXT,
            "www/long.js": bytes(MAX_PACKED_FILE + 1),
            "www/.hidden": b"secret",
            "www/.git/config": b"secret",
            "www/big.wasm": os.urandom(MAX_KEPT_FILE + 10),
            "www/back\\slash.txt": b"odd",
            "library/core/rfb.js": b"rfb",
            "outside.txt": b"secret",
            "www-evil/x.txt": b"secret",
        }.items():
            (base / path).parent.mkdir(parents=True, exist_ok=True)
            (base / path).write_bytes(content)
        (self.root / "out").symlink_to(base / "outside.txt")
        (self.root / "evil").symlink_to(base / "www-evil")
        (self.root / "in.mjs").symlink_to("a.mjs")
        os.mkfifo(self.root / "pipe")
        self.files = StaticFiles(
            reactor,
            [
                Mount(b"/", self.root, headers=[(b"X-Mount", b"page")]),
                Mount(b"/lib/", self.library, b"max-age=60"),
            ],
        )
        factory = HttpFactory(reactor, self.files.get, (), Limits())
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.number = port.getHost().port

    def get(self, path, *lines, method=b"GET"):
        return deferToThread(talk, self.number, method, path, *lines)

    async def test_types_and_caching(self):
        for path, content_type, cache in (
            (b"/", b"text/html; charset=utf-8", b"private, no-cache"),
            (b"/a.mjs?v=1", b"text/javascript; charset=utf-8", b"private, no-cache"),
            (b"/big.wasm", b"application/wasm", b"private, no-cache"),
            (b"/sub%20dir/", b"text/html; charset=utf-8", b"private, no-cache"),
            (b"/lib/core/rfb.js", b"text/javascript; charset=utf-8", b"max-age=60"),
            (b"/in.mjs", b"text/javascript; charset=utf-8", b"private, no-cache"),
            (b"/empty/x.txt", b"text/plain; charset=utf-8", b"private, no-cache"),
        ):
            status, headers, _ = await self.get(path)
            self.assertEqual(status, 200, path)
            self.assertEqual(headers[b"Content-Type"], content_type)
            self.assertEqual(headers[b"Cache-Control"], cache)
            self.assertEqual(headers[b"X-Content-Type-Options"], b"nosniff")

    async def test_what_must_not_be_found(self):
        for path in (
            b"/../outside.txt",
            b"/%2e%2e/outside.txt",
            b"/%2e%2e%2foutside.txt",
            b"/..%5coutside.txt",
            b"/sub%20dir/../../outside.txt",
            b"/%252e%252e/outside.txt",
            b"/..;/outside.txt",
            b"/..\\outside.txt",
            b"/back\\slash.txt",
            b"/back%5Cslash.txt",
            b"/%c0%ae%c0%ae/outside.txt",
            b"/%00index.html",
            b"/index.html%00.png",
            b"/.hidden",
            b"/.git/config",
            b"/%2ehidden",
            b"/out",
            b"/evil/x.txt",
            b"/lib/../index.html",
            b"//outside.txt",
            b"//host/x",
            b"/./a.mjs",
            b"/sub%20dir//index.html",
            b"/a.mjs/",
            b"/a.mjs/x",
            b"/empty/",
            b"/lib/",
            b"/pipe",
            b"/%",
            b"/%zz",
            b"/nothing",
            b"/" + b"x" * 2000,
            b"/../www-evil/x.txt",
        ):
            status, _, body = await self.get(path)
            self.assertEqual(status, 404, path)
            self.assertNotIn(b"secret", body)

    async def test_a_directory_moves_to_its_slash_relative_to_here(self):
        status, headers, _ = await self.get(b"/sub%20dir")
        self.assertEqual((status, headers[b"Location"]), (301, b"./sub%20dir/"))

    async def test_validators(self):
        _, headers, _ = await self.get(b"/a.mjs")
        etag = headers[b"ETag"]
        self.assertTrue(etag.startswith(b'"'))
        status, headers, body = await self.get(b"/a.mjs", b"If-None-Match: W/" + etag)
        self.assertEqual((status, body, headers[b"ETag"]), (304, b"", etag))
        self.assertNotIn(b"Content-Length", headers)
        status, _, body = await self.get(b"/a.mjs", b'If-None-Match: "other"')
        self.assertEqual((status, body), (200, b"0123456789"))

    async def test_texts_are_packed_for_who_takes_them_so(self):
        _, plain, body = await self.get(b"/text.js")
        self.assertEqual((body, plain[b"Vary"]), (TEXT, b"Accept-Encoding"))
        self.assertNotIn(b"Content-Encoding", plain)
        status, packed, body = await self.get(b"/text.js", GZIP)
        self.assertEqual((status, packed[b"Content-Encoding"]), (200, b"gzip"))
        self.assertEqual((len(body), gzip.decompress(body)),
                         (int(packed[b"Content-Length"]), TEXT))
        self.assertLess(len(body), 100)
        for name in (b"Content-Type", b"Cache-Control", b"Vary", b"X-Mount"):
            self.assertEqual(packed[name], plain[name])
        # They are two representations, each with its validator and ranges of the plain one.
        self.assertNotEqual(packed[b"ETag"], plain[b"ETag"])
        for lines, status in (
            ([GZIP, b"If-None-Match: " + packed[b"ETag"]], 304),
            ([GZIP, b"If-None-Match: " + plain[b"ETag"]], 200),
            ([b"If-None-Match: " + packed[b"ETag"]], 200),
        ):
            self.assertEqual((await self.get(b"/text.js", *lines))[0], status)
        status, headers, body = await self.get(b"/text.js", GZIP, b"Range: bytes=0-2")
        self.assertEqual((status, body), (206, b"let"))
        self.assertNotIn(b"Content-Encoding", headers)

    async def test_what_would_not_be_less_or_is_no_text_or_long_is_not_packed(self):
        for path in (b"/a.mjs", b"/empty/x.txt", b"/big.wasm", b"/long.js"):
            _, headers, _ = await self.get(path, GZIP)
            self.assertNotIn(b"Content-Encoding", headers)
            self.assertNotIn(b"Vary", headers)

    async def test_ranges(self):
        for path in (b"/a.mjs", b"/big.wasm"):
            _, headers, whole = await self.get(path)
            size = len(whole)
            for value, span in (
                (b"bytes=0-3", whole[:4]), (b"bytes=4-", whole[4:]), (b"bytes=-2", whole[-2:]),
            ):
                status, _, body = await self.get(path, b"Range: " + value)
                self.assertEqual((status, body), (206, span))
            for line in (b"Range: bytes=0-1,3-4", b"Range: bytes=5-2", b"Range: pages=1-2"):
                self.assertEqual((await self.get(path, line))[0], 200)
            status, headers, _ = await self.get(path, b"Range: bytes=%d-" % size)
            self.assertEqual((status, headers[b"Content-Range"]), (416, b"bytes */%d" % size))
            status, _, body = await self.get(path, b"Range: bytes=0-1", b'If-Range: "old"')
            self.assertEqual((status, body), (200, whole))

    async def test_head(self):
        for path, size in ((b"/a.mjs", b"10"), (b"/big.wasm", b"%d" % (MAX_KEPT_FILE + 10))):
            status, headers, body = await self.get(path, method=b"HEAD")
            self.assertEqual((status, headers[b"Content-Length"], body), (200, size, b""))

    async def test_a_large_file_arrives_whole(self):
        _, _, body = await self.get(b"/big.wasm")
        self.assertEqual(body, (self.root / "big.wasm").read_bytes())


class FreshnessTests(TestCase):
    def test_a_change_is_seen_within_a_second(self):
        clock = Clock()
        root = new_directory(self)
        path = root / "a.txt"
        path.write_bytes(b"old")
        files = StaticFiles(clock, [Mount(b"/", root)])
        self.assertEqual(files.get(Plain(b"/a.txt")).body, b"old")
        (root / "b.txt").write_bytes(b"newer")
        (root / "b.txt").replace(path)
        clock.advance(1)
        self.assertEqual(files.get(Plain(b"/a.txt")).body, b"newer")


class Plain:
    """A request without conditions."""

    method = b"GET"

    def __init__(self, path):
        self.path = path

    def values(self, name):
        return []

    def value(self, name):
        return b""
