"""Every curl line of docs/api.rst does what the guide says."""

from __future__ import annotations

import os
import re
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial.unittest import TestCase

from kasmd.log import output
from tests.web.api.site import Served

GUIDE = Path(__file__).parents[3] / "docs" / "api.rst"
LINES = re.findall(r"^    (curl .*)$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)


class Tests(Served, TestCase):
    async def test_the_lines(self) -> None:
        self.addCleanup(output.set_level, output.level())
        self.assertEqual(len(LINES), 17)
        for line in LINES:
            command = line.replace("curl ", "curl --silent --show-error --fail-with-body ", 1)
            environment = {"API": f"http://127.0.0.1:{self.port}/api/v1", "PATH": "/usr/bin:/bin"}
            said, errors, code = await getProcessOutputAndValue(
                "/bin/sh", ["-c", command], environment, self.folder, reactor
            )
            self.assertEqual((code, errors), (0, b""), f"{line}: {said!r}")
        self.assertNotIn("ann", self.accounts.accounts())
        self.assertEqual(len(self.proofs.tokens.tokens()), 1)
        self.assertEqual(
            sorted(os.listdir(self._file("Uploads"))), ["notes (2).txt", "notes.txt"]
        )
        self.assertEqual((Path(self.folder) / "screenshot.jpg").read_bytes()[:2], b"\xff\xd8")
