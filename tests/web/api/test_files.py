"""/files and /downloads: names, who may, what is listed, and the line in the audit."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from twisted.logger import LogEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from kasmd.log.audit import AUDIT
from tests.web.api.site import Served


class Files(Served, TestCase):
    async def test_names(self) -> None:
        for name in ("..", "../kasmpasswd", "/etc/passwd", "..\\a", "C:a", "a\0", "a\nb", "nul.txt",
                     "a.", "a ", "\u202eexe.txt", "a\u200b", "é" * 128, ".kasmd-upload-0"):
            answer = await self.ask("PUT", f"/files/{quote(name, safe='')}", b"x")
            self.assertEqual((answer.status, answer.fields), (422, ["name"]), name)
            self.assertEqual(answer.json["errors"][0]["in"], "path")
        for path in ("/files/", "/files/a/b", "/files/../tokens.json", "/files"):
            self.assertEqual((await self.ask("PUT", path, b"x")).status, 404, path)
        self.assertFalse(os.path.exists(self._file("Uploads")))

    async def test_who_may(self) -> None:
        for name, status in (("reader", 403), ("writer", 201), ("own", 201)):
            answer = await self.ask("PUT", f"/files/{name}", b"x", name)
            self.assertEqual(answer.status, status, name)
            self.assertEqual((await self.ask("GET", "/downloads", proof=name)).status,
                             200 if status == 201 else 403, name)

    async def test_a_query_that_is_none(self) -> None:
        answer = await self.ask("PUT", "/files/a?number=yes", b"x")
        self.assertEqual((answer.status, answer.fields), (422, ["number"]))

    async def test_it_is_in_the_audit(self) -> None:
        said: list[LogEvent] = []
        globalLogPublisher.addObserver(said.append)
        self.addCleanup(globalLogPublisher.removeObserver, said.append)
        await self.ask("PUT", "/files/a%20b", b"12345", "writer")
        (record,) = [event["record"] for event in said if event["log_namespace"] == AUDIT]
        self.assertEqual(
            str(record), 'file "a b": uploaded - -> 5, by "writer" from 127.0.0.1 through api'
        )

    async def test_downloads(self) -> None:
        folder = Path(self._file("Downloads"))
        (folder / "sub").mkdir()
        (folder / "sub" / "<b>").write_bytes(b"123")
        os.utime(folder / "sub" / "<b>", (1, 1000))
        (folder / "link").symlink_to("sub")
        os.mkfifo(folder / "pipe")
        (found,) = (await self.ask("GET", "/downloads", proof="writer")).json
        self.assertEqual((found["name"], found["folder"], found["size"]), ("sub", True, 0))
        below = await self.ask("GET", "/downloads?path=sub", proof="writer")
        self.assertEqual(below.json, [
            {"name": "<b>", "folder": False, "size": 3, "modified": 1000}])

    async def test_folders_that_are_none(self) -> None:
        Path(self._file("Downloads"), "link").symlink_to("..")
        for path in ("no", "..", "link", "a%00", "sub/../.."):
            answer: Any = await self.ask("GET", f"/downloads?path={path}", proof="writer")
            self.assertEqual(answer.status, 404, path)
