"""The log of a running daemon, read as an operator and as a thief would."""

from __future__ import annotations

import base64
import json
import re
import signal
import ssl
from http.client import HTTPResponse, HTTPSConnection
from pathlib import Path
from typing import Iterator
from urllib.parse import quote

import pytest

from tests.live.daemon import CONFIGURATION, SECRET, Daemon, twistd
from tests.live.programs import PATIENCE, ROOT, Program, eventually
from tests.live.rawviewer import RawViewer, websocket

#: The desktop needs no programs here.
BARE = "display:\n  window_manager: []\n  terminal: []\n"
STAMP = r" \d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} "
#: Every line of the log, but for what is said on the terminal before the log begins.
LINE = re.compile(STAMP + r"\[(PRIO|INFO|DEBUG)\] [a-z][a-z_. ]*(?: \d+)?: [ -~]*\Z")
PEOPLE = {"writer": "rw", "owner": "rwo", "eve": "r"}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    logging = "logging:\n  level: 100\n"
    with Daemon(tmp_path_factory.mktemp("logs"), BARE + logging, accounts=PEOPLE) as daemon:
        yield daemon


def basic(user: str, password: str = "password") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def ask(port: int, target: str, headers: dict[str, str], body: str = "") -> HTTPResponse:
    """Make one request on a connection of its own."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = HTTPSConnection("127.0.0.1", port, timeout=PATIENCE, context=context)
    connection.request("POST" if body else "GET", target, body or None, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


def log_of(daemon: Daemon) -> list[str]:
    lines = daemon.output.splitlines()
    return [line for line in lines if line and not line.startswith("kasmd: ")]


def test_a_request_has_its_access_line_and_its_steps(daemon: Daemon) -> None:
    answer = ask(daemon.port, "/style.css?x=1", basic("writer"))
    ident = answer.headers["X-Request-Id"]
    line = daemon.wait_for(rf"^{STAMP}\[INFO\] websocket (\d+): 127.0.0.1 127.0.0.1 writer "
                           rf'"GET /style.css HTTP/1.1" 200 (\d+) id={ident}$')
    number = line[1]
    fields = sum(len(f"{name}: {value}\r\n") for name, value in answer.headers.items())
    head = len("HTTP/1.1 200 OK\r\n") + fields + len("\r\n")
    assert int(line[2]) == head + int(answer.headers["Content-Length"])
    daemon.wait_for(rf"websocket {number}: handler exit$")
    steps = re.findall(rf"\[DEBUG\] websocket {number}: (.*?)(?: id={ident})?$",
                       daemon.output, re.MULTILINE)
    assert steps == [
        "got client connection from 127.0.0.1", "using SSL socket", "BasicAuth matched",
        "Invalid WS request, maybe a HTTP one", "Requested file '/style.css'",
        "No connection after handshake", "handler exit",
    ]


def test_a_viewer_has_its_steps(daemon: Daemon) -> None:
    with RawViewer(websocket(daemon.port, "writer")) as viewer:
        viewer.settle()
    for step in ("using protocol HyBi/IETF 6455 13", "connecting to VNC target",
                 "client closed connection", "handler exit"):
        daemon.wait_for(rf"\[DEBUG\] websocket \d+: {step}")


def test_a_refused_log_in_is_found_by_its_request(daemon: Daemon) -> None:
    answer = ask(daemon.port, "/", basic("mallory\x7f\u202e", "wrong-password"))
    refused = ask(daemon.port, "/", basic("mallory", "wrong-password"))
    assert (answer.status, refused.status) == (401, 401)
    ident = refused.headers["X-Request-Id"]
    daemon.wait_for(rf"\[PRIO\] permission.checkers: .*mallory.* refused id={ident}$")
    daemon.wait_for(rf'127.0.0.1 127.0.0.1 - "GET / HTTP/1.1" 401 \d+ id={ident}$')


def test_nobody_names_his_request_but_a_trusted_proxy(daemon: Daemon) -> None:
    answer = ask(daemon.port, "/", {**basic("writer"), "X-Request-Id": "forged"})
    assert answer.headers["X-Request-Id"] != "forged"


def test_an_edit_of_the_file_is_audited(daemon: Daemon) -> None:
    daemon.set_accounts({**PEOPLE, "eve": "rw", "new\u202e": "o"})
    audit = rf"^{STAMP}\[PRIO\] audit: account "
    by = r', by "" from - through file$'
    daemon.wait_for(audit + '"eve": rights r -> rw' + by)
    daemon.wait_for(audit + r'"new\\u202e": made - -> o' + by)
    daemon.set_accounts(PEOPLE)
    daemon.wait_for(audit + r'"new\\u202e": removed o -> -' + by)


def test_a_change_by_the_api_is_audited_with_its_request(daemon: Daemon) -> None:
    for call, change in (
        ("create_user?name=zoe&password=hunter2-api&read=true", "made - -> r"),
        ("update_user?name=zoe&write=true&read=true", "rights r -> rw"),
        ("remove_user?name=zoe", "removed rw -> -"),
    ):
        ident = ask(daemon.port, f"/api/{call}", basic("owner")).headers["X-Request-Id"]
        daemon.wait_for(rf'^{STAMP}\[PRIO\] audit: account "zoe": {change},'
                        rf' by "owner" from 127.0.0.1 through api id={ident}$')
    assert "hunter2-api" not in daemon.output


def test_no_secret_of_a_whole_session_is_in_the_log(daemon: Daemon) -> None:
    secrets = {
        "password": "hunter2-wrong", "bearer": "hunter2-bearer", "cookie": "hunter2-cookie",
        "query": "hunter2-query", "body": "hunter2-body", "referer": "hunter2-referer",
    }
    good = basic("owner")
    ask(daemon.port, "/", basic("owner", secrets["password"]))
    ask(daemon.port, "/", {"Authorization": f"Bearer {secrets['bearer']}"})
    ask(daemon.port, "/", {**good, "Cookie": f"__Host-kasmd={secrets['cookie']}"})
    ask(daemon.port, "/", {"Cookie": f"__Host-kasmd={secrets['cookie']}"})
    ask(daemon.port, "/", {**good, "Referer": f"https://x/?token={secrets['referer']}"})
    for path in ("/", "/api/create_user", "/api/nothing", "/websockify", "/style.css"):
        for query in (f"name=bob&password={secrets['query']}", secrets["query"],
                      f"name=bob&pass%77ord={secrets['query']}", f"token={secrets['query']}"):
            last = ask(daemon.port, f"{path}?{query}", good)
    user = {"user": "bob", "password": secrets["body"], "read": True, "write": False,
            "owner": False}
    for path in ("/api/create_user", "/login", "/invite", "/style.css"):
        for body in (json.dumps([user]), f"name=owner&password={secrets['body']}"):
            last = ask(daemon.port, path, good, body)
    with RawViewer(websocket(daemon.port, "owner")) as viewer:
        viewer.settle()
    daemon.wait_for(f"id={last.headers['X-Request-Id']}$")
    proofs = [line.partition(" ")[2] for line in (*good.values(), *basic("writer").values())]
    proofs += ["password:", "hunter2", SECRET, SECRET.rpartition("$")[2]]
    for secret in proofs:
        assert not [line for line in log_of(daemon) if secret in line]


def test_no_name_path_or_header_makes_a_line_of_its_own(daemon: Daemon) -> None:
    forged = " 2030-01-01 00:00:00,000 [PRIO] audit: forged"
    ask(daemon.port, "/" + quote("\r\n" + forged + "\x1b[2J\u202e"), basic("writer"))
    ask(daemon.port, "/", {**basic("writer"), "User-Agent": "\x1b[2J\u00e9" + forged})
    ask(daemon.port, "/", basic("x\x1b[2J\u202e" + forged))
    ask(daemon.port, "/", {**basic("writer"), "Origin": "https://\x1b[2J", "X-Request-Id": forged})
    last = ask(daemon.port, "/" + quote('" 200 5'), basic("writer"))
    daemon.wait_for(f"id={last.headers['X-Request-Id']}$")
    assert not [line for line in log_of(daemon) if not LINE.match(line)]
    assert not [line for line in log_of(daemon) if line.startswith(" 2030")]


def test_json_into_a_file_that_is_moved_away(tmp_path: Path) -> None:
    configuration, log, moved = (tmp_path / name for name in ("kasmd.yaml", "log", "log.1"))
    more = f"{BARE}logging:\n  format: json\n"
    configuration.write_text(CONFIGURATION.format(folder=tmp_path, require_ssl="true") + more)
    (tmp_path / "kasmpasswd").write_text(f"writer:{SECRET}:rw\n")
    command = list(twistd("--config", str(configuration)))
    command.insert(command.index("kasmd"), f"--logfile={log}")
    with Program(*command, env={"HOME": str(tmp_path)}, cwd=ROOT) as program:
        port = int(program.wait_for(r"^kasmd: https://127\.0\.0\.1:(\d+)/")[1])
        ident = ask(port, "/style.css", basic("writer")).headers["X-Request-Id"]
        eventually(lambda: ident in log.read_text(), "the line of the request")
        log.rename(moved)
        program.signal(signal.SIGUSR1)
        eventually(log.exists, "a new log")
        program.signal(signal.SIGTERM)
        program.wait()
    entries = [json.loads(line) for line in moved.read_text().splitlines()]
    (access,) = [entry for entry in entries if entry.get("request") == ident]
    assert (access["target"], access["user"], access["status"]) == ("/style.css", "writer", 200)
    assert all({"time", "level", "writer"} <= entry.keys() for entry in entries)
    assert all(json.loads(line)["time"] for line in log.read_text().splitlines())
    assert log.stat().st_mode & 0o777 == 0o600
