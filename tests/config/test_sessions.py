"""The file with an edge's sessions: what it gives, and what is said of a bad one."""

from __future__ import annotations

import base64
import stat
from pathlib import Path
from typing import Callable

import pytest

from kasmd.config.addresses import Trusting
from kasmd.config.sessions import FILE_LIMIT, SESSIONS, read_sessions
from kasmd.edge.asking import Trust, Upstream
from kasmd.edge.directory import OPEN, Session
from kasmd.errors import ConfigError
from kasmd.rights import NOTHING, READ, WRITE, Right

Read = Callable[..., tuple[Session, ...]]
ONE = "id: a, owner: ann, upstream: http://h"


@pytest.fixture
def read(tmp_path: Path) -> Read:
    path = tmp_path / "sessions.yaml"

    def read_text(text: str, trusting: Trusting = Trusting()) -> tuple[Session, ...]:
        path.write_text(text)
        return read_sessions(str(path), {"SECRET": "hush"}, trusting)

    return read_text


def problems(read: Read, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(text)
    lines = str(caught.value).splitlines()
    return [line.partition("sessions.yaml:")[2] for line in lines]


def test_nothing(read: Read) -> None:
    assert read("") == read("sessions:\n") == read("sessions: []\n") == ()


def test_the_least(read: Read) -> None:
    assert read(f"sessions:\n- {{{ONE}}}\n") == (
        Session("a", "a", "ann", {}, Upstream("h", 80), b"", "", (OPEN,), True),
    )


def test_all_of_it(read: Read, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("p:w\nsecond line\n")
    (session,) = read(f"""
sessions:
  - id: A-1_x
    name: Ann's ☃
    owner: ann
    others: {{bob: r, "e.v.e": [view, pointer], joe: rw}}
    upstream: https://h:8443/desk
    ca: /ca.pem
    server_name: desk
    credentials:
      - {{user: kasm_user, password: "${{SECRET}}", rights: rw}}
      - {{user: viewer, password_file: "{tmp_path}/password", rights: r}}
      - {{bearer: abc.def=, rights: r}}
    page: vnc.html?path=$base$/websockify
    state: starting
""")
    assert (session.ident, session.name, session.running) == ("A-1_x", "Ann's ☃", False)
    assert session.upstream == Upstream("h", 8443, "", Trust(b"", "/ca.pem", "desk"))
    assert session.prefix == b"/desk" and session.page == "vnc.html?path=$base$/websockify"
    enter = Right.ENTER
    assert session.others == {
        "bob": enter | READ, "e.v.e": enter | Right.VIEW | Right.POINTER, "joe": enter | WRITE,
    }
    user, viewer, bearer = session.credentials
    assert user.authorization == b"Basic " + base64.b64encode(b"kasm_user:hush")
    assert viewer.authorization == b"Basic " + base64.b64encode(b"viewer:p:w")
    assert bearer.authorization == b"Bearer abc.def="
    assert user.rights == enter | WRITE and viewer.rights == enter | READ
    assert "hush" not in repr(session) and "Basic" not in repr(session)


def test_reading_it_again_gives_the_same(read: Read, tmp_path: Path) -> None:
    text = f"sessions:\n- {{{ONE}, credentials: [{{ticket_key: {tmp_path}/key}}]}}\n"
    assert read(text) == read(text)
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600


def test_what_the_edge_trusts_where_a_session_says_nothing(read: Read) -> None:
    text = "sessions:\n- {id: a, owner: ann, upstream: https://h%s}\n"
    edge = Trusting(pin=bytes(32))
    assert read(text % "", edge)[0].upstream.tls == Trust(bytes(32))
    assert read(text % ", unchecked: true", edge)[0].upstream.tls == Trust()
    (problem,) = problems(read, text % "")
    assert problem.startswith("2: sessions[0].upstream: it speaks https: give pin or ca")


@pytest.mark.parametrize("text, problem", [
    ("id: a/b, owner: x, upstream: http://h", "id: 'a/b' must be at most 128 letters"),
    ("id: .., owner: x, upstream: http://h", "id: .. must be at most"),
    ("id: a, upstream: http://h", "owner: must be given"),
    ("id: a, owner: x", "upstream: must be given"),
    ("id: a, owner: x, upstream: h", "upstream: h must be http://host:port"),
    (f"{ONE}, others: {{bob: x}}", "others.bob: x must be letters of rwo, or words of read, "),
    (f"{ONE}, others: {{bob: []}}", "others.bob: [] must be letters"),
    (f"{ONE}, others: {{ann: r}}", "others.ann: is the owner, who has every right"),
    (f"{ONE}, others: [bob]", "others: must hold keys"),
    (f"{ONE}, others: {{bob: r}}", "others.bob: has fewer rights than every credential gives"),
    (f"{ONE}, others: {{bob: r}}, credentials: [{{user: u, password: p}}]",
     "others.bob: has fewer rights"),
    (f"{ONE}, credentials: [{{user: u}}]", "credentials[0].user: needs a password or"),
    (f"{ONE}, credentials: [{{password: p}}]", "credentials[0].user: needs a password or"),
    (f"{ONE}, credentials: [{{}}]", "credentials[0].user: needs a password or"),
    (f"{ONE}, credentials: [{{user: u, password: p, bearer: b}}]", "credentials[0].user: needs"),
    (f"{ONE}, credentials: [{{user: 'u:v', password: p}}]",
     "credentials[0].user: must be without a colon"),
    (f"{ONE}, credentials: [{{bearer: 'a b'}}]", "credentials[0].bearer: must be a token"),
    (f"{ONE}, credentials: [{{user: u, password_file: /nowhere/at/all}}]",
     "credentials[0].password_file: /nowhere/at/all cannot be read: No such file"),
    (f"{ONE}, credentials: [{{ticket_key: /}}]", "credentials[0].ticket_key: '/' is no file of"),
    (f"{ONE}, page: //evil", "page: '//evil' must be an address below"),
    (f"{ONE}, page: 'javascript:x'", "page: 'javascript:x' must be an address below"),
    (f"{ONE}, state: gone", "state: gone must be one of running, starting"),
    (f"{ONE}, with: {{}}", "with: unknown key"),
])
def test_problems(read: Read, text: str, problem: str) -> None:
    (found,) = problems(read, f"sessions:\n- {{{text}}}\n")
    assert found.startswith(f"2: sessions[0].{problem}")


def test_no_secret_is_shown(read: Read, tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"s3cret\x00\n")
    for credential in ("user: u, password: \"s3cret\\n\"", "bearer: 's3cret '",
                       f"bearer_file: {tmp_path}/t", "bearer: [s3cret]"):
        said = problems(read, f"sessions:\n- {{{ONE}, credentials: [{{{credential}}}]}}\n")
        assert said and not any("s3cret" in line for line in said), credential


def test_two_of_one_id(read: Read) -> None:
    (problem,) = problems(read, f"sessions:\n- {{{ONE}}}\n- {{{ONE}}}\n")
    assert problem == "3: sessions[1].id: another session is called a"


def test_ceilings(read: Read) -> None:
    with pytest.raises(ConfigError, match="is larger than"):
        read("#" * (FILE_LIMIT + 1))
    one = "- {id: i%d, owner: a, upstream: http://h}\n"
    many = "sessions:\n" + "".join(one % number for number in range(SESSIONS + 1))
    assert problems(read, many) == [f"1: sessions: there are {SESSIONS + 1}, and {SESSIONS} may be"]
    others = ", ".join(f"a{number}: rwo" for number in range(101))
    assert "there are 101, and 100" in problems(
        read, f"sessions:\n- {{{ONE}, others: {{{others}}}}}\n")[0]


def test_rights_never_exceed_what_is_written(read: Read) -> None:
    (session,) = read(f"sessions:\n- {{{ONE}, others: {{bob: 'owner, write'}}}}\n")
    assert session.others["bob"] & ~(WRITE | Right.MANAGE | Right.ENTER) == NOTHING
