"""Those who call KasmVNC's API: each makes, changes and removes a user, 100 times of 100."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Callable, Iterator
from urllib.parse import urlsplit

import aiohttp
import pytest
import requests

from tests.live.daemon import Daemon

TIMES = 100
LOGIN = "owner", "password"
BASIC = "Basic " + base64.b64encode(":".join(LOGIN).encode()).decode()

Call = tuple[str, str, str]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with Daemon(tmp_path_factory.mktemp("callers"), require_ssl=False) as daemon:
        yield daemon


def calls(name: str) -> list[Call]:
    """Give (method, target, body): by GET, and the same by POST."""
    several = [{"user": name, "password": "pw", "read": True}]
    return [
        ("GET", f"/api/create_user?name={name}&password=pw&read=true", ""),
        ("GET", f"/api/update_user?name={name}&write=true", ""),
        ("GET", f"/api/remove_user?name={name}", ""),
        ("POST", "/api/create_user", json.dumps(several)),
        ("POST", "/api/update_user", json.dumps([{"user": name, "owner": True}])),
        ("POST", "/api/remove_user", json.dumps([{"user": name}])),
    ]


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def with_http_client(url: str, wanted: list[Call]) -> list[str]:
    """One connection for all."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=unverified())
    answers = []
    for method, target, body in wanted:
        connection.request(method, target, body or None, {"Authorization": BASIC})
        response = connection.getresponse()
        answers.append(f"{response.status} {response.read().decode()}")
    connection.close()
    return answers


def with_requests(url: str, wanted: list[Call]) -> list[str]:
    """One session, and its own way to send JSON."""
    answers = []
    with requests.Session() as session:
        # Certificates that the environment names would be asked for all the same.
        session.auth, session.verify, session.trust_env = LOGIN, False, False
        for method, target, body in wanted:
            value = json.loads(body) if body else None
            response = session.request(method, url.rstrip("/") + target, json=value, timeout=60)
            answers.append(f"{response.status_code} {response.text}")
    return answers


def with_aiohttp(url: str, wanted: list[Call]) -> list[str]:
    """One session."""

    async def calling() -> list[str]:
        answers = []
        async with aiohttp.ClientSession(headers={"Authorization": BASIC}) as session:
            for method, target, body in wanted:
                data = body.encode() or None
                address = url.rstrip("/") + target
                async with session.request(method, address, data=data, ssl=False) as response:
                    answers.append(f"{response.status} {await response.text()}")
        return answers

    return asyncio.run(calling())


def with_curl(url: str, wanted: list[Call]) -> list[str]:
    """One curl for all, which keeps its connections."""
    lines = []
    for method, target, body in wanted:
        lines += [f'url = "{url.rstrip("/")}{target}"', f'user = "{":".join(LOGIN)}"', "insecure",
                  "silent", 'write-out = " %{http_code}\\n"']
        if method == "POST":
            lines.append("data-binary = " + json.dumps(body))
        lines.append("next")
    done = subprocess.run(
        ["curl", "--config", "-"], input="\n".join(lines[:-1]), text=True, check=True,
        capture_output=True, timeout=500,
    )
    return [f"{line[-3:]} {line[:-4]}" for line in done.stdout.splitlines()]


def with_fetch(url: str, wanted: list[Call]) -> list[str]:
    """node's fetch."""
    script = """
    const [url, basic, wanted] = JSON.parse(require('fs').readFileSync(0));
    (async () => {
      const answers = [];
      for (const [method, target, body] of wanted) {
        const answer = await fetch(url.replace(/\\/$/, '') + target, {
          method, body: body || undefined, headers: {Authorization: basic}});
        answers.push(`${answer.status} ${await answer.text()}`);
      }
      console.log(JSON.stringify(answers));
    })();
    """
    done = subprocess.run(
        ["node", "-e", script], input=json.dumps([url, BASIC, wanted]), text=True, check=True,
        capture_output=True, timeout=500,
        env={"NODE_TLS_REJECT_UNAUTHORIZED": "0", "PATH": os.environ["PATH"]},
    )
    answers: list[str] = json.loads(done.stdout)
    return answers


def with_treq(url: str, wanted: list[Call]) -> list[str]:
    """treq, in a process of its own for its reactor, and without TLS."""
    plain = url.replace("https", "http")
    done = subprocess.run(
        [sys.executable, __file__], input=json.dumps([plain, wanted]), text=True, check=True,
        capture_output=True, timeout=500,
    )
    answers: list[str] = json.loads(done.stdout)
    return answers


def treq_main() -> None:
    """Make the calls that standard input has."""
    import treq
    from twisted.internet.defer import ensureDeferred
    from twisted.internet.task import react
    from twisted.web.client import Agent, HTTPConnectionPool

    async def calling(reactor) -> None:  # type: ignore[no-untyped-def]
        url, wanted = json.load(sys.stdin)
        pool = HTTPConnectionPool(reactor)
        client = treq.client.HTTPClient(Agent(reactor, pool=pool))
        answers = []
        for method, target, body in wanted:
            response = await client.request(
                method, url.rstrip("/") + target, data=body.encode() or None, auth=LOGIN
            )
            answers.append(f"{response.code} {await response.text()}")
        print(json.dumps(answers))
        await pool.closeCachedConnections()

    react(lambda reactor: ensureDeferred(calling(reactor)))


CALLERS: dict[str, Callable[[str, list[Call]], list[str]]] = {
    "http.client": with_http_client,
    "requests": with_requests,
    "aiohttp": with_aiohttp,
    "curl": with_curl,
    "fetch": with_fetch,
    "treq": with_treq,
}


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
@pytest.mark.parametrize("caller", CALLERS)
def test_a_hundred_users(daemon: Daemon, caller: str) -> None:
    name = caller.replace(".", "-")
    wanted = [call for number in range(TIMES) for call in calls(f"{name}{number}")]
    assert CALLERS[caller](daemon.url, wanted) == ["200 200 OK"] * len(wanted)
    text = Path(daemon.passwords).read_text()
    assert name not in text and "owner:" in text


if __name__ == "__main__":
    treq_main()
