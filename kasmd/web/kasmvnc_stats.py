"""Who is connected, what holds their pictures back, and what a frame takes.

-> GET /api/get_sessions
-> GET /api/get_bottleneck_stats
-> GET /api/get_frame_stats?client=none|auto|all|part of an id
-> GET /api/send_full_frame
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, Iterable, NamedTuple, Optional

from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.internet.interfaces import IReactorTime

from kasmd.errors import DisplayLost
from kasmd.http.query import Query
from kasmd.http.server import Request, Response
from kasmd.interfaces import IAccounts, IRoster, IViewer, IWorker
from kasmd.rights import OWNER
from kasmd.screen.framebuffer import Snapshot
from kasmd.viewer.full_frame import FullFrame, measure
from kasmd.viewer.measures import Figures
from kasmd.web.kasmvnc_says import Refusal, done, told
from kasmd.web.screenshot import SeatOf

#: Seconds for the server's own part of the frame statistics, and for the clients'.
FRAME_SECONDS = 10.0
CLIENT_SECONDS = 2.0
#: Frames measured, or waiting to be, at one time.
MAX_MEASURING = 8

_NAME = str.maketrans({".": "_", ":": "_"})


def connection_id(viewer: IViewer) -> str:
    """Give what KasmVNC calls a connection: address, and second and microsecond of its start."""
    microseconds = int(viewer.connected_at * 1e6)
    address = viewer.peer.rpartition(":")[0].strip("[]") or viewer.peer
    return f"{address}_{microseconds // 10**6}.{microseconds % 10**6}::websocket"


class _Timed(NamedTuple):
    snapshot: Snapshot
    seconds: float


class Stats:
    """Answers about the viewers of ``roster``; frames are measured on ``worker``."""

    def __init__(self, reactor: IReactorTime, roster: IRoster, accounts: IAccounts,
                 seat_of: SeatOf, worker: IWorker) -> None:
        self._reactor = reactor
        self._roster = roster
        self._accounts = accounts
        self._seat_of = seat_of
        self._worker = worker
        self._measuring = 0

    def sessions(self, request: Request, query: Query) -> Response:
        """Answer with those who are connected, newest first."""
        users = [
            {"username": viewer.name.partition("@")[0].translate(_NAME), "connected_since": str(
                datetime.fromtimestamp(int(viewer.connected_at), timezone.utc).replace(tzinfo=None)
            )}
            for viewer in reversed(self._roster.viewers())
        ]
        return told({"users": users})

    def bottlenecks(self, request: Request, query: Query) -> Response:
        """Answer with four scores for each connection, by user."""
        users: dict[str, dict[str, list[float]]] = {}
        for viewer in self._roster.viewers():
            scores = viewer.measures.scores(self._reactor.seconds())
            users.setdefault(viewer.name, {})[connection_id(viewer)] = list(scores)
        return told(users)

    def send_full_frame(self, request: Request, query: Query) -> Response:
        """Send everyone all of the picture."""
        for viewer in self._roster.viewers():
            viewer.repaint()
        return done()

    def frame(self, request: Request, query: Query) -> Deferred[Response]:
        """Measure a full frame, and ask clients how they fare."""
        if not query.text("client"):
            raise Refusal(400)
        if self._measuring >= MAX_MEASURING:
            raise Refusal(503, headers=[(b"Retry-After", b"1")])
        self._measuring += 1
        asked = self._ask(self._clients(query.text("client")))
        working = Deferred.fromCoroutine(self._frame(request, asked))
        return working.addBoth(self._measured)

    def _measured(self, result: Any) -> Any:
        self._measuring -= 1
        return result

    async def _frame(self, request: Request, asked: Deferred[list[object]]) -> Response:
        server = Deferred.fromCoroutine(self._server_side(request))
        try:
            took, frame = await server.addTimeout(FRAME_SECONDS, self._reactor)
        except (TimeoutError, DisplayLost):
            asked.cancel()
            raise Refusal(503) from None
        return told({
            "frame": _summary(took, frame),
            "server_side": _stages(took, frame),
            "client_side": await asked,
        })

    async def _server_side(self, request: Request) -> tuple[_Timed, FullFrame]:
        began = self._reactor.seconds()
        snapshot = await self._seat_of(request).screenshot()
        took = _Timed(snapshot, self._reactor.seconds() - began)
        return took, await self._worker.do(measure, snapshot)

    def _clients(self, wanted: str) -> Iterable[IViewer]:
        """Give the connections that ``client`` names, oldest first."""
        viewers = self._roster.viewers()
        if wanted == "none":
            return ()
        if wanted == "all":
            return viewers
        if wanted == "auto":
            accounts = self._accounts.accounts()
            owners = [viewer for viewer in viewers if viewer.name in accounts
                      and OWNER in accounts[viewer.name].rights]
            return owners[:1]
        return [each for each in viewers if wanted in f"{each.name}@{connection_id(each)}"]

    def _ask(self, viewers: Iterable[IViewer]) -> Deferred[list[object]]:
        """Fire with what they told in time."""
        answers: list[Deferred[Optional[dict[str, object]]]] = []
        for viewer in viewers:
            answer = viewer.ask_client()
            if answer is not None:
                answer.addTimeout(CLIENT_SECONDS, self._reactor)
                answers.append(answer.addCallback(_client, connection_id(viewer)))
        return DeferredList(answers, consumeErrors=True).addCallback(
            lambda results: [client for success, client in results if success]
        )


def _client(figures: Figures, name: str) -> dict[str, object]:
    return {
        "client": name,
        "client_time": figures.frames,
        "ping": figures.ping,
        "processes": [{"process_name": "scanRenderQ", "time": figures.render}],
    }


def _summary(took: _Timed, frame: FullFrame) -> dict[str, int]:
    return {
        "resx": took.snapshot.rect.width,
        "resy": took.snapshot.rect.height,
        "changed": 100,
        "server_time": _ms(took.seconds + frame.analysis + frame.encoding),
    }


def _stages(took: _Timed, frame: FullFrame) -> list[dict[str, object]]:
    jpeg = frame.jpeg
    return [
        {"process_name": "Analysis", "time": _ms(frame.analysis)},
        {"process_name": "Screenshot", "time": _ms(took.seconds)},
        {"process_name": "Encoding_total", "time": _ms(frame.encoding), "videoscaling": 0},
        {"process_name": "TightJPEGEncoder", "time": _ms(jpeg.seconds), "count": jpeg.number,
         "area": jpeg.area},
        {"process_name": "TightWEBPEncoder", "time": 0, "count": 0, "area": 0},
    ]


def _ms(seconds: float) -> int:
    return max(round(seconds * 1000), 0)
