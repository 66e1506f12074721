"""Files brought to a real desktop: from the page, from a program, and rights lost meanwhile."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from http.client import HTTPConnection
from pathlib import Path
from typing import Iterator

import pytest

from tests.live.chromium import Chromium
from tests.live.daemon import Daemon
from tests.live.programs import eventually
from tests.live.web import basic, get, patch

MIB = 1 << 20
LEFTOVER = ".kasmd-upload-0123"
#: What a browser says of a request that the server ended early.
ENDED = re.compile(r"net::ERR_|status of 403|status of 422")
_CARDS = "[...document.querySelectorAll('.transfer .state')].map((each) => each.textContent)"
#: Keeps what each card says, for one that is done goes by itself.
_WATCH = """(() => {
    const list = document.querySelector("#transfers");
    const text = (card, part) => card.querySelector(part).textContent;
    window.said = new Set();
    new MutationObserver(() => list.querySelectorAll(".transfer").forEach(
        (card) => said.add(`${text(card, ".name")}: ${text(card, ".state")}`),
    )).observe(list, { subtree: true, childList: true, characterData: true });
})()"""
_DROP = """(() => {
    const data = new DataTransfer();
    data.items.add(new File(["dropped\\n"], "dröpped.txt"));
    for (const kind of ["dragover", "drop"]) {
        const event = { bubbles: true, cancelable: true, dataTransfer: data };
        document.querySelector("#screen canvas").dispatchEvent(new DragEvent(kind, event));
        window.overlay = [...(window.overlay ?? []), !document.querySelector("#drop").hidden];
    }
})()"""


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    folder = tmp_path_factory.mktemp("uploads")
    for name in ("Uploads", "Downloads"):
        (folder / name).mkdir()
    (folder / "Uploads" / LEFTOVER).write_bytes(b"of a daemon that was killed")
    with Daemon(folder, require_ssl=False) as daemon:
        yield daemon


@pytest.fixture
def page(chromium: Chromium, daemon: Daemon) -> Chromium:
    """The page, connected as writer."""
    chromium.enter(daemon.url, "writer")
    chromium.eval(_WATCH)
    return chromium


def brought(daemon: Daemon) -> Path:
    """Give the folder that files are brought to."""
    return daemon.folder / "Uploads"


def wait_said(page: Chromium, name: str, state: str) -> None:
    """Wait until a file's card has said this."""
    page.wait_true(f"said.has({f'{name}: {state}'!r})")


def allow(daemon: Daemon, may: bool, right: str = "upload") -> None:
    """Give writer a right, or take it."""
    answer = patch(daemon.port, "/api/v1/users/writer", {"rights": {right: may}}, "owner")
    assert answer.status == 200, answer


def test_what_a_killed_daemon_left_is_removed(daemon: Daemon) -> None:
    assert daemon.port
    eventually(lambda: not (brought(daemon) / LEFTOVER).exists(), "it is removed")


def test_chosen_files_arrive_byte_for_byte(page: Chromium, daemon: Daemon, tmp_path: Path) -> None:
    one, two = tmp_path / "ä picture (1).bin", tmp_path / "empty"
    one.write_bytes(os.urandom(3 * MIB + 1))
    two.write_bytes(b"")
    page.do("click", selector="#handle")
    page.do("choose", selector="#upload-files", paths=[str(one), str(two)])
    for path in (one, two):
        wait_said(page, path.name, "Is there")
        assert (brought(daemon) / path.name).read_bytes() == path.read_bytes()
    page.do("choose", selector="#upload-files", paths=[str(one)])
    wait_said(page, one.name, "Is there as ä picture (1) (2).bin")
    page.wait_true("document.querySelectorAll('.transfer').length === 0")
    assert page.errors() == []


def test_dropped_files_arrive(page: Chromium, daemon: Daemon) -> None:
    page.eval(_DROP)
    wait_said(page, "dröpped.txt", "Is there")
    assert (brought(daemon) / "dröpped.txt").read_text() == "dropped\n"
    assert page.eval("overlay") == [True, False]
    assert page.errors() == []


def test_a_right_taken_on_the_way_is_shown(page: Chromium, daemon: Daemon, tmp_path: Path) -> None:
    large, name = tmp_path / "large", tmp_path / "aux.txt"
    with large.open("wb") as file:
        file.truncate(512 * MIB)
    name.write_bytes(b"")
    before = set(brought(daemon).iterdir())
    # So that it is on its way for as long as is waited for anything.
    page.do("throttle", upload=MIB)
    page.do("choose", selector="#upload-files", paths=[str(large), str(name)])
    page.wait_true(f"{_CARDS}.includes('The name is the name of a device on Windows.')")
    eventually(lambda: any(path.stat().st_size for path in set(brought(daemon).iterdir()) - before),
               "some of it is on the disk")
    allow(daemon, False)
    try:
        page.wait_true(f"{_CARDS}.some((text) => text.startsWith('You may not upload any more'))")
        eventually(lambda: set(brought(daemon).iterdir()) == before, "nothing is left of it")
        page.wait_true("document.querySelector('#upload').hidden")
        page.eval(_DROP)
        page.wait_true(f"{_CARDS}.includes('You may not upload.')")
        assert page.eval("overlay") == [False, False]
    finally:
        allow(daemon, True)
    page.wait_true("!document.querySelector('#upload').hidden")
    assert [error for error in page.errors() if not ENDED.search(error)] == []


def test_downloads_are_listed_folder_by_folder(page: Chromium, daemon: Daemon) -> None:
    folder = daemon.folder / "Downloads"
    (folder / "a <b> & ü").mkdir()
    (folder / "a <b> & ü" / "100% #1?.txt").write_text("taken")
    (folder / "more.txt").write_bytes(bytes(1500))
    page.do("click", selector="#handle")
    page.wait_text("#downloads-list", "a <b> & ü/more.txt1.5 kB")
    page.do("click", selector="#downloads-list button")
    page.wait_text("#downloads-list", "100% #1?.txt5 bytes")
    link = page.eval("fetch(document.querySelector('#downloads-list a').href)"
                     ".then((answer) => answer.text())")
    assert link == "taken"
    shutil.rmtree(folder / "a <b> & ü")
    page.do("click", selector="#downloads-again")
    page.wait_text("#downloads-hint", "The files cannot be listed at the moment.")
    page.do("click", selector="#downloads-list button")
    page.wait_text("#downloads-list", "more.txt")
    assert [error for error in page.errors() if "status of 404" not in error] == []


def test_files_are_listed_for_who_comes_to_have_the_right(page: Chromium, daemon: Daemon) -> None:
    (daemon.folder / "Downloads" / "late.txt").write_text("taken")
    page.do("click", selector="#handle")
    allow(daemon, False, "download")
    page.wait_true("document.querySelector('#downloads').hidden")
    allow(daemon, True, "download")
    page.wait_text("#downloads-list", "late.txt")


def test_who_may_neither(chromium: Chromium, daemon: Daemon) -> None:
    chromium.enter(daemon.url, "reader")
    for part in ("#upload", "#downloads"):
        chromium.wait_true(f"document.querySelector('{part}').hidden")
    assert get(daemon.port, "/api/v1/downloads", "reader").status == 403


def test_it_is_never_whole_in_memory(daemon: Daemon) -> None:
    size, digest, block = 256 * MIB, hashlib.sha256(), os.urandom(MIB)
    before = memory(daemon)
    connection = HTTPConnection("127.0.0.1", daemon.port, timeout=60)
    connection.putrequest("PUT", "/api/v1/files/large.bin")
    connection.putheader("Authorization", basic("writer"))
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    for _ in range(size // MIB):
        digest.update(block)
        connection.send(block)
    assert connection.getresponse().status == 201
    connection.close()
    path = brought(daemon) / "large.bin"
    with path.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").digest() == digest.digest()
    path.unlink()
    assert memory(daemon) - before < size / 2


def memory(daemon: Daemon) -> int:
    """Give the most memory that the daemon ever had, in bytes."""
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024
