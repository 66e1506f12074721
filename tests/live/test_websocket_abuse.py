"""Broken, strange and merely large websocket frames: through an edge, and at a desktop."""

from __future__ import annotations

import base64
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Callable, Iterator, NamedTuple, Sequence

import pytest

from kasmd.http.upgrade import accept_of
from tests.live.abuse import BROKEN, CASES, NOT_TEXT, VIOLATIONS, Case
from tests.live.daemon import Daemon
from tests.live.echo import EchoUpstream
from tests.live.edge import INJECTED, EdgeDaemon, edge, session, websocket_request
from tests.live.raw_websocket import BINARY, CLOSE, TEXT, Frame, Lost, RawWebsocket, closing, frame

THREADS = 32
PATH = "/desktop/a/echo"
UNSUPPORTED = 1003
#: For 16 bytes of nothing.
ACCEPT = accept_of(base64.b64encode(bytes(16)))


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """An edge before an echo."""
    folder = tmp_path_factory.mktemp("edge")
    with EchoUpstream() as echo:
        edges = edge("front", directory=folder / "sessions.yaml",
                     allowed_origins="[https://listed.test]")
        with EdgeDaemon(folder, edges, session("a", echo.port)) as daemon:
            yield daemon.port_of("front")
            assert "Traceback" not in daemon.output + echo.output
            assert INJECTED.partition(" ")[2] not in daemon.output


@pytest.fixture(scope="module")
def desktop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A desktop's own port."""
    with Daemon(tmp_path_factory.mktemp("desktop"), require_ssl=False) as daemon:
        yield daemon.port
        assert "Traceback" not in daemon.output


def play(port: int, path: str, case: Case) -> tuple[list[Frame], int]:
    """Play a case; give what was heard before a close, and its code (0: there was none)."""
    with RawWebsocket(port, websocket_request(path)) as websocket:
        assert websocket.status == 101
        frames: list[Frame] = []
        # Who is closed while he sends has still to read why.
        with suppress(BrokenPipeError, ConnectionResetError):
            websocket.send(*case.sent)
        try:
            if case.code is None:
                frames += [websocket.message() for _ in case.heard]
                websocket.send(closing())
            frames += websocket.until_close()
            assert websocket.is_ended()
        except (Lost, BrokenPipeError, ConnectionResetError):
            return frames, 0
        return frames[:-1], frames[-1].code


def played(port: int, path: str, cases: Sequence[Case]) -> dict[str, tuple[list[Frame], int]]:
    """Play them, some at a time."""
    with ThreadPoolExecutor(THREADS) as pool:
        outcomes = list(pool.map(lambda case: play(port, path, case), cases))
    return {case.name: outcome for case, outcome in zip(cases, outcomes)}


@pytest.fixture(scope="module")
def at_the_edge(port: int) -> dict[str, tuple[list[Frame], int]]:
    return played(port, PATH, CASES)


@pytest.fixture(scope="module")
def at_the_desktop(desktop: int) -> dict[str, tuple[list[Frame], int]]:
    return played(desktop, "/websockify", VIOLATIONS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_at_the_edge(at_the_edge: dict[str, tuple[list[Frame], int]], case: Case) -> None:
    frames, code = at_the_edge[case.name]
    assert code == (case.code or 1000)
    # Who breaks the protocol need not hear the answer to what he said before.
    assert tuple(frames) == case.heard or (code == BROKEN and not frames)


@pytest.mark.parametrize("case", VIOLATIONS, ids=lambda case: case.name)
def test_at_the_desktop(at_the_desktop: dict[str, tuple[list[Frame], int]], case: Case) -> None:
    """A desktop takes no text, and some of these begin with one."""
    assert at_the_desktop[case.name][1] in (BROKEN, UNSUPPORTED, NOT_TEXT)


def test_messages_wait_for_nobody(port: int) -> None:
    """A frame that is never whole holds up nothing but itself."""
    with RawWebsocket(port, websocket_request(PATH)) as half:
        half.send(frame(BINARY, bytes(1 << 20))[:1000])
        with RawWebsocket(port, websocket_request(PATH)) as other:
            other.send(frame(TEXT, b"here"))
            assert other.message() == Frame(TEXT, b"here")


def test_the_close_of_the_upstream_is_passed_on(port: int) -> None:
    with RawWebsocket(port, websocket_request(PATH)) as websocket:
        websocket.send(frame(TEXT, b"close 4321"))
        assert websocket.until_close() == [Frame(CLOSE, (4321).to_bytes(2, "big") + b"as you wish")]
        assert websocket.is_ended()


class Shake(NamedTuple):
    """A handshake, and the status of its answer: at the edge, and at the desktop if it differs."""

    name: str
    handshake: Callable[[bytes], bytes]
    status: int
    desktop: int = 0


def without(name: bytes) -> Callable[[bytes], bytes]:
    return lambda head: re.sub(rb"(?m)^%b:.*\r\n" % name, b"", head)


def instead(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda head: head.replace(old, new)


def adding(*lines: bytes) -> Callable[[bytes], bytes]:
    return lambda head: head[:-2] + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


SHAKES = (
    Shake("as it should be", adding(), 101),
    Shake("version 8", instead(b"Version: 13", b"Version: 8"), 426),
    Shake("version 14", instead(b"Version: 13", b"Version: 14"), 426),
    Shake("two versions", adding(b"Sec-WebSocket-Version: 8"), 400),
    Shake("no version", without(b"Sec-WebSocket-Version"), 426),
    Shake("no key", without(b"Sec-WebSocket-Key"), 400),
    Shake("two keys", adding(b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="), 400),
    Shake("a short key", instead(b"AAAA==", b"=="), 400),
    Shake("a long key", instead(b"AAAA==", b"AAAAAAAA=="), 400),
    Shake("a key that is no base64", instead(b"AAAA==", b"AA!A=="), 400),
    Shake("a list in Connection", instead(b": Upgrade", b": keep-alive, Upgrade"), 101),
    Shake("two Connections", adding(b"Connection: keep-alive"), 101),
    Shake("other letters", lambda head: head.replace(b": Upgrade", b": uPGRADE").replace(
        b": websocket", b": WebSocket"), 101),
    Shake("other letters in names", lambda head: head.replace(
        b"Sec-WebSocket-Key", b"SEC-WEBSOCKET-KEY").replace(b"Upgrade:", b"upgrade:"), 101),
    Shake("spaces around values", instead(b": websocket", b": \t websocket \t"), 101),
    Shake("a folded line", instead(b": websocket", b":\r\n websocket"), 400),
    Shake("HTTP/1.0", instead(b"HTTP/1.1", b"HTTP/1.0"), 200, 400),
    Shake("POST", instead(b"GET", b"POST"), 400, 405),
    Shake("no Upgrade", without(b"Upgrade"), 200, 426),
    Shake("no Connection", without(b"Connection"), 200, 400),
    Shake("no credentials", without(b"Authorization"), 401),
    Shake("no Host", without(b"Host"), 400),
    Shake("our own page", adding(b"Origin: http://edge.test"), 101),
    Shake("another site's page", adding(b"Origin: https://evil.test"), 403),
    Shake("no site's page", adding(b"Origin: null"), 403),
    Shake("a look-alike", adding(b"Origin: http://edge.test.evil.test"), 403),
    Shake("an extension is offered", adding(
        b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"), 101),
    Shake("an unknown extension", adding(b"Sec-WebSocket-Extensions: x-none; a=1, y"), 101),
)


@pytest.mark.parametrize("shake", SHAKES, ids=lambda shake: shake.name)
@pytest.mark.parametrize("at_edge", [True, False], ids=["edge", "desktop"])
def test_handshakes(port: int, desktop: int, shake: Shake, at_edge: bool) -> None:
    where, path = (port, PATH) if at_edge else (desktop, "/websockify")
    with RawWebsocket(where, shake.handshake(websocket_request(path))) as websocket:
        assert websocket.status == (shake.status if at_edge else shake.desktop or shake.status)
        if websocket.status == 101:
            assert websocket.fields(b"Sec-WebSocket-Accept") == [ACCEPT]
            assert websocket.fields(b"Sec-WebSocket-Extensions") == []
        if websocket.status == 426:
            assert websocket.fields(b"Upgrade") == [b"websocket"]
        if "version" in shake.name and websocket.status == 426:
            assert websocket.fields(b"Sec-WebSocket-Version") == [b"13"]


def test_a_listed_page_may_connect(port: int) -> None:
    handshake = websocket_request(PATH, b"Origin: https://listed.test")
    with RawWebsocket(port, handshake) as websocket:
        assert websocket.status == 101


@pytest.mark.parametrize("offered, taken", [
    ((), []), ((b"binary",), [b"binary"]), ((b"a, binary",), [b"binary"]),
    ((b"a", b"v4.channel.k8s.io"), [b"v4.channel.k8s.io"]),
])
def test_subprotocols_pass_untouched(port: int, offered: tuple[bytes, ...],
                                     taken: list[bytes]) -> None:
    lines = [b"Sec-WebSocket-Protocol: " + names for names in offered]
    with RawWebsocket(port, websocket_request(PATH, *lines)) as websocket:
        assert (websocket.status, websocket.fields(b"Sec-WebSocket-Protocol")) == (101, taken)
