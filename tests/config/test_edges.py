"""Edges: lists in the configuration, and what of them does not fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest

from kasmd.config.edges import Edge
from kasmd.config.load import load
from kasmd.edge.asking import Trust
from kasmd.errors import ConfigError

DIRECT = "name: d, role: direct, listen: {port: 1}, directory: /s.yaml"
WEBAPP = "name: w, role: webapp, listen: {port: 2}, upstream: {unchecked: true}"
AGENT = "name: g, role: agent, listen: {port: 3}, directory: /s.yaml"
Edges = Callable[[str], tuple[Edge, ...]]


@pytest.fixture
def edges(tmp_path: Path) -> Edges:
    path = tmp_path / "kasmd.yaml"

    def loaded(text: str) -> tuple[Edge, ...]:
        path.write_text(text)
        return load(str(path), {"HOME": "/home/ann"}).edge

    return loaded


def said(edges: Edges, text: str) -> list[str]:
    """Give what is wrong with a text, each line without the file's name."""
    with pytest.raises(ConfigError) as caught:
        edges(text)
    lines = str(caught.value).splitlines()
    return [line.partition("kasmd.yaml:")[2] for line in lines]


def test_any_number(edges: Edges) -> None:
    assert edges("edge:\n") == edges("edge: []\n") == edges("") == ()
    one, two = edges(f"edge:\n- {{{DIRECT}}}\n- {{{WEBAPP}, auth: {{address: http://a}}}}\n")
    assert (one.name, one.role, one.directory, one.lease_seconds) == ("d", "direct", "/s.yaml", 5)
    assert (two.auth_path, two.limits.body_bytes) == ("/api/kasm_connect/", 1 << 30)


def test_processes(edges: Edges) -> None:
    assert [edge.processes for edge in edges(f"edge:\n- {{{DIRECT}}}\n")] == [1]
    assert [edge.processes for edge in edges(f"edge:\n- {{{DIRECT}, processes: 64}}\n")] == [64]
    for bad in ("0", "65", "-1", "1.5", "auto", "true"):
        (found,) = said(edges, f"edge:\n- {{{DIRECT}, processes: {bad}}}\n")
        assert found.startswith("2: edge[0].processes: ") and "from 1 to 64" in found, found


def test_values(edges: Edges) -> None:
    (edge,) = edges("""
desktop: {enabled: false}
edge:
  - name: front
    role: agent
    listen: {unix_socket: /run/kasmd/edge, unix_mode: "0660"}
    auth:
      address: "https://$request_host$:8443/up"
      request_hosts: [Kasm.Example, 192.0.2.7]
      pin: "sha256//%s="
      path: /x
    directory: /etc/sessions.yaml
    prefix: /kasm/
    allowed_origins: [https://Portal.example]
    trusted_proxies: 10.0.0.0/8
    lease_seconds: 0
    timeouts: {ping: 2.5}
""" % ("A" * 43))
    assert edge.auth.address is not None
    assert edge.auth.address.upstream.host == "$request_host$"
    assert (edge.auth.address.upstream.port, edge.auth.address.prefix) == (8443, "/up")
    assert edge.auth.request_hosts == ("kasm.example", "192.0.2.7")
    assert edge.auth.trust == Trust(bytes(32)) and edge.auth_path == "/x"
    assert (edge.prefix, edge.lease_seconds, edge.timeouts.ping) == ("/kasm", 0, 2.5)
    assert edge.allowed_origins == ("https://portal.example",)
    assert edge.listen.unix_mode == "0660" and edge.trusted_proxies == ("10.0.0.0/8",)


def test_an_item_s_keys_are_checked_like_any_other(edges: Edges) -> None:
    text = """edge:
  - name: a b
    role: proxy
    lissten: {port: 1}
    listen: {port: x}
    limits: {body_byte: 1}
  - [1]
  -
  - role: direct
"""
    assert said(edges, text) == [
        "2: edge[0].name: 'a b' must be at most 128 letters, digits, - and _,"
        " a letter or digit first",
        "3: edge[0].role: proxy must be one of direct, webapp, agent",
        "4: edge[0].lissten: unknown key, did you mean edge.listen?",
        "5: edge[0].listen.port: x must be a whole number from 0 to 65535",
        "6: edge[0].limits.body_byte: unknown key, did you mean edge.limits.body_bytes?",
        "7: edge[1]: must hold keys, each with its value",
        "8: edge[2].name: must be given",
        "8: edge[2].role: must be given",
        "9: edge[3].name: must be given",
    ]


@pytest.mark.parametrize("text, problem", [
    ("edge: {name: a}", "1: edge: must be a list, each item with keys of its own"),
    ("edge: x", "1: edge: must be a list, each item with keys of its own"),
    ("edge[0]: {name: a}", "1: edge[0]: unknown key"),
    ("edge:\n- name: a\n  name: b", "3: edge[0].name: is already in line 2"),
    ("edge:\n- {name: }", "2: edge[0].name: must be given"),
    ("desktop: {enabled: false}", "1: desktop.enabled: without a desktop and without an edge"),
])
def test_what_is_no_list_of_edges(edges: Edges, text: str, problem: str) -> None:
    assert said(edges, text)[0].startswith(problem)


@pytest.mark.parametrize("text, problem", [
    ("{name: d, role: direct, directory: /s}", "listen: needs one of port, unix_socket and"),
    ("{%s, listen: {port: 1, unix_socket: /s}}" % "name: d, role: direct, directory: /s",
     "listen: needs one of"),
    ("{name: d, role: direct, listen: {port: 1}}", "directory: must be given, for a direct edge"),
    ("{%s, auth: {address: http://a}}" % DIRECT, "auth.address: means nothing here"),
    ("{%s, ticket_key: /k}" % DIRECT, "ticket_key: means nothing here"),
    ("{%s, tls: {pem_key: /k}}" % DIRECT, "tls.pem_key: needs tls.pem_certificate"),
    ("{%s}" % WEBAPP, "auth.address: must be given, for a webapp hop asks who may pass"),
    ("{%s, auth: {address: https://a}}" % WEBAPP, "auth.address: what is asked speaks https: give"),
    ("{%s, auth: {address: http://a}, directory: /s}" % WEBAPP, "directory: means nothing here"),
    ("{%s, auth: {address: http://$request_host$}}" % AGENT,
     "auth.address: may follow the request's host for an agent hop only, and only to the hosts"),
    ("{%s, auth: {address: http://$request_host$, request_hosts: [a]}}" % WEBAPP,
     "auth.address: may follow the request's host for an agent hop only"),
    ("{%s, auth: {address: http://a, request_hosts: [a]}}" % AGENT,
     "auth.request_hosts: means nothing without $request_host$ in auth.address"),
    ("{%s, auth: {address: http://$request_host$, request_hosts: [a b]}}" % AGENT,
     "auth.request_hosts: ['a b'] must be a list of hosts, which 'a b' is none"),
    ("{name: w, role: webapp, listen: {port: 2}, auth: {address: http://a}}",
     "upstream: a session's host speaks https"),
])
def test_contradictions(edges: Edges, text: str, problem: str) -> None:
    (found,) = said(edges, f"edge:\n- {text}\n")
    assert found.startswith(f"2: edge[0].{problem}")


def test_two_of_one_name(edges: Edges) -> None:
    item = f"- {{{DIRECT}}}\n"
    assert said(edges, f"edge:\n{item}{item}") == ["3: edge[1].name: another edge is called 'd'"]
