"""etc/kasmd.yaml and etc/sessions.yaml say all that can be configured, and say it rightly."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from ruamel.yaml import YAML

from kasmd.config.addresses import Address, Trusting
from kasmd.config.edges import Auth, Edge, Listen
from kasmd.config.load import load
from kasmd.config.schema import options
from kasmd.config.sessions import SessionsFile, read_sessions
from kasmd.config.values import Configuration
from kasmd.edge.asking import Trust, Upstream

EXAMPLE = Path(__file__).parents[2] / "etc" / "kasmd.yaml"
SESSIONS = EXAMPLE.with_name("sessions.yaml")
ENVIRON = {"HOME": "/home/ann"}


def uncommented() -> str:
    return re.sub(r"^( *)#(?=\S)", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)


def keys(node: object, prefix: str = "") -> set[str]:
    if isinstance(node, list) and all(isinstance(item, dict) for item in node) and node:
        return {key for item in node for key in keys(item, prefix)}
    if not isinstance(node, dict):
        return {prefix.removesuffix(".")}
    return {key for name, value in node.items() for key in keys(value, f"{prefix}{name}.")}


def test_the_example_as_it_is() -> None:
    assert load(str(EXAMPLE), ENVIRON) == load(None, ENVIRON)


def test_the_example_holds_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "kasmd.yaml"
    path.write_text(uncommented())
    values = load(str(path), ENVIRON)
    assert replace(values, edge=()) == load(None, ENVIRON)
    directory, unchecked = "/etc/kasmd/sessions.yaml", Trusting(unchecked=True)
    kasm, hosts = Address(Upstream("kasm.example", 443, "", Trust())), ("kasm.example",)
    whoever = Address(Upstream("$request_host$", 443, "", Trust()))
    assert values.edge == (
        Edge(name="desktops", role="direct", listen=Listen(port=8444), directory=directory),
        Edge(name="webapp", role="webapp", listen=Listen(port=8445),
             auth=Auth(address=kasm, unchecked=True), upstream=unchecked),
        Edge(name="agent", role="agent", listen=Listen(port=8446), directory=directory,
             auth=Auth(address=whoever, unchecked=True, request_hosts=hosts)),
    )


def test_the_example_holds_every_key_and_no_other() -> None:
    example = YAML(typ="safe").load(uncommented())
    assert keys(example) == {name for name, _ in options(Configuration)}


def test_the_example_of_sessions_holds_every_key_and_no_other() -> None:
    example = YAML(typ="safe").load(SESSIONS.read_text())
    found = {re.sub(r"(others)\..*", r"\1", key) for key in keys(example)}
    assert found == {name for name, _ in options(SessionsFile)}


def test_the_example_of_sessions_is_good() -> None:
    (session,) = read_sessions(str(SESSIONS), ENVIRON)
    assert (session.ident, session.name, session.owner) == ("ann", "Ann's desktop", "ann")
    assert str(session.upstream) == "https://127.0.0.1:8443" and len(session.credentials) == 2
