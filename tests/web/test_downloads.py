"""The folder of downloads: what is listed, what is given, and that nothing else ever is."""

from __future__ import annotations

import grp
import os
import pwd
import socket
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from kasmd.rights import READ, Right
from kasmd.web import downloads
from kasmd.web.downloads import listing, names_of, opened
from tests.web.asking import basic
from tests.web.owner import Served

KEYS = [
    "filename", "date_modified", "date_created", "is_dir", "size", "owner", "group", "perms"
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "outside").write_text("private")
    inside = tmp_path / "in"
    (inside / "sub").mkdir(parents=True)
    (inside / "sub" / "file").write_text("hello")
    (inside / ".hidden").write_text("")
    (inside / "link").symlink_to(tmp_path / "outside")
    (inside / "up").symlink_to(tmp_path)
    (inside / "sub" / "twin").symlink_to("file")
    os.mkfifo(inside / "pipe")
    return inside


def named(folder: Path, path: bytes = b"") -> dict[str, dict[str, Any]]:
    return {str(entry["filename"]): entry for entry in listing(str(folder), path)}


def test_listing(folder: Path) -> None:
    found = named(folder)
    assert set(found) == {"sub", ".hidden", "link", "up", "pipe"}
    assert all(list(entry) == KEYS for entry in found.values())
    assert found["sub"]["is_dir"] is True and found["sub"]["size"] == 0
    assert set(named(folder, b"sub")) == set(named(folder, b"/sub//./")) == {"file", "twin"}


def test_an_entry(folder: Path) -> None:
    path = folder / "sub" / "file"
    path.chmod(0o4640)
    os.utime(path, (1, 1_000_000_000.9))
    status = path.stat()
    assert named(folder, b"sub")["file"] == {
        "filename": "file",
        "date_modified": 1_000_000_000,
        "date_created": int(status.st_ctime),
        "is_dir": False,
        "size": 5,
        "owner": pwd.getpwuid(status.st_uid).pw_name,
        "group": grp.getgrgid(status.st_gid).gr_name,
        "perms": "640",
    }


def test_a_link_is_listed_as_a_link(folder: Path) -> None:
    entry = named(folder)["link"]
    assert entry["size"] == len(str(folder.parent / "outside")) and entry["perms"] == "777"
    assert named(folder)["up"]["is_dir"] is False


def test_names_that_are_no_text(folder: Path) -> None:
    (folder / "sub" / "file").rename(os.fsdecode(os.fsencode(folder / "sub") + b'/\xff"\n<b>'))
    assert '\ufffd"\n<b>' in named(folder, b"sub")


def test_nobody_has_this_number() -> None:
    assert downloads._user_name(4_000_000_000) == "(unknown uid 4000000000)"
    assert downloads._group_name(4_000_000_000) == "(unknown gid 4000000000)"


@pytest.mark.parametrize(
    "path",
    [b"..", b"sub/..", b"../in", b"sub/../..", b"a\0b", b"up", b"up/in", b"up/outside", b"link",
     b"sub/file", b"no", b"x" * 5000, b"./" * 3000, b"a/" * 129],
)
def test_what_is_not_listed(folder: Path, path: bytes) -> None:
    with pytest.raises((OSError, ValueError)):
        listing(str(folder), path)


@pytest.mark.parametrize(
    "path",
    [b"", b"sub", b"sub/", b"link", b"up/outside", b"../outside", b"sub/twin", b"pipe",
     b"sub/file/", b"sub/file\0", b"sub/../sub/file"],
)
def test_what_is_not_opened(folder: Path, path: bytes) -> None:
    before = os.listdir("/proc/self/fd")
    with pytest.raises((OSError, ValueError)):
        opened(str(folder), path)
    assert len(os.listdir("/proc/self/fd")) <= len(before)


def test_what_is_opened(folder: Path) -> None:
    with os.fdopen(opened(str(folder), b"sub/file")) as file:
        assert file.read() == "hello"


def test_the_folder_itself_may_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(folder)
    assert "sub" in named(tmp_path / "alias")


def test_a_long_listing_is_cut(folder: Path) -> None:
    assert len(listing(str(folder), b"", 2)) == 2


def test_names() -> None:
    assert names_of(b"/a//./b/") == [b"a", b"b"]


#: Bytes, of which none take room on the disk.
LARGE = 1 << 30


class FileTests(Served, TestCase):
    """On the port."""

    def setUp(self) -> None:
        super().setUp()
        self.content = bytes(range(256)) * 4096
        os.mkdir(os.path.join(self.downloads, "sub"))
        self.file = Path(self.downloads) / "sub" / 'a "b" é.html'
        self.file.write_bytes(self.content)
        self.target = "/Downloads/sub/a%20%22b%22%20%C3%A9.html"

    async def test_a_file_is_an_attachment(self) -> None:
        answer = await self.ask("GET", self.target, name="writer")
        self.assertEqual((answer.status, answer.body), (200, self.content))
        self.assertEqual(answer.type, "application/octet-stream")
        self.assertEqual(
            answer.headers["Content-Disposition"],
            "attachment; filename*=UTF-8''a%20%22b%22%20%C3%A9.html",
        )
        self.assertEqual(answer.headers["Content-Security-Policy"], "sandbox")

    async def test_who_may_not(self) -> None:
        for name in ("reader", "nobody", "own"):
            self.assertEqual((await self.ask("GET", self.target, name=name)).status, 403, name)

    async def test_parts(self) -> None:
        answer = await self.ask("GET", self.target, name="writer", Range="bytes=3-9")
        self.assertEqual((answer.status, answer.body), (206, self.content[3:10]))
        self.assertEqual(answer.headers["Content-Range"], f"bytes 3-9/{len(self.content)}")
        answer = await self.ask("GET", self.target, name="writer", Range="bytes=9999999-")
        self.assertEqual(answer.status, 416)
        answer = await self.ask("HEAD", self.target, name="writer")
        self.assertEqual(answer.headers["Content-Length"], str(len(self.content)))

    async def test_an_empty_file(self) -> None:
        self.file.write_bytes(b"")
        answer = await self.ask("GET", self.target, name="writer")
        self.assertEqual((answer.status, answer.body), (200, b""))

    async def test_what_is_not_there(self) -> None:
        Path(self.downloads, "link").symlink_to("/etc/passwd")
        for path in ("", "sub", "sub/", "no", "link", "../kasmpasswd", "%2e%2e/kasmpasswd",
                     "..%2fkasmpasswd", "sub%00", "%zz"):
            answer = await self.ask("GET", f"/Downloads/{path}", name="writer")
            self.assertEqual(answer.status, 404, path)

    async def test_listed_on_the_port(self) -> None:
        answer = await self.get("downloads?path=sub")
        self.assertEqual((answer.status, answer.type), (200, "text/json"))
        (entry,) = answer.json["files"]
        self.assertEqual(entry["filename"], self.file.name)

    def begin(self, read: int) -> Any:
        """Ask for a file that does not fit any buffer, and read a part of it."""
        with open(self.file, "wb") as file:
            file.truncate(LARGE)

        def beginning() -> socket.socket:
            client = socket.create_connection(("127.0.0.1", self.port), timeout=60)
            client.sendall(
                f"GET {self.target} HTTP/1.1\r\nHost: h\r\nAuthorization: "
                f"{basic('writer')}\r\n\r\n".encode()
            )
            left = read
            while left:
                left -= len(client.recv(left))
            return client

        return deferToThread(beginning)

    def rest(self, client: socket.socket) -> Deferred[int]:
        """Count what still comes until the end."""

        def counting() -> int:
            count = 0
            try:
                while more := client.recv(1 << 20):
                    count += len(more)
            except ConnectionResetError:
                pass
            client.close()
            return count

        return deferToThread(counting)

    async def test_a_right_lost_ends_a_download(self) -> None:
        client = await self.begin(1000)
        writer = self.accounts.accounts()["writer"]
        await self.accounts.put(writer._replace(rights=Right.ENTER | READ))
        self.assertLess(await self.rest(client), LARGE // 2)

    async def test_a_file_that_becomes_shorter_ends_the_connection(self) -> None:
        client = await self.begin(1000)
        with open(self.file, "r+b") as file:
            file.truncate(1 << 20)
        self.assertLess(await self.rest(client), LARGE // 2)
